"""Runs over videos that arrived damaged: what can be chosen, and what a person is told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lightly_pipeline import Dataset, run
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.layout import run_path
from lightly_pipeline_tests.support.lossy import CAMERAS, indexed
from lightly_pipeline_tests.support.selections import chosen, local_dataset, selection

LOSSY = CAMERAS["h264.ts"].received(0.02, 4)
EXCLUDE, INCLUDE = {"damaged_frames": "exclude"}, {"damaged_frames": "include"}


def broken_throughout() -> bytes:
    content = bytearray(CAMERAS["h264-bytes.mp4"].sent())
    with_index_first = content.index(b"mdat") < content.index(b"moov")
    assert with_index_first
    for place in range(content.index(b"mdat") + 1500, content.index(b"moov") - 8, 61):
        content[place] ^= 0x55
    return bytes(content)


BROKEN = broken_throughout()
# So many of its frames come out at all.
N_BROKEN = len(indexed(BROKEN))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("lossy")
    (folder / "in").mkdir()
    (folder / "in" / "camera.mpg").write_bytes(LOSSY)
    (folder / "in" / "broken.mp4").write_bytes(BROKEN)
    return local_dataset(folder)


def test_damaged_frames_are_no_candidates_by_default(dataset: Dataset) -> None:
    rows = indexed(LOSSY)
    good = {("camera.mpg", row.index) for row in rows if not row.damaged}
    assert 0 < len(good) < len(rows)
    result = run(dataset, selection_config=selection(len(good)))
    assert result.n_input_frames == len(good)
    assert set(chosen(result)) == good
    assert result.missing_frames == {}


def test_a_video_of_damaged_frames_alone_counts_as_corrupt(dataset: Dataset) -> None:
    result = run(dataset, selection_config=selection(3))
    assert set(result.corrupt_videos) == {"broken.mp4"}
    assert result.corrupt_videos["broken.mp4"].startswith(f"all {N_BROKEN} frames are damaged (")
    report = json.loads(
        dataset.lightly.read(run_path(result.run_id, "corruptness_check_information.json"))
    )
    assert report["corrupt_videos"] == result.corrupt_videos
    assert any(place.startswith("broken.mp4 (frames 0 to") for place in report["corrupt_samples"])


def test_damaged_frames_take_part_when_asked_for(dataset: Dataset) -> None:
    rows = indexed(LOSSY)
    result = run(dataset, selection_config=selection(10**6), pipeline_config=INCLUDE)
    assert result.corrupt_videos == {}
    assert result.n_input_frames == result.n_selected == len(rows) + N_BROKEN
    assert result.missing_frames == {}


def test_they_are_counted_in_result_manifest_and_summary_either_way(dataset: Dataset) -> None:
    n_damaged = sum(row.damaged for row in indexed(LOSSY)) + N_BROKEN
    for own in (EXCLUDE, INCLUDE):
        result = run(dataset, selection_config=selection(2), pipeline_config=own)
        manifest = json.loads(dataset.lightly.read(run_path(result.run_id, "manifest.json")))
        assert result.n_damaged_frames == manifest["n_damaged_frames"] == n_damaged
    places = ["--input", str(_folder(dataset) / "in"), "--lightly", str(_folder(dataset) / "out")]
    said = subprocess.run(
        [sys.executable, "-m", "lightly_pipeline", "run", "--n-samples", "2", *places],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"broken frames   {n_damaged}\n" in said


def _folder(dataset: Dataset) -> Path:
    return Path(dataset.lightly.location("").removeprefix("file://")).parent


def test_sequences_do_not_span_damaged_frames(dataset: Dataset) -> None:
    damaged = {row.index for row in indexed(LOSSY) if row.damaged}
    worker = {"selected_sequence_length": 5}
    result = run(dataset, worker_config=worker, selection_config=selection(10**4))
    indices = [index for _, index in chosen(result)]
    assert indices
    for start in range(0, len(indices), 5):
        sequence = indices[start : start + 5]
        assert sequence == list(range(sequence[0], sequence[0] + 5))
        assert sequence[0] % 5 == 0
        assert not damaged & set(sequence)


def test_a_dataset_of_damaged_frames_alone_says_so(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.mp4").write_bytes(BROKEN)
    with pytest.raises(LightlyPipelineError, match=r"broken\.mp4: all .* frames are damaged"):
        run(local_dataset(tmp_path), selection_config=selection(2))
