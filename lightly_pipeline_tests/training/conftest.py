"""Videos to train on; models are kept in a folder of the test, not in the user's cache."""

from pathlib import Path

import pytest

from lightly_pipeline_tests.support.training import make_videos


@pytest.fixture(autouse=True)
def encoders_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "encoders"
    monkeypatch.setenv("LIGHTLY_PIPELINE_ENCODERS", str(folder))
    return folder


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_videos(tmp_path_factory.mktemp("videos"))
