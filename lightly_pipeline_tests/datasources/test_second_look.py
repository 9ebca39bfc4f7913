"""A wrong answer of a store or a proxy never becomes a verdict on a video."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from lightly_pipeline import Dataset, RunResult, S3Datasource, run
from lightly_pipeline.datasources import confirmed, patience, read_file, traffic_of
from lightly_pipeline.datasources.second_look import sure
from lightly_pipeline.errors import DatasourceError, LightlyPipelineError
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline_tests.support.faults import Fault, FaultyStore, faulty
from lightly_pipeline_tests.support.noise import make_noise
from lightly_pipeline_tests.support.s3_servers import client_at, make_bucket, store_at

MB = 1024 * 1024
N_FRAMES = 12
VIDEO, LISTING = "GET .*/in/video.mp4", "GET .*list-type=2"
ALWAYS = 10_000


@dataclass(frozen=True)
class Place:
    """Two datasources behind a proxy, and the same without."""

    dataset: Dataset
    direct: S3Datasource
    proxy: FaultyStore
    content: bytes
    key: str
    in_parts: bool

    def run(self, patience_s: float = 30) -> RunResult:
        return run(
            self.dataset,
            selection_config={"n_samples": 3},
            pipeline_config={"store_patience_s": patience_s},
        )

    def outcomes(self) -> list[dict[str, Any]]:
        return [
            json.loads(self.direct.read(item.path))
            for item in self.direct.list("out/.lightly/tables/")
            if item.path.endswith("outcome.json")
        ]


@pytest.fixture(scope="module")
def proxy(endpoint: str) -> Iterator[FaultyStore]:
    with faulty(endpoint) as store:
        yield store


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of 6 MB."""
    path = tmp_path_factory.mktemp("noise") / "a.mp4"
    return make_noise(path, N_FRAMES, mux_options={"movflags": "faststart"}).read_bytes()


@pytest.fixture(params=["one put", "in parts"])
def place(
    endpoint: str,
    proxy: FaultyStore,
    content: bytes,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    """A video whose ETag is its MD5, and one that was uploaded in parts, whose ETag is not."""
    monkeypatch.setattr(patience, "_BASE_S", 0.05)
    make_bucket(endpoint, "second")
    prefix = f"{abs(hash(request.node.name))}"

    def store(url: str, folder: str) -> S3Datasource:
        return store_at(url, f"s3://second/{prefix}/{folder}")

    direct = store(endpoint, "")
    key, in_parts = f"{prefix}/in/video.mp4", request.param == "in parts"
    put(direct, key, content, in_parts=in_parts)
    proxy.clear()
    dataset = Dataset("a", input=store(proxy.url, "in"), lightly=store(proxy.url, "out"))
    return Place(dataset, direct, proxy, content, key, in_parts)


def put(store: S3Datasource, key: str, content: bytes, *, in_parts: bool) -> None:
    client = client_at(str(store.endpoint_url))
    if not in_parts:
        client.put_object(Bucket="second", Key=key, Body=content)
        return
    where = {"Bucket": "second", "Key": key}
    upload = client.create_multipart_upload(**where)["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(content), 5 * MB), 1):
        part = client.upload_part(
            **where, UploadId=upload, PartNumber=number, Body=content[start : start + 5 * MB]
        )
        parts.append({"ETag": part["ETag"], "PartNumber": number})
    client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})


ONCE = {
    "a page in place of the first bytes": Fault("page", VIDEO, skip=1),
    "a page in place of later bytes": Fault("page", VIDEO, skip=2),
    "a page with an ETag of its own": Fault(
        "page", VIDEO, skip=1, headers={"Content-Type": "text/html", "ETag": '"5f-62"'}
    ),
    "an empty answer": Fault("page", VIDEO, skip=1, body=b"", headers={"X-Cache": "MISS"}),
    "a page with status 403": Fault("page", VIDEO, skip=1, status=403),
    "a page with status 404": Fault("page", VIDEO, skip=2, status=404),
    "the whole object": Fault("whole", VIDEO, skip=2),
    "another range": Fault(
        "with", VIDEO, skip=2, headers={"Content-Range": "bytes 5-1048580/7000000"}
    ),
    "416 of an object with content": Fault(
        "status", VIDEO, skip=1, status=416, code="InvalidRange"
    ),
    "a byte turned over in a picture": Fault("flip", VIDEO, skip=2, at=300_000),
    "a byte turned over in the header": Fault("flip", VIDEO, skip=1, at=5),
    "a page in place of a listing": Fault("page", LISTING, skip=2),
    "a well-formed page in place of a listing": Fault(
        "page",
        LISTING,
        skip=2,
        body=b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body/></html>',
        headers={"Content-Type": "application/xhtml+xml"},
    ),
    "a page in answer to a put": Fault("page", "PUT .*outcome.json"),
    "a page in answer to HEAD": Fault("page", "HEAD .*frames/", body=b""),
}


@pytest.mark.parametrize("name", ONCE)
def test_one_wrong_answer_changes_nothing(place: Place, name: str) -> None:
    fault = Fault(**vars(ONCE[name]))
    place.proxy.add(fault)
    result = place.run()
    assert not fault.times, "the fault happened"
    assert (result.n_input_frames, result.n_selected) == (N_FRAMES, 3)
    assert not result.corrupt_videos
    assert not result.corrupt_samples
    (outcome,) = place.outcomes()
    assert not outcome["report"]["errors"]


def test_a_byte_turned_over_while_frames_are_fetched_again_changes_nothing(place: Place) -> None:
    expected = place.run()
    wanted = {f.image: place.direct.read(f"out/{f.image}") for f in expected.selected}
    for path in wanted:
        place.direct.delete(f"out/{path}")
    place.proxy.add(Fault("flip", VIDEO, skip=1, at=1_500_000))
    result = place.run()
    assert result.n_selected == 3
    assert not result.corrupt_samples
    assert {path: place.direct.read(f"out/{path}") for path in wanted} == wanted


def test_a_store_that_never_gives_the_same_twice_is_named_and_nothing_is_recorded(
    place: Place,
) -> None:
    place.proxy.add(
        *[Fault("flip", VIDEO, skip=1 if n else 2, at=200_000 + 7 * n) for n in range(60)]
    )
    with pytest.raises(DatasourceError, match="it differs each time it is read"):
        place.run()
    assert not place.outcomes()
    place.proxy.clear()
    assert not place.run().corrupt_samples


def test_what_is_broken_in_the_store_is_recorded_and_read_at_most_twice(place: Place) -> None:
    broken = bytearray(place.content)
    broken[1_000_000:1_100_000] = bytes(100_000)
    put(place.direct, place.key, bytes(broken), in_parts=place.in_parts)
    place.run()
    (outcome,) = place.outcomes()
    assert VideoOutcome(**outcome).is_doubtful
    # Of an object that was put at once the MD5 is known: it need not be read again.
    assert outcome["bytes_read"] < (2.3 if place.in_parts else 1.2) * len(broken)


def test_no_video_at_all_is_recorded(place: Place) -> None:
    place.direct.write("in/page.mp4", b"<html>saved by mistake</html>")
    place.direct.write("in/empty.mp4", b"")
    result = place.run()
    assert set(result.corrupt_videos) == {"page.mp4", "empty.mp4"}
    assert result.n_input_frames == N_FRAMES


def test_a_store_that_ignores_ranges_is_named_before_a_video_is_transferred(place: Place) -> None:
    place.proxy.add(Fault("whole", VIDEO, times=ALWAYS))
    with pytest.raises(DatasourceError, match="whole objects where a part is asked for"):
        place.dataset.input.patient(0).open("video.mp4", etag=stat_etag(place))
    assert place.proxy.count(VIDEO) == 1


def stat_etag(place: Place) -> str:
    found = place.direct.stat("in/video.mp4")
    assert found is not None
    return found.etag


@pytest.mark.parametrize("times", [2, ALWAYS])
def test_an_empty_bucket_is_told_from_a_page(place: Place, times: int) -> None:
    place.direct.delete("in/video.mp4")
    place.proxy.add(Fault("page", LISTING, times=times))
    message = "no videos in" if times == 2 else "something else answers in the store's place"
    with pytest.raises(LightlyPipelineError, match=message):
        place.run(patience_s=30 if times == 2 else 1)


def test_a_checksum_that_the_store_keeps_is_believed_over_two_equal_readings(
    endpoint: str, proxy: FaultyStore, tmp_path: Path
) -> None:
    make_bucket(endpoint, "second")
    client = client_at(endpoint)
    client.put_object(
        Bucket="second", Key="sum/a", Body=b"content" * 600_000, ChecksumAlgorithm="SHA256"
    )
    store = store_at(proxy.url, "s3://second/sum/").patient(2)
    proxy.clear()
    with store.open("a") as file:
        file.read()
        assert confirmed(file)
    proxy.add(Fault("flip", "GET .*/sum/a", times=ALWAYS, at=77))
    with store.open("a") as file:
        file.read()
        assert not confirmed(file)


def test_a_store_whose_etags_only_look_like_md5s_is_known_by_it_after_one_object(
    endpoint: str, proxy: FaultyStore
) -> None:
    make_bucket(endpoint, "second")
    store = store_at(proxy.url, "s3://second/etags/")
    for name in ("a", "b"):
        store.write(name, b"content")
    proxy.clear()
    proxy.add(Fault("with", "GET .*/etags/", times=ALWAYS, headers={"Etag": f'"{"0a" * 16}"'}))
    other = store_at(proxy.url, "s3://second/etags/")
    assert [store.read(name) for name in ("a", "b")] == [b"content"] * 2
    assert proxy.count("GET .*/etags/") == 3
    for name, n_requests in (("a", 2), ("b", 1)):
        with other.open(name) as file:
            file.read()
            assert sure(file, is_doubtful=False)
            assert traffic_of(file).n_requests == n_requests


def test_a_file_is_read_again_where_its_md5_contradicts_and_before_an_error_counts(
    endpoint: str, proxy: FaultyStore
) -> None:
    make_bucket(endpoint, "second")
    store = store_at(proxy.url, "s3://second/files/")
    store.write("a", b"content")
    for is_refused in (False, True):
        proxy.clear()
        proxy.add(Fault("flip", "GET .*/files/a", at=3))
        seen = []

        def use(file: BinaryIO, is_refused: bool = is_refused, seen: list[bytes] = seen) -> bytes:
            seen.append(file.read())
            if is_refused and seen[-1] != b"content":
                raise ValueError("no content")
            return seen[-1]

        assert read_file(store, "a", use) == b"content"
        assert len(seen) == 2
    proxy.clear()
    with pytest.raises(ValueError, match="invalid literal"):
        read_file(store, "a", lambda file: int(file.read()))
