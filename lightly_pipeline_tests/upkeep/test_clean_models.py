"""A clean-up keeps the models that count, and removes what trainings have left besides."""

import shutil
from pathlib import Path

import pytest

from lightly_pipeline import Dataset, clean, run
from lightly_pipeline.layout import run_path
from lightly_pipeline.training import models
from lightly_pipeline_tests.support.training import SMALL, TRAIN, N, dataset_of, make_videos
from lightly_pipeline_tests.upkeep.trees import age

pytestmark = pytest.mark.slow
ONE = SMALL | {"trainer": {"max_epochs": 1, "gpus": 0}}
AT_ONCE = {"older_than_days": 0.0, "unused_days": 0.0}


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Three runs: one whose model was replaced, one that trained the next, one that used it."""
    monkeypatch.setenv("LIGHTLY_PIPELINE_ENCODERS", str(tmp_path / "encoders"))
    made = dataset_of(make_videos(tmp_path / "in", 1), tmp_path / "out")
    run(made, TRAIN, ONE, N, run_id="replaced")
    shutil.copy(tmp_path / "in" / "0.mp4", tmp_path / "in" / "new.mp4")
    run(made, TRAIN, ONE, N, run_id="trained")
    run(made, TRAIN, ONE, N, run_id="used")
    age(tmp_path / "out", 60)
    return made


def has_model(dataset: Dataset, run_id: str) -> bool:
    return dataset.lightly.stat(run_path(run_id, "checkpoint.ckpt")) is not None


def test_a_model_goes_with_its_run_once_another_one_counts(dataset: Dataset) -> None:
    clean(dataset, delete=True, **AT_ONCE)
    assert has_model(dataset, "replaced")
    clean(dataset, delete=True, keep_runs=1, **AT_ONCE)
    assert not has_model(dataset, "replaced")
    assert has_model(dataset, "trained")
    result = run(dataset, {"checkpoint_run_id": "used"}, {"trainer": {"gpus": 0}}, N)
    assert result.n_decoded_videos == 0


def test_a_model_is_kept_that_a_kept_run_was_made_with(dataset: Dataset) -> None:
    replaced = models.model_of_run(dataset.lightly, "replaced")
    assert replaced is not None
    models.note_use(dataset.lightly, replaced, "used")
    age(Path(dataset.lightly.location("")), 60)
    clean(dataset, delete=True, keep_runs=1, **AT_ONCE)
    assert has_model(dataset, "replaced")


def test_states_and_markers_of_trainings_are_leftovers(dataset: Dataset) -> None:
    training = Path(dataset.lightly.location(".lightly/training"))
    (folder,) = [path for path in training.iterdir() if path.name != "attempts"]
    (folder / "notes.txt").write_text("somebody's")
    models.keep_state(dataset.lightly, folder.name, "videos", b"under way")
    age(training, 2)
    clean(dataset, delete=True)
    # A training that somebody may go on with is kept for a month.
    assert (folder / "state.ckpt").exists()
    clean(dataset, delete=True, **AT_ONCE)
    left = {path.relative_to(training).as_posix() for path in training.rglob("*") if path.is_file()}
    assert left == {f"{folder.name}/model.json", f"{folder.name}/notes.txt"}
