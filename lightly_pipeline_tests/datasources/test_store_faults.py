"""What a user gets when stores and networks fail, through `run(...)`: one case a fault."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lightly_pipeline import Dataset, RunResult, S3Datasource, run
from lightly_pipeline.datasources import patience, s3_client
from lightly_pipeline.defs.metadata import outcome_metadata
from lightly_pipeline.errors import DatasourceError, ObjectChangedError
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline_tests.support.faults import Fault, FaultyStore, faulty
from lightly_pipeline_tests.support.noise import make_noise
from lightly_pipeline_tests.support.s3_servers import ACCESS_KEY, make_bucket

pytestmark = pytest.mark.slow

N_FRAMES = 10
SECRET = "canary-secret-71b0"
VIDEO = "GET .*/in/video.mp4"
IMAGE = "PUT .*/frames/"
ALWAYS = 10_000


@dataclass(frozen=True)
class Place:
    """The two datasources of a case behind a proxy, and the bucket itself."""

    dataset: Dataset
    direct: S3Datasource
    proxy: FaultyStore
    other: bytes

    def run(self, patience_s: float = 60) -> RunResult:
        return run(
            self.dataset,
            selection_config={"n_samples": 3},
            pipeline_config={"store_patience_s": patience_s},
        )

    def replace_video(self) -> None:
        self.direct.write("in/video.mp4", self.other)


@pytest.fixture(scope="module")
def proxy(endpoint: str) -> Iterator[FaultyStore]:
    with faulty(endpoint) as store:
        yield store


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Two versions of a video of 5 MB: three requests each."""
    folder = tmp_path_factory.mktemp("noise")
    first = make_noise(folder / "a.mp4", N_FRAMES, mux_options={"movflags": "faststart"})
    second = make_noise(
        folder / "b.mp4", N_FRAMES + 2, mux_options={"movflags": "faststart"}, seed=1
    )
    return first.read_bytes(), second.read_bytes()


@pytest.fixture
def place(
    endpoint: str,
    proxy: FaultyStore,
    contents: tuple[bytes, bytes],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    monkeypatch.setattr(patience, "_BASE_S", 0.05)
    monkeypatch.setattr(s3_client, "_READ_S", 1)
    make_bucket(endpoint, "faults")
    prefix = f"s3://faults/{abs(hash(request.node.name))}"

    def store(url: str, folder: str) -> S3Datasource:
        return S3Datasource(
            f"{prefix}/{folder}",
            endpoint_url=url,
            region="us-east-1",
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET,
        )

    direct = store(endpoint, "")
    direct.write("in/video.mp4", contents[0])
    dataset = Dataset("faults", input=store(proxy.url, "in"), lightly=store(proxy.url, "out"))
    proxy.clear()
    return Place(dataset, direct, proxy, contents[1])


SURVIVED = {
    "a body that ends early": Fault("truncate", VIDEO, times=2, skip=1),
    "503 SlowDown": Fault("status", VIDEO, times=3, skip=1),
    "500 InternalError": Fault("status", VIDEO, skip=2, status=500, code="InternalError"),
    "a connection reset": Fault("reset", VIDEO, times=3, skip=2),
    "no answer in time": Fault("hang", VIDEO, skip=2),
    "a listing that ends early": Fault("truncate", r"GET .*list-type=2"),
    "503 on storing an image": Fault("status", IMAGE, times=3),
    "a stored image whose answer got lost": Fault("lost answer", IMAGE, times=2),
    "a reset while the table is stored": Fault("reset", "PUT .*parquet", times=2),
    "409 on storing the manifest": Fault(
        "status", "PUT .*manifest", status=409, code="ConditionalRequestConflict"
    ),
    "an upload that arrived damaged": Fault("status", IMAGE, status=400, code="BadDigest"),
}


@pytest.mark.parametrize("name", SURVIVED)
def test_passing_faults_change_nothing(place: Place, name: str) -> None:
    fault = Fault(**vars(SURVIVED[name]))
    place.proxy.add(fault)
    result = place.run()
    assert not fault.times, "the fault happened"
    assert result.n_input_frames == N_FRAMES
    assert result.n_selected == 3
    assert not result.corrupt_videos
    assert not result.corrupt_samples
    stored = {item.path for item in place.dataset.lightly.list(".lightly/frames/")}
    assert stored == {frame.image for frame in result.selected}


@pytest.mark.parametrize("n_before", [0, 1, 2, 3])
def test_a_video_replaced_before_or_while_it_is_read_is_read_anew(
    place: Place, n_before: int
) -> None:
    place.proxy.add(Fault("first", VIDEO, skip=n_before, action=place.replace_video))
    result = place.run()
    assert result.n_input_frames == N_FRAMES + 2
    assert not result.corrupt_videos
    assert not result.corrupt_samples


def test_a_video_replaced_between_selection_and_upload_ends_the_run_and_the_next_one_takes_it(
    place: Place,
) -> None:
    # One request of the access check and three of the pass come first.
    place.proxy.add(Fault("first", VIDEO, skip=4, action=place.replace_video))
    with pytest.raises(ObjectChangedError, match="run again to take the new version"):
        place.run()
    assert place.run().n_input_frames == N_FRAMES + 2


FATAL = {
    "throttled for longer than retries last": (
        Fault("status", VIDEO, times=ALWAYS, skip=1),
        r"throttled for longer than was waited \(SlowDown\).*run again later, with fewer threads",
    ),
    "an expired token": (
        Fault("status", VIDEO, times=ALWAYS, skip=2, status=400, code="ExpiredToken"),
        "the session token has expired",
    ),
    "a wrong clock": (
        Fault("status", "GET", times=ALWAYS, status=403, code="RequestTimeTooSkewed"),
        "this machine's clock is wrong",
    ),
    "a store that went away while reading": (
        Fault("reset", VIDEO, times=ALWAYS, skip=2),
        "cannot read s3://faults/.*in/video.mp4",
    ),
    "bodies that always end early": (
        Fault("truncate", VIDEO, times=ALWAYS, skip=3),
        "cannot read s3://faults/.*in/video.mp4",
    ),
    "no permission to store images": (
        Fault("status", IMAGE, times=ALWAYS, status=403, code="AccessDenied"),
        "cannot write s3://faults/.*frames/.*: the credentials do not allow it",
    ),
}


@pytest.mark.parametrize("name", FATAL)
def test_lasting_faults_end_the_run_and_say_what_to_do_and_the_next_run_resumes(
    place: Place, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    fault, message = FATAL[name]
    place.proxy.add(Fault(**vars(fault)))
    with pytest.raises(DatasourceError, match=message) as caught:
        place.run(patience_s=2)
    assert SECRET not in str(caught.value) + caplog.text
    stored = [item.path for item in place.direct.list("out/.lightly/runs/")]
    assert not any(path.endswith("manifest.json") for path in stored)
    place.proxy.clear()
    result = place.run()
    assert result.n_selected == 3
    assert result.n_input_frames == N_FRAMES
    assert not result.corrupt_videos


def test_what_was_read_is_counted_per_video_and_run(place: Place) -> None:
    place.proxy.add(Fault("truncate", VIDEO, skip=2))
    result = place.run()
    # The access check reads a block that is no part of the decoding.
    assert result.requests == place.proxy.count(VIDEO) - 1
    size = len(place.direct.read("in/video.mp4"))
    (outcome,) = [
        VideoOutcome(**json.loads(place.direct.read(item.path)))
        for item in place.direct.list("out/.lightly/")
        if item.path.endswith("outcome.json")
    ]
    assert outcome.requests == result.requests - 1
    assert size <= outcome.bytes_read < 1.6 * size
    shown = outcome_metadata(outcome)
    assert (shown["requests"], shown["bytes_read"]) == (outcome.requests, outcome.bytes_read)
    again = place.run()
    assert (again.requests, again.bytes_read) == (0, 0)
