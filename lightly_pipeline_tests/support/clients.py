"""A client with a deployment of its own, as fixtures."""

from pathlib import Path

import pytest

from lightly_pipeline.api import ApiWorkflowClient, DatasetType, DatasourcePurpose
from lightly_pipeline_tests.support.videos import RECIPES, make_video

BY_NAME = {recipe.name: recipe for recipe in RECIPES}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(tmp_path / "in", BY_NAME["mpeg4.avi"], "sub dir/b,c.avi", seed=3)
    return tmp_path / "in"


@pytest.fixture
def client(videos: Path) -> ApiWorkflowClient:
    """A client with a dataset in folders."""
    client = ApiWorkflowClient(token="MY_LIGHTLY_TOKEN")
    add_dataset(client, "dataset-name", videos, videos.parent / "out")
    return client


def add_dataset(client: ApiWorkflowClient, name: str, videos: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    client.create_dataset(name, DatasetType.VIDEOS)
    client.set_local_config(str(videos), purpose=DatasourcePurpose.INPUT)
    client.set_local_config(str(out), purpose=DatasourcePurpose.LIGHTLY)
