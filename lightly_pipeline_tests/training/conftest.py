"""Videos to train on; models are kept in a folder of the test, not in the user's cache."""

from pathlib import Path

import pytest

from lightly_pipeline_tests.support.training import make_videos


@pytest.fixture(autouse=True)
def _models_of_its_own(encoders_folder: Path) -> None:
    """No test finds the model of another one."""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_videos(tmp_path_factory.mktemp("videos"))
