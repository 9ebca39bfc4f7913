"""What changes in a store while a run works on it, and who else works there."""

import os
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest

from lightly_pipeline.errors import DatasourceError, LightlyPipelineError, ObjectChangedError
from lightly_pipeline_tests.reliability.stores.cases import (
    ALWAYS,
    IMAGE,
    IMPATIENT_S,
    LISTING,
    MANIFEST,
    RAW,
)
from lightly_pipeline_tests.reliability.stores.conftest import SECRET, MakeChain
from lightly_pipeline_tests.support.chains import Chain, make_contents
from lightly_pipeline_tests.support.faults import Fault
from lightly_pipeline_tests.support.s3_servers import ACCESS_KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
OTHER = make_contents(seed=7)["raw.avi"]


def test_16_runs_at_once_store_every_image_once(make_chain: MakeChain) -> None:
    chain = make_chain()
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: chain.run(), range(3)))
    for result in results:
        chain.check(result)
    assert len({result.run_id for result in results}) == len({r.tag for r in results}) == 3


def test_17_an_image_of_other_content_is_left_as_it_is(make_chain: MakeChain) -> None:
    chain = make_chain()
    first = chain.run()
    taken = first.selected[0].image
    foreign = make_chain()
    foreign.direct.write(f"out/{taken}", b"somebody else's")
    result = foreign.run()
    assert foreign.direct.read(f"out/{taken}") == b"somebody else's"
    assert taken not in {frame.image for frame in result.selected}
    foreign.direct.delete(f"out/{taken}")
    foreign.check(result)


@pytest.mark.parametrize(("match", "n_before"), [(IMAGE, 2), (MANIFEST, 0)], ids=["18", "19"])
def test_18_and_19_a_run_killed_among_its_images_leaves_no_result_and_the_next_one_goes_on(
    make_chain: MakeChain, match: str, n_before: int
) -> None:
    chain = make_chain()
    place = chain.direct.prefix.rstrip("/")
    urls = [f"s3://{chain.direct.bucket}/{place}/{folder}/" for folder in ("in", "out")]
    arguments = ["run", "--input", urls[0], "--lightly", urls[1], "--n-samples", "4"]
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    where = {"AWS_ENDPOINT_URL_S3": chain.proxy.url, "AWS_DEFAULT_REGION": "us-east-1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "lightly_pipeline", *arguments],
        env={**os.environ, **keys, **where},
        stderr=subprocess.DEVNULL,
    )
    kill = Fault("first", match, skip=n_before, action=process.kill)
    chain.proxy.add(kill)
    assert process.wait(100) == -signal.SIGKILL
    # The request in hand when it died may still be served.
    chain.proxy.drain()
    assert not chain.stored(".lightly/tags/")
    done = set(chain.stored(".lightly/frames/"))
    chain.proxy.clear()
    result = chain.run()
    chain.check(result)
    assert result.n_decoded_videos == 0, "tables were there"
    stored_again = [r for r in chain.proxy.requests if r.startswith("PUT") and "/frames/" in r]
    assert len(stored_again) <= 4 - len(done)


@pytest.mark.parametrize("n_before", [0, 1, 2], ids=["22 listed", "23 read", "23 half read"])
def test_22_and_23_a_video_replaced_before_or_while_it_is_read_is_read_anew(
    make_chain: MakeChain, n_before: int
) -> None:
    chain = make_chain()
    replace = Fault("first", RAW, skip=n_before, action=lambda: chain.put({"raw.avi": OTHER}))
    chain.proxy.add(replace)
    result = chain.run()
    assert not replace.times
    chain.check(result)


def test_22_a_video_replaced_after_it_was_chosen_from_ends_the_run(make_chain: MakeChain) -> None:
    chain = make_chain()
    chosen = "PUT .*/selection.json"
    chain.proxy.add(Fault("first", chosen, action=lambda: chain.put({"raw.avi": OTHER})))
    with pytest.raises(ObjectChangedError, match="run again to take the new version") as caught:
        chain.run()
    chain.check_failure(caught.value)
    chain.check(chain.run())


def test_24_a_video_deleted_since_it_was_listed_is_named(make_chain: MakeChain) -> None:
    chain = make_chain()
    chain.proxy.add(Fault("first", RAW, action=lambda: chain.direct.delete("in/raw.avi")))
    result = chain.run()
    assert result.failed_videos == {"raw.avi": "removed since it was listed"}
    chain.check(result, without=frozenset({"raw.avi"}))
    again = chain.run()
    chain.check(again)
    assert again.n_input_videos == 2


@pytest.fixture
def paged(make_chain: MakeChain, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """A chain whose store lists one object a page."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "1")
    return make_chain()


def test_25_a_video_added_while_it_is_listed_is_taken_now_or_by_the_next_run(paged: Chain) -> None:
    videos = paged.videos()
    new = {"b.mp4": videos["a.mp4"], "a-before.avi": OTHER}
    paged.proxy.add(Fault("first", LISTING, skip=2, action=lambda: paged.put(new)))
    result = paged.run()
    assert videos.keys() <= {*result.corrupt_videos, *result.failed_videos, "a.mp4", "raw.avi"}
    assert result.n_input_videos in (4, 5), "what sorts behind the page came with it"
    paged.check(paged.run())


def test_26_a_page_of_a_listing_in_the_middle_is_asked_for_again(paged: Chain) -> None:
    middle = f"{LISTING}.*continuation"
    kinds: tuple[Literal["truncate", "reset", "page", "status"], ...]
    kinds = ("truncate", "reset", "page", "status")
    faults = [Fault(kind, middle, skip=1, times=2) for kind in kinds]
    paged.proxy.add(*faults)
    result = paged.run()
    assert not any(fault.times for fault in faults)
    paged.check(result)


@pytest.mark.parametrize("times", [3, ALWAYS])
def test_26_a_listing_that_never_goes_on_is_told(paged: Chain, times: int) -> None:
    prefix = f"{paged.direct.prefix}in/"
    url = f"{paged.direct.endpoint_url}/{paged.direct.bucket}?list-type=2&prefix={prefix}"
    with urllib.request.urlopen(url) as answer:
        first = answer.read()
    second = f"{LISTING}.*continuation"
    # Its token is that of the page which follows: this one, for ever.
    xml = {"Content-Type": "application/xml"}
    paged.proxy.add(Fault("page", second, times=times, headers=xml, body=first, skip=1))
    if times < ALWAYS:
        paged.check(paged.run())
        return
    with pytest.raises(DatasourceError, match="a listing that does not go on"):
        paged.run(patience_s=IMPATIENT_S)


def test_27_one_content_under_two_names_is_two_videos(make_chain: MakeChain) -> None:
    chain = make_chain()
    chain.put({"twin.avi": chain.videos()["raw.avi"]})
    chain.check(chain.run())


def test_29_input_is_only_read(make_chain: MakeChain) -> None:
    chain = make_chain()
    before = list(chain.direct.list("in/"))

    def forbidden(request: str, _: object) -> Fault | None:
        is_write = not request.startswith(("GET", "HEAD")) and "/in/" in request
        return Fault("status", "", status=403, code="AccessDenied") if is_write else None

    chain.proxy.refuses = forbidden
    chain.check(chain.run())
    chain.check_input_untouched()
    assert list(chain.direct.list("in/")) == before


def test_nothing_to_select_from_is_no_success(make_chain: MakeChain) -> None:
    chain = make_chain({"broken.mov": b"no video"})
    with pytest.raises(LightlyPipelineError, match=r"none of the 1 videos.*gave a frame"):
        chain.run()
    assert not chain.stored(".lightly/tags/")
