"""What is wrong with a file for many frames is named by file, line and key."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightly_pipeline.datasources import LocalDatasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs import scores
from lightly_pipeline.inputs.metadata import parse_schema
from lightly_pipeline.inputs.metadata_files import plan_bulk_metadata, read_metadata
from lightly_pipeline.inputs.prediction_files import TaskTable, plan_bulk_predictions, read_task
from lightly_pipeline.inputs.predictions import Task
from lightly_pipeline_tests.support.bulk import write_files, write_lines, write_parquet
from lightly_pipeline_tests.support.rows import all_frames, row_video

ROWS = all_frames([row_video("a.mp4", 12), row_video("sub/b.mp4", 200)])
TASK = Task("cars/v2", "object-detection", (1, 4), ("car", "bus"))
KEYS = parse_schema(
    [
        {"path": "gps.speed", "valueDataType": "NUMERIC_FLOAT", "defaultValue": 0},
        {"path": "place", "valueDataType": "CATEGORICAL_STRING"},
    ],
    "schema.json",
)


@pytest.fixture
def store(tmp_path: Path) -> LocalDatasource:
    (tmp_path / TASK.folder).mkdir(parents=True)
    (tmp_path / ".lightly/metadata").mkdir(parents=True)
    return LocalDatasource(tmp_path)


@pytest.fixture
def lines(store: LocalDatasource) -> Path:
    return store.root / ".lightly/metadata/metadata.jsonl"


@pytest.fixture
def boxes(store: LocalDatasource) -> Path:
    return store.root / TASK.folder / "predictions.jsonl"


def metadata(name: str, **values: Any) -> dict[str, Any]:
    return {"file_name": name, "metadata": values}


def speeds(store: LocalDatasource) -> list[float]:
    speed: list[float] = read_metadata(store, KEYS, ROWS)["gps.speed"].tolist()
    return speed


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (metadata("a-03-mp4.png", gps={"speed": "fast"}), r"gps\.speed: 'fast' is not a number"),
        (metadata("a-03-mp4.png", gps={"speed": True}), r"gps\.speed: True is not a number"),
        (metadata("a-03-mp4.png", gps={"speed": 10**400}), r"gps\.speed: 10+ is not a number"),
        (metadata("a-03-mp4.png", place=["x"]), r"place: \['x'\] is not one value"),
        ({"file_name": "a-03-mp4.png"}, "expected an object with the key metadata"),
        ('{"file_name": "a-03-mp4.png", "metadata": {"gps": {"speed": NaN}}}', "NaN is not a JSON"),
        ('{"file_name": "a-03-mp4.png", "metadata"', "not valid JSON"),
        ({"metadata": {}}, "file_name: None is not the name of a frame's image"),
        ({"file_name": 3, "metadata": {}}, "file_name: 3 is not the name"),
        ("[]", "expected an object with file_name"),
        (metadata("a.mp4", gps={"speed": 2}), r"a\.mp4: is there since line 1"),
        (metadata("a-02-mp4.jpg"), r"a-02-mp4\.jpg: is there since line 2"),
        (metadata("sub/b.mp4", gps={"speed": "x"}), r"sub/b\.mp4: gps\.speed: 'x' is not a number"),
    ],
)
def test_a_wrong_line_of_metadata_ends_the_run_with_line_and_key(
    store: LocalDatasource, lines: Path, line: Any, message: str
) -> None:
    write_lines(lines, [metadata("a.mp4"), metadata("a-02-mp4.png"), "", line])
    with pytest.raises(
        LightlyPipelineError, match=rf"metadata\.jsonl: 1 lines.* line 4: .*{message}"
    ):
        read_metadata(store, KEYS, ROWS)


def test_wrong_lines_are_counted_and_the_first_are_shown(
    store: LocalDatasource, lines: Path
) -> None:
    write_lines(lines, [metadata(f"sub/b-{i:03d}-mp4.png", place={}) for i in range(100)])
    with pytest.raises(
        LightlyPipelineError, match=r"100 lines are wrong: line 1: .* line 5: .*\.\.\."
    ):
        read_metadata(store, KEYS, ROWS)


def test_lines_may_have_windows_ends_a_mark_blanks_and_no_last_end(
    store: LocalDatasource, lines: Path
) -> None:
    said = [json.dumps(metadata(f"a-0{i}-mp4.png", gps={"speed": i})) for i in (1, 2, 3)]
    lines.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n \n".join(said).encode())
    assert speeds(store)[:5] == [0, 1, 2, 3, 0]


def test_frames_of_no_part_are_news_and_impossible_ones_are_warned_of(
    store: LocalDatasource, lines: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["a-03-mp4.png", "sub/b-7-mp4.png", "a-12-mp4.png", "c-03-mp4.png", "c.mp4"]
    write_lines(lines, [metadata(name, gps={"speed": 9}) for name in names])
    with caplog.at_level(logging.INFO, "lightly_pipeline"):
        assert sum(speeds(store)) == 9
    warned, news = (
        [r.getMessage() for r in caplog.records if r.levelno == level]
        for level in (logging.WARNING, logging.INFO)
    )
    (mistakes,) = warned
    assert "2 lines name frames that their videos do not have" in mistakes
    assert "line 2: sub/b-7-mp4.png (sub/b.mp4 has 200 frames, sub/b-000-mp4 to" in mistakes
    assert "line 3: a-12-mp4.png (a.mp4 has 12 frames" in mistakes
    assert any("2 lines name no frame or video that takes part: line 4: c-03" in n for n in news)
    write_lines(lines, [metadata("c-03-mp4.png", gps={"speed": 9})])
    caplog.clear()
    assert sum(speeds(store)) == 0
    assert [r.levelno for r in caplog.records] == [logging.WARNING]


def test_two_files_for_many_frames_are_an_error(store: LocalDatasource, lines: Path) -> None:
    write_lines(lines, [])
    write_parquet(lines.with_suffix(".parquet"), [metadata("a.mp4", place="x")])
    with pytest.raises(LightlyPipelineError, match=r"jsonl and .*parquet say the same in two ways"):
        plan_bulk_metadata(store, KEYS)


def test_what_parquet_lacks_is_said_before_any_work(
    store: LocalDatasource, lines: Path, boxes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = lines.with_suffix(".parquet")
    write_parquet(table, [{"filename": "a.mp4", "place": "x"}])
    with pytest.raises(LightlyPipelineError, match=r"no column file_name; did you mean filename\?"):
        plan_bulk_metadata(store, KEYS)
    write_parquet(table, [{"file_name": "a.mp4", "place": "x", "gps": {"sped": 1}}])
    plan_bulk_metadata(store, KEYS)
    assert "has no column gps.speed" in caplog.text
    assert read_metadata(store, KEYS, ROWS)["place"].tolist()[11:13] == ["x", None]
    table.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(LightlyPipelineError, match=r"metadata\.parquet: cannot be read as Parquet"):
        plan_bulk_metadata(store, KEYS)
    write_parquet(boxes.with_suffix(".parquet"), [{"file_name": "a-03-mp4.png", "boxes": []}])
    with pytest.raises(
        LightlyPipelineError, match=r"predictions\.parquet has no column predictions"
    ):
        plan_bulk_predictions(store, TASK)


def test_a_damaged_table_is_named(store: LocalDatasource, lines: Path) -> None:
    table = lines.with_suffix(".parquet")
    names = [f"sub/b-{i:03d}-mp4.png" for i in range(200)]
    write_parquet(table, [metadata(name, place=name[::-1]) for name in names])
    content = bytearray(table.read_bytes())
    content[30:600] = b"\xff" * 570
    table.write_bytes(content)
    with pytest.raises(LightlyPipelineError, match=r"metadata\.parquet"):
        read_metadata(store, KEYS, ROWS)


def test_wrong_values_of_rows_are_named_by_row_and_key(store: LocalDatasource, lines: Path) -> None:
    said = [
        metadata("a-01-mp4.png", gps={"speed": 1.0}),
        metadata("a-02-mp4.png", gps={"speed": np.nan}),
    ]
    write_parquet(lines.with_suffix(".parquet"), said)
    with pytest.raises(
        LightlyPipelineError, match=r"1 rows are wrong: row 2: a-02.*gps\.speed: nan"
    ):
        read_metadata(store, KEYS, ROWS)


def box(**fields: Any) -> dict[str, Any]:
    return {"category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5, **fields}


def predicted(name: str, *entries: Any) -> dict[str, Any]:
    return {"file_name": name, "predictions": list(entries)}


def read(store: LocalDatasource) -> TaskTable:
    return read_task(store, TASK, ROWS, [scores.OBJECTNESS])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            predicted("a-03-mp4.png", box(), box(score="x")),
            "predictions[1]: score 'x' is not a number",
        ),
        (predicted("a-03-mp4.png", box(category_id=2)), "predictions[0]: category_id 2 is not in"),
        (
            predicted("a-03-mp4.png", {"category_id": 1, "score": 1}),
            "predictions[0]: bbox: expected",
        ),
        (predicted("a-03-mp4.png", box(bbox=[1, 2, 3])), "predictions[0]: bbox: expected"),
        ({"file_name": "a-03-mp4.png"}, "expected an object with a list of predictions"),
        ('{"file_name": "a-03-mp4.png", "predictions": [NaN]}', "NaN is not a JSON number"),
        ({"predictions": []}, "file_name: None is not the name"),
        (predicted("a-01-mp4.png"), "a-01-mp4.png: is there since line 1"),
        ("\ud800", "not valid JSON"),
    ],
)
def test_a_wrong_line_of_predictions_is_left_out_and_reported(
    store: LocalDatasource, boxes: Path, line: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_lines(boxes, [predicted("a-01-mp4.png", box())])
    text = line if isinstance(line, str) else json.dumps(line)
    with boxes.open("ab") as file:
        file.write(text.encode(errors="surrogatepass") + b"\n")
    table = read(store)
    assert np.flatnonzero(table.known).tolist() == [1]
    ((location, said),) = table.skipped.items()
    assert location.endswith("cars/v2/predictions.jsonl line 2")
    assert reason in said
    assert f"{location}: left out: {said}" in caplog.text


def test_no_usable_line_is_an_error(store: LocalDatasource, boxes: Path) -> None:
    write_lines(boxes, [predicted("a-01-mp4.png", box(score=2)), predicted("c-01-mp4.png", box())])
    with pytest.raises(
        LightlyPipelineError, match=r"none of the 212 .*\(1 are wrong, .* score 2 is"
    ):
        read(store)


def test_of_many_wrong_lines_a_thousand_are_kept(store: LocalDatasource, boxes: Path) -> None:
    write_lines(boxes, [predicted("a-01-mp4.png", box()), *["x"] * 1500])
    table = read(store)
    assert len(table.skipped) == 1001
    assert list(table.skipped.values())[-1] == "500 more lines could not be used"


def test_a_frames_own_file_goes_over_its_line_unless_it_is_wrong(
    store: LocalDatasource, boxes: Path
) -> None:
    write_lines(boxes, [predicted(f"a-0{i}-mp4.png", box(), box()) for i in (1, 2)])
    write_files(boxes.parent, {"a-01-mp4": {"predictions": []}, "a-02-mp4": {}})
    table = read(store)
    assert table.counts[1:3].tolist() == [[0, 0], [2, 0]]
    assert len(table.skipped) == 1


def test_classes_are_counted_only_where_they_are_wanted(
    store: LocalDatasource, boxes: Path
) -> None:
    write_lines(boxes, [predicted("a-01-mp4.png", box(score=0.25))])
    table = read_task(store, TASK, ROWS, [scores.OBJECTNESS], by_class=False)
    assert table.counts.shape == table.distribution.shape == (0, 2)
    assert table.score(scores.OBJECTNESS)[:2].tolist() == [0, 0.75]


def test_lines_that_span_blocks_are_read_whole(store: LocalDatasource, boxes: Path) -> None:
    padding = "x" * 3_000_000
    said = [{**predicted(f"a-0{i}-mp4.png", box()), "note": padding} for i in range(4)]
    write_lines(boxes, said)
    assert np.flatnonzero(read(store).known).tolist() == [0, 1, 2, 3]
