"""Fixtures that several parts of the suite share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightly_pipeline_tests.support.s3_servers import has_swift, swift_server
from lightly_pipeline_tests.support.videos import VideoFolder

os.environ.setdefault("SVT_LOG", "1")


@pytest.fixture(scope="session")
def fixture_videos(tmp_path_factory: pytest.TempPathFactory) -> VideoFolder:
    """A video for every pair of container and codec, encoded when first asked for."""
    return VideoFolder(tmp_path_factory.mktemp("videos"))


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
    from moto.server import ThreadedMotoServer

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
