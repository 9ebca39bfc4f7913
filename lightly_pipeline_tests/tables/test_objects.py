"""Objects of videos: the same made with the frame table or later, and never made in vain."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightly_pipeline import Dataset, LocalDatasource
from lightly_pipeline.candidates.rows import RowVideo, frame_rows
from lightly_pipeline.config import RunConfig
from lightly_pipeline.embedding import encoder_spec, load_encoder
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.objects import read_objects
from lightly_pipeline.steps.eligible import usable_videos
from lightly_pipeline.steps.listing import list_catalog
from lightly_pipeline.steps.processing import ProcessResult, process_videos, read_outcomes
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.attempt import Attempt
from lightly_pipeline.tables.objects import ObjectTable
from lightly_pipeline.video import open_video
from lightly_pipeline_tests.support.lossy import CAMERAS
from lightly_pipeline_tests.support.objects import (
    BLUE,
    GREEN,
    PLACES,
    RED,
    TASK,
    YELLOW,
    compared_by_objects,
    make_rectangles,
    put_boxes,
    put_task,
)
from lightly_pipeline_tests.support.selections import DIVERSITY, local_dataset, put

pytestmark = pytest.mark.slow

N = 12
ENCODER = load_encoder(encoder_spec())
TILES = {"type": "TILING", "name": "tiles", "num_rows": 1, "num_cols": 2, "overlap": 0.2}
CONFIG = compared_by_objects(3)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Two videos of rectangles, and predictions of every second frame."""
    make_rectangles(tmp_path / "in" / "a.mp4", [(RED, BLUE), (RED, GREEN)] * (N // 2))
    make_rectangles(tmp_path / "in" / "sub" / "b.mp4", [(YELLOW, RED)] * N)
    made = local_dataset(tmp_path)
    put_task(made.lightly)
    for video in ("a.mp4", "sub/b.mp4"):
        put_boxes(made.lightly, video, dict.fromkeys(range(0, N, 2), PLACES), N)
    return made


def run_of(dataset: Dataset, config: dict[str, Any] = CONFIG, **pipeline: Any) -> Run:
    return Run(
        dataset, RunConfig.from_blocks(selection_config=config, pipeline_config=pipeline), "test"
    )


def process(run: Run) -> ProcessResult:
    return process_videos(run, list_catalog(run))


def objects_by_frame(
    run: Run, processed: ProcessResult, task: str = TASK
) -> dict[tuple[str, int], np.ndarray]:
    """Returns the embeddings of every frame's objects, of frames that have any."""
    videos = usable_videos(run, processed).values()
    rows = frame_rows((RowVideo(v.video.path, v.n_frames, v.table), v.indices) for v in videos)
    objects, _ = read_objects(rows, task, ENCODER.spec.dim, on_disk=False)
    frames = [(rows.videos[o].path, int(i)) for o, i in zip(rows.owner, rows.index, strict=True)]
    spans = zip(frames, objects.starts[:-1], objects.starts[1:], strict=True)
    return {frame: objects.vectors[a:b] for frame, a, b in spans if b > a}


def embedded(path: Path, index: int, boxes: Any = PLACES) -> np.ndarray:
    """Returns the embeddings of boxes, cropped and scaled here."""
    with open_video(path) as video:
        rgb = next(video.fetch([index])).to_rgb()
    size = (ENCODER.spec.frame_input.width, ENCODER.spec.frame_input.height)
    crops = [Image.fromarray(rgb[y : y + h, x : x + w].copy()) for x, y, w, h in boxes]
    return ENCODER.encode(
        np.stack([np.asarray(c.resize(size, Image.Resampling.BOX)) for c in crops])
    )


def same(first: dict[Any, np.ndarray], second: dict[Any, np.ndarray]) -> bool:
    return first.keys() == second.keys() and all(
        np.array_equal(first[key], second[key]) for key in first
    )


def outcome_of(run: Run, video: str, task: str = TASK) -> Any:
    listed = {v.path: v for v in list_catalog(run).videos}[video]
    return ObjectTable(run.tables.table(listed), task).outcome()


def test_objects_come_from_the_decode_that_makes_the_table(
    dataset: Dataset, tmp_path: Path
) -> None:
    run = run_of(dataset)
    processed = process(run)
    assert processed.n_decoded_videos == 2
    found = objects_by_frame(run, processed)
    assert sorted(found) == [(v, i) for v in ("a.mp4", "sub/b.mp4") for i in range(0, N, 2)]
    for (video, index), vectors in found.items():
        assert np.array_equal(vectors, embedded(tmp_path / "in" / video, index))
    again = process(run_of(dataset))
    assert (again.n_decoded_videos, again.n_decoded_frames) == (0, 0)
    assert same(found, objects_by_frame(run, again))


def test_predictions_that_come_later_cost_a_pass_over_their_videos_alone(
    dataset: Dataset, tmp_path: Path
) -> None:
    shutil.move(tmp_path / "out/.lightly/predictions/things/sub", tmp_path / "later")
    run = run_of(dataset)
    first = process(run)
    assert set(objects_by_frame(run, first)) == {("a.mp4", i) for i in range(0, N, 2)}
    tables = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("embeddings.npy")}
    shutil.move(tmp_path / "later", tmp_path / "out/.lightly/predictions/things/sub")
    run = run_of(dataset)
    with pytest.raises(LightlyPipelineError, match=r"1 of 2 .*objects \(sub/b\.mp4\)"):
        read_outcomes(run, list_catalog(run))
    second = process(run)
    assert second.n_decoded_videos == 1
    assert all(path.stat().st_mtime_ns == at for path, at in tables.items())
    at_once = local_dataset(tmp_path / "elsewhere")
    shutil.copytree(tmp_path / "in", tmp_path / "elsewhere/in")
    shutil.copytree(
        tmp_path / "out/.lightly/predictions", tmp_path / "elsewhere/out/.lightly/predictions"
    )
    other = run_of(at_once)
    assert same(objects_by_frame(run, second), objects_by_frame(other, process(other)))


def test_changed_boxes_are_embedded_again_and_those_of_no_other_video(
    dataset: Dataset, tmp_path: Path
) -> None:
    run = run_of(dataset)
    before = objects_by_frame(run, process(run))
    moved = (5, 5, 20, 20)
    put_boxes(dataset.lightly, "a.mp4", {4: [moved]}, N)
    run = run_of(dataset)
    changed = process(run)
    assert changed.n_decoded_videos == 1
    after = objects_by_frame(run, changed)
    assert np.array_equal(after["a.mp4", 4], embedded(tmp_path / "in/a.mp4", 4, [moved]))
    del before["a.mp4", 4], after["a.mp4", 4]
    assert same(before, after)


def test_a_replaced_video_has_the_objects_of_what_it_shows_now(
    dataset: Dataset, tmp_path: Path
) -> None:
    run = run_of(dataset)
    process(run)
    make_rectangles(tmp_path / "in" / "a.mp4", [(GREEN, GREEN)] * N)
    run = run_of(dataset)
    processed = process(run)
    assert processed.n_decoded_videos == 1
    found = objects_by_frame(run, processed)
    assert np.array_equal(found["a.mp4", 2], embedded(tmp_path / "in/a.mp4", 2))


def test_a_wrong_file_and_a_box_outside_are_skipped_and_said_to_be(dataset: Dataset) -> None:
    put_boxes(dataset.lightly, "a.mp4", {0: [(0, 0, 10, 0)], 4: [PLACES[0], (500, 0, 9, 9)]}, N)
    run = run_of(dataset)
    processed = process(run)
    found = objects_by_frame(run, processed)
    assert {i for video, i in found if video == "a.mp4"} == {2, 6, 8, 10}
    reasons = outcome_of(run, "a.mp4").skipped
    assert [Path(location).name for location in reasons] == ["a-00-mp4.json", "a-04-mp4.json"]
    no_area, outside = reasons.values()
    assert "has no area" in no_area
    assert "outside of the picture of 160 x 120" in outside
    assert process(run_of(dataset)).n_decoded_videos == 0


def as_lines(dataset: Dataset) -> list[dict[str, Any]]:
    """Turns the prediction files into lines, and returns these."""
    folder = Path(dataset.lightly.location(f".lightly/predictions/{TASK}"))
    lines = []
    for path in sorted(folder.rglob("*-*.json")):
        name = path.relative_to(folder).with_suffix(".png").as_posix()
        lines.append({"file_name": name, **json.loads(path.read_text())})
        path.unlink()
    write_lines(dataset, lines)
    return lines


def write_lines(dataset: Dataset, lines: list[dict[str, Any]]) -> None:
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    dataset.lightly.write(f".lightly/predictions/{TASK}/predictions.jsonl", text.encode())


def test_boxes_come_from_one_file_for_many_frames_as_well(dataset: Dataset, tmp_path: Path) -> None:
    by_files = objects_by_frame(run_of(dataset), process(run_of(dataset)))
    shutil.rmtree(tmp_path / "out" / ".lightly" / "tables")
    lines = as_lines(dataset)
    assert same(objects_by_frame(run_of(dataset), process(run_of(dataset))), by_files)
    # Another line of b.mp4: a.mp4 is not read again.
    write_lines(dataset, [*lines, {**lines[-1], "file_name": "sub/b-01-mp4.png"}])
    processed = process(run_of(dataset))
    assert processed.n_decoded_frames <= N
    added = objects_by_frame(run_of(dataset), processed)
    assert added.keys() - by_files.keys() == {("sub/b.mp4", 1)}


def test_a_frame_s_own_file_goes_over_its_line(dataset: Dataset) -> None:
    lines = as_lines(dataset)
    lines[0]["predictions"] = [{"category_id": 9}]
    write_lines(dataset, lines)
    put_boxes(dataset.lightly, "a.mp4", {2: PLACES[:1]}, N)
    put(dataset.lightly, f"predictions/{TASK}/a-04-mp4.json", {"predictions": "none"})
    run = run_of(dataset)
    found = objects_by_frame(run, process(run))
    counts = {index: len(found[video, index]) for video, index in found if video == "a.mp4"}
    assert counts == {2: 1, 4: 2, 6: 2, 8: 2, 10: 2}
    skipped = run.boxes[TASK].boxes_of("a.mp4", N)
    assert "category_id 9" in skipped.skipped[0]
    assert skipped.locate(0).endswith("predictions.jsonl line 1")


def test_files_of_a_video_of_another_length_are_those_of_no_frame(dataset: Dataset) -> None:
    folder = dataset.lightly
    for path in [item.path for item in folder.list(".lightly/predictions/things/a")]:
        folder.delete(path)
    put_boxes(folder, "a.mp4", {3: PLACES, 5: PLACES}, n_frames=5)
    # One of the right name for which there is no frame.
    put_boxes(folder, "sub/b.mp4", {N + 3: PLACES}, N)
    run = run_of(dataset)
    processed = process(run)
    assert {video for video, _ in objects_by_frame(run, processed)} == {"sub/b.mp4"}
    assert outcome_of(run, "a.mp4").n_objects == 0
    assert outcome_of(run, "sub/b.mp4").n_objects == N
    assert process(run_of(dataset)).n_decoded_videos == 0


def test_an_attempt_that_died_is_followed_by_one_in_a_child_with_the_same_objects(
    dataset: Dataset,
) -> None:
    run = run_of(dataset)
    expected = objects_by_frame(run, process(run))
    for video in list_catalog(run).videos:
        table = run.tables.table(video)
        dataset.lightly.delete(f"{table.folder}/outcome.json")
        put_marker(dataset, table.folder, table.fingerprint)
    run = run_of(dataset)
    processed = process(run)
    assert all(outcome.isolated for outcome in processed.outcomes)
    assert same(expected, objects_by_frame(run, processed))


def put_marker(dataset: Dataset, folder: str, fingerprint: str) -> None:
    """Leaves the marker of an attempt whose process died."""
    from dataclasses import asdict

    marker = asdict(Attempt(fingerprint, running=True, owner="", beat=0.0))
    put(dataset.lightly, f"{folder.removeprefix('.lightly/')}/attempt.json", marker)


def test_a_pass_for_objects_that_died_is_followed_by_one_in_a_child(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_of(dataset)
    expected = objects_by_frame(run, process(run))
    for video in list_catalog(run).videos:
        table = run.tables.table(video)
        dataset.lightly.delete(f"{ObjectTable(table, TASK).folder}/objects.json")
        put_marker(dataset, f"{table.folder}/objects", table.fingerprint)
    run = run_of(dataset)
    processed = process(run)
    assert caplog.text.count("decoding in a child process") == 2
    assert same(expected, objects_by_frame(run, processed))
    caplog.clear()
    dataset.lightly.delete(f"{ObjectTable(run.tables.table(video), TASK).folder}/objects.json")
    process(run_of(dataset))
    assert "child process" not in caplog.text


@pytest.mark.parametrize(
    ("sampling", "frames"),
    [
        ({"every_nth": 4}, [0, 4, 8]),
        ({"start_s": 0.2, "end_s": 0.4}, [6, 8]),
        ({"keyframes_only": True}, [0]),
    ],
)
def test_a_sampling_has_the_objects_of_its_frames(
    dataset: Dataset, tmp_path: Path, sampling: dict[str, Any], frames: list[int]
) -> None:
    plain = {"n_samples": 1, "strategies": [DIVERSITY]}
    process(run_of(dataset, plain, frame_sampling=sampling))
    later = run_of(dataset, frame_sampling=sampling)
    processed = process(later)
    found = objects_by_frame(later, processed)
    assert sorted(found) == [(v, i) for v in ("a.mp4", "sub/b.mp4") for i in frames]
    index = frames[-1]
    assert np.array_equal(found["a.mp4", index], embedded(tmp_path / "in/a.mp4", index))


def test_a_rule_gives_every_frame_its_boxes_without_any_file(
    dataset: Dataset, tmp_path: Path
) -> None:
    dataset.lightly.delete(".lightly/predictions/tasks.json")
    run = run_of(dataset, compared_by_objects(3, "tiles", auto_tasks=[TILES]))
    processed = process(run)
    found = objects_by_frame(run, processed, "tiles")
    assert len(found) == 2 * N
    # Two tiles that share a fifth of a tile: 160 / 1.8 pixels each.
    boxes = [(0, 0, 89, 120), (71, 0, 89, 120)]
    assert np.array_equal(found["a.mp4", 5], embedded(tmp_path / "in/a.mp4", 5, boxes))
    narrower = {**TILES, "num_cols": 3}
    again = process(run_of(dataset, compared_by_objects(3, "tiles", auto_tasks=[narrower])))
    assert again.n_decoded_videos == 2


def test_damaged_frames_have_the_same_objects_in_either_pass(tmp_path: Path) -> None:
    found = []
    for folder, first in (("once", None), ("later", {"n_samples": 1, "strategies": [DIVERSITY]})):
        (tmp_path / folder / "in").mkdir(parents=True)
        content = CAMERAS["h264.ts"].received(0.02, 4)
        (tmp_path / folder / "in" / "camera.mpg").write_bytes(content)
        data = local_dataset(tmp_path / folder)
        if first:
            process(run_of(data, first))
        run = run_of(data, compared_by_objects(3, "tiles", auto_tasks=[TILES]))
        processed = process(run)
        assert processed.outcomes[0].n_damaged > 0
        assert outcome_of(run, "camera.mpg", "tiles").skipped == {}
        tables = tmp_path / folder / "out/.lightly/tables"
        files = [*tables.rglob("*.parquet"), *tables.rglob("*.npy")]
        found.append({("objects" in p.parts, p.name): p.read_bytes() for p in files})
    # The frames are the same, too, whatever is made of them on the way.
    assert found[0] == found[1]
    assert len(found[0]) == 4


def test_a_corrupt_video_has_no_objects_and_ends_nothing(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "in" / "broken.mp4").write_text("no video")
    put_boxes(dataset.lightly, "broken.mp4", {0: PLACES}, N)
    run = run_of(dataset)
    processed = process(run)
    assert {video for video, _ in objects_by_frame(run, processed)} == {"a.mp4", "sub/b.mp4"}
    assert process(run_of(dataset)).n_decoded_videos == 0


def test_a_task_without_one_object_says_so(dataset: Dataset) -> None:
    for item in list(dataset.lightly.list(".lightly/predictions/things/")):
        if not item.path.endswith("schema.json"):
            dataset.lightly.delete(item.path)
    run = run_of(dataset)
    processed = process(run)
    with pytest.raises(LightlyPipelineError, match="none of the 24 frames has an object"):
        objects_by_frame(run, processed)
    put(dataset.lightly, "predictions/things/a-00-mp4.json", json.loads('{"predictions": 7}'))
    run = run_of(dataset)
    processed = process(run)
    with pytest.raises(LightlyPipelineError, match=r"a-00-mp4\.json: expected an object with a"):
        objects_by_frame(run, processed)


def test_boxes_that_nobody_touched_are_not_read_again(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    process(run_of(dataset))
    read: list[str] = []
    opened = LocalDatasource.open

    def noting(store: LocalDatasource, path: str, **options: Any) -> Any:
        read.append(path)
        return opened(store, path, **options)

    monkeypatch.setattr(LocalDatasource, "open", noting)
    run = run_of(dataset)
    process(run)
    assert not [path for path in read if path.startswith(f".lightly/predictions/{TASK}/a")]
    # The same boxes, written again: read once, and nothing is decoded.
    put_boxes(dataset.lightly, "a.mp4", dict.fromkeys(range(0, N, 2), PLACES), N)
    for n_read in (N // 2, 0):
        read.clear()
        assert process(run_of(dataset)).n_decoded_videos == 0
        assert len([path for path in read if "/things/a-" in path]) == n_read
