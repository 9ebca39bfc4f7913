"""Fixtures that several parts of the suite share."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lightly_pipeline_tests.support.s3_servers import (
    ACCESS_KEY,
    SECRET_KEY,
    has_swift,
    swift_server,
)
from lightly_pipeline_tests.support.selections import make_dataset
from lightly_pipeline_tests.support.videos import VideoFolder

os.environ.setdefault("SVT_LOG", "1")
# OpenMP's threads wait by spinning, which keeps other workers from what they are waited for:
# a training takes three times as long where two of them share two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# How fast a machine is, and what else it does, decides no test.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture(scope="session")
def fixture_videos(tmp_path_factory: pytest.TempPathFactory) -> VideoFolder:
    """A video for every pair of container and codec, encoded when first asked for."""
    return VideoFolder(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="module", autouse=True)
def _short_collections() -> Iterator[None]:
    """What outlives a module's tests is not looked through again for garbage.

    That took seconds in the end, in which a process that a test watches went on.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def encoders_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the user's, for models and weights that are kept."""
    monkeypatch.setenv("LIGHTLY_PIPELINE_ENCODERS", str(tmp_path / "encoders"))
    return tmp_path / "encoders"


@pytest.fixture(scope="session")
def samples() -> Path:
    """Real videos, where there are any."""
    folder = Path(os.environ.get("LIGHTLY_PIPELINE_SAMPLES", ""))
    if not (folder / "INDEX.md").is_file():
        pytest.skip("no samples (LIGHTLY_PIPELINE_SAMPLES names a folder with an INDEX.md)")
    return folder


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The URL of an S3 protocol server."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from moto.server import ThreadedMotoServer

    # The body follows the head at once, not when the other side has confirmed it after 40 ms.
    MotoRequestHandler.disable_nagle_algorithm = True
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a production object store that checks who asks."""
    if not has_swift():
        pytest.skip("Swift is not installed (Linux only)")
    with swift_server(tmp_path_factory.mktemp("swift")) as url:
        yield url


@pytest.fixture(params=["moto", "swift"])
def s3_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a store, one of either kind; its credentials are in the environment."""
    is_swift = request.param == "swift"
    url: str = request.getfixturevalue("swift" if is_swift else "endpoint")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY if is_swift else "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY if is_swift else "adminsecret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    return url


@pytest.fixture(scope="session")
def prepared_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with videos in `in` and their tables in `out`, made once."""
    return make_dataset(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def prepared_folder(prepared_dataset: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    shutil.copytree(prepared_dataset, tmp_path / "data", copy_function=shutil.copy2)
    return tmp_path / "data"
