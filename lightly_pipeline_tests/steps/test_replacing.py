"""Chosen frames that cannot be had again: others are chosen in their place, and both are named."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightly_pipeline import Dataset
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.layout import run_path
from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.runs.verification import verify_run
from lightly_pipeline.steps.listing import list_catalog
from lightly_pipeline.steps.processing import process_videos
from lightly_pipeline.steps.selecting import select_frames
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.steps.uploading import upload_frames
from lightly_pipeline_tests.support.selections import chosen, local_dataset, selection
from lightly_pipeline_tests.support.videos import BY_NAME, make_video

N_FRAMES = 12
RECIPE = replace(BY_NAME["mjpeg.mov"], n_frames=N_FRAMES)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    for seed, name in enumerate(("a.mov", "b.mov")):
        make_video(tmp_path / "in", RECIPE, name, seed=seed)
    return local_dataset(tmp_path)


def selected(dataset: Dataset, n: int, **worker: int | str) -> Run:
    config = resolve_config(dataset, worker_config=worker, selection_config=selection(n))
    run = Run(dataset, config, "one")
    select_frames(run, process_videos(run, list_catalog(run)))
    return run


def spoil(run: Run, tmp_path: Path, video: str, indices: list[int]) -> None:
    """Changes pictures on the disk behind the store's back, as a dying one does."""
    catalog = list_catalog(run)
    listed = next(v for v in catalog.videos if v.path == video)
    positions = [row.position or 0 for row in run.tables.table(listed).rows()]
    path = tmp_path / "in" / video
    content, times = bytearray(path.read_bytes()), path.stat()
    for index in indices:
        # The end of the last picture is not known: half of the one before is within it.
        around = positions[index : index + 2] if index + 1 < N_FRAMES else positions[index - 1 :]
        middle = positions[index] + (around[1] - around[0]) // 2
        for place in range(middle, middle + 20):
            content[place] ^= 0x11
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def manifest_of(dataset: Dataset, result: RunResult) -> dict:  # type: ignore[type-arg]
    document: dict = json.loads(dataset.lightly.read(run_path(result.run_id, "manifest.json")))  # type: ignore[type-arg]
    return document


def test_the_next_choice_takes_the_place_and_both_are_named(
    dataset: Dataset, tmp_path: Path
) -> None:
    run = selected(dataset, 6)
    first = select_of(dataset)
    lost = [index for video, index in first if video == "a.mov"][:2]
    assert lost
    spoil(run, tmp_path, "a.mov", lost)
    result = upload_frames(run).result
    assert result.n_selected == 6
    assert result.missing_frames == {}
    now = chosen(result)
    assert len(set(now)) == 6
    assert [f for f in first if f not in [("a.mov", i) for i in lost]] == [
        f for f in now if f in first
    ]
    assert verify_run(dataset.lightly, result.run_id).is_true
    replaced = manifest_of(dataset, result)["replaced"]
    assert [(r["video"], r["frame_index"]) for r in replaced] == [("a.mov", i) for i in lost]
    by = [(r["by_video"], r["by_frame_index"]) for r in replaced]
    assert set(by) == set(now) - set(first)
    for index, (video, frame) in zip(lost, by, strict=True):
        line = result.corrupt_samples[f"a.mov (frame {index})"]
        assert "decode to other pictures" in line
        assert f"replaced by {video} (frame {frame})" in line


def test_a_sequence_is_replaced_as_a_whole(dataset: Dataset, tmp_path: Path) -> None:
    run = selected(dataset, 6, selected_sequence_length=3)
    first = select_of(dataset)
    video, index = first[4]
    spoil(run, tmp_path, video, [index])
    result = upload_frames(run).result
    now = chosen(result)
    assert result.n_selected == len(set(now)) == 6
    assert now[:3] == first[:3]
    assert not set(now[3:]) & set(first[3:])
    assert [i for _, i in now[3:]] == list(range(now[3][1], now[3][1] + 3))


def test_a_run_that_finds_no_other_frames_says_what_it_lacks(
    dataset: Dataset, tmp_path: Path
) -> None:
    run = selected(dataset, 2 * N_FRAMES)
    spoil(run, tmp_path, "b.mov", [3, 7])
    result = upload_frames(run).result
    assert result.n_selected == 2 * N_FRAMES - 2
    assert set(result.missing_frames) == {"b.mov (frame 3)", "b.mov (frame 7)"}
    assert "nothing was left to replace it" in result.missing_frames["b.mov (frame 3)"]
    assert verify_run(dataset.lightly, result.run_id).is_true


def test_replacements_that_fail_as_well_are_replaced_again(
    dataset: Dataset, tmp_path: Path
) -> None:
    run = selected(dataset, 4)
    first = select_of(dataset)
    spoil(run, tmp_path, "a.mov", list(range(N_FRAMES)))
    result = upload_frames(run).result
    assert any(video == "a.mov" for video, _ in first)
    assert {video for video, _ in chosen(result)} <= {"b.mov"} or result.missing_frames
    assert result.n_selected + len(result.missing_frames) == 4


def test_own_vectors_choose_in_the_place_of_others_if_they_are_still_the_same(
    dataset: Dataset, tmp_path: Path
) -> None:
    names = [f"{video}-{index:02d}-mov.png" for video in "ab" for index in range(N_FRAMES)]
    angles = np.random.default_rng(5).permutation(np.linspace(0, 3, len(names)))
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    file = tmp_path / "v.npy"
    np.save(file, vectors)
    file.with_suffix(".txt").write_text("\n".join(names))
    run = selected(dataset, 4, embeddings=str(file))
    first = select_of(dataset)
    video, index = first[1]
    spoil(run, tmp_path, video, [index])
    again = Run(dataset, run.config, "one")
    np.save(file, -2 * vectors)
    with pytest.raises(LightlyPipelineError, match=r"v\.npy was changed since run one"):
        upload_frames(again)
    np.save(file, vectors)
    result = upload_frames(Run(dataset, run.config, "one")).result
    (new,) = set(chosen(result)) - set(first)
    kept = [frame for frame in first if frame != (video, index)]
    rows = {
        (f"{name[0]}.mov", int(name[2:4])): row for name, row in zip(names, vectors, strict=True)
    }
    free = [frame for frame in rows if frame not in first]
    apart = {f: min(float(np.linalg.norm(rows[f] - rows[k])) for k in kept) for f in free}
    assert new == max(free, key=lambda frame: apart[frame])


def select_of(dataset: Dataset) -> list[tuple[str, int]]:
    document = json.loads(dataset.lightly.read(run_path("one", "selection.json")))
    return [(frame["video"], frame["frame_index"]) for frame in document["frames"]]
