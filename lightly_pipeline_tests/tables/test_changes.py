"""With `embed_changed` only frames that changed are embedded; the others share an embedding."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lightly_pipeline import Dataset, LocalDatasource, RunResult, run
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.steps.listing import list_catalog
from lightly_pipeline.steps.processing import process_videos
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.tables.changes import difference
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline_tests.support.lossy import CAMERAS

_HEIGHT, _WIDTH, _SHOT = 180, 320, 30
DIVERSITY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}


def still_camera() -> Iterator[NDArray[np.uint8]]:
    """Yields a scene that only gets lighter, then one with a visitor, then the scene again."""
    rng = np.random.default_rng(7)
    scene = np.kron(rng.uniform(40, 160, (9, 16, 3)), np.ones((20, 20, 1)))
    visitor = scene.copy()
    visitor[60:140, 100:180] = 170
    for shot in (scene, visitor, scene):
        for n in range(_SHOT):
            noisy = shot * (1 + 0.4 * n / _SHOT) + rng.normal(0, 1, scene.shape)
            yield np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("camera")
    with av.open(str(folder / "still.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10", "g": "20"})
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for picture in still_camera():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return folder


def tables(
    folder: Path, out: Path, threshold: float | None
) -> dict[str, tuple[VideoOutcome, NDArray[np.float32], NDArray[np.bool_]]]:
    """Returns outcome, embeddings and damage of each video."""
    dataset = Dataset("still", input=LocalDatasource(folder), lightly=LocalDatasource(out))
    config = resolve_config(dataset, pipeline_config={"embed_changed": threshold})
    made = Run(dataset, config, "run")
    processed = process_videos(made, list_catalog(made))
    found = {}
    for video, outcome in zip(processed.catalog.videos, processed.outcomes, strict=True):
        table = made.tables.table(video)
        vectors = np.load(out / table.folder / "embeddings.npy")
        found[video.path] = outcome, vectors, table.columns(["damaged"])["damaged"]
    return found


def choose(folder: Path, out: Path, **pipeline_config: object) -> RunResult:
    dataset = Dataset("still", input=LocalDatasource(folder), lightly=LocalDatasource(out))
    return run(
        dataset,
        selection_config={"n_samples": 90, "strategies": [DIVERSITY]},
        pipeline_config=pipeline_config,
    )


def test_frames_that_look_alike_share_the_embedding_of_the_first(
    camera: Path, tmp_path: Path
) -> None:
    _, full, _ = tables(camera, tmp_path / "all", None)["still.mp4"]
    outcome, shared, _ = tables(camera, tmp_path / "changed", 4.0)["still.mp4"]
    assert (outcome.n_rows, outcome.n_embedded) == (90, 3)
    assert shared.shape == full.shape
    for shot in range(3):
        first = shot * _SHOT
        assert (shared[first : first + _SHOT] == full[first]).all()


def test_the_first_choices_are_those_that_changed(camera: Path, tmp_path: Path) -> None:
    result = choose(camera, tmp_path, embed_changed=4.0)
    assert sorted(frame.frame_index // _SHOT for frame in result.selected[:2]) == [0, 1]
    assert result.n_selected == 90
    alone = choose(camera, tmp_path, embed_changed=4.0, remove_exact_duplicates=True)
    assert alone.n_decoded_videos == 0
    assert {frame.frame_index for frame in alone.selected} <= {0, _SHOT, 2 * _SHOT}


def test_nothing_is_shared_between_thresholds(camera: Path, tmp_path: Path) -> None:
    assert choose(camera, tmp_path).n_decoded_videos == 1
    assert choose(camera, tmp_path, embed_changed=4.0).n_decoded_videos == 1
    assert choose(camera, tmp_path, embed_changed=2.0).n_decoded_videos == 1
    assert choose(camera, tmp_path, embed_changed=2.0).n_decoded_videos == 0


def test_a_threshold_of_nothing_shares_what_is_the_same(camera: Path, tmp_path: Path) -> None:
    _, full, _ = tables(camera, tmp_path / "all", None)["still.mp4"]
    outcome, shared, _ = tables(camera, tmp_path / "changed", 0.0)["still.mp4"]
    assert outcome.n_embedded <= 90
    assert np.abs(shared - full).max() < 0.05


def test_a_damaged_frame_stands_for_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "lossy.mpg").write_bytes(CAMERAS["h264.mpg"].received(0.02, 3))
    _, full, damaged = tables(folder, tmp_path / "all", None)["lossy.mpg"]
    outcome, shared, _ = tables(folder, tmp_path / "changed", 250.0)["lossy.mpg"]
    assert 0 < damaged.sum() < len(damaged)
    # However much may differ: each damaged frame, and the first good one of each run.
    after = np.flatnonzero(~damaged & np.r_[True, damaged[:-1]])
    own = sorted([*np.flatnonzero(damaged), *after])
    assert outcome.n_embedded == len(own)
    assert (shared[own] == full[own]).all()


@pytest.mark.parametrize("wrong", [-1, 255, float("nan"), "much"])
def test_wrong_thresholds_are_refused(camera: Path, tmp_path: Path, wrong: object) -> None:
    with pytest.raises(InvalidConfigurationError, match="embed_changed"):
        choose(camera, tmp_path, embed_changed=wrong)


@given(seed=st.integers(0, 2**32 - 1), gain=st.floats(0.55, 1.8), offset=st.integers(-20, 20))
def test_exposure_is_no_change(seed: int, gain: float, offset: int) -> None:
    rng = np.random.default_rng(seed)
    scene = np.kron(rng.integers(40, 120, (4, 4, 3)), np.ones((4, 4, 1)))
    lit = np.clip(scene * gain + offset, 0, 255).round().astype(np.uint8)
    assert difference(scene.astype(np.uint8), lit) < 1.0


@given(seed=st.integers(0, 2**32 - 1), level=st.integers(0, 255))
def test_a_picture_without_content_differs_by_half_of_one_with(seed: int, level: int) -> None:
    scene = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    flat = np.full_like(scene, level)
    deviation = np.abs(scene - scene.mean(axis=(0, 1))).mean()
    assert difference(scene, flat) == pytest.approx(deviation, abs=0.1)
    assert difference(flat, scene) == pytest.approx(deviation / 2, abs=0.1)
    assert difference(scene, scene) == 0
