"""What reading costs from a store that fails now and then; what a user gets is in `reliability`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lightly_pipeline import Dataset, RunResult, S3Datasource, run
from lightly_pipeline.datasources import patience
from lightly_pipeline.defs.metadata import outcome_metadata
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline_tests.support.faults import Fault, FaultyStore, faulty
from lightly_pipeline_tests.support.noise import make_noise
from lightly_pipeline_tests.support.s3_servers import ACCESS_KEY, make_bucket

pytestmark = pytest.mark.slow

N_FRAMES = 10
SECRET = "canary-secret-71b0"
VIDEO = "GET .*/in/video.mp4"


@dataclass(frozen=True)
class Place:
    """The two datasources of a case behind a proxy, and the bucket itself."""

    dataset: Dataset
    direct: S3Datasource
    proxy: FaultyStore

    def run(self, patience_s: float = 60) -> RunResult:
        return run(
            self.dataset,
            selection_config={"n_samples": 3},
            pipeline_config={"store_patience_s": patience_s},
        )


@pytest.fixture(scope="module")
def proxy(endpoint: str) -> Iterator[FaultyStore]:
    with faulty(endpoint) as store:
        yield store


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of 5 MB: three requests."""
    path = tmp_path_factory.mktemp("noise") / "a.mp4"
    return make_noise(path, N_FRAMES, mux_options={"movflags": "faststart"}).read_bytes()


@pytest.fixture
def place(
    endpoint: str,
    proxy: FaultyStore,
    content: bytes,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    monkeypatch.setattr(patience, "_BASE_S", 0.05)
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
    direct.write("in/video.mp4", content)
    dataset = Dataset("faults", input=store(proxy.url, "in"), lightly=store(proxy.url, "out"))
    proxy.clear()
    return Place(dataset, direct, proxy)


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
