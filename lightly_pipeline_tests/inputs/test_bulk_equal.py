"""A file for many frames gives what a file per frame gives, to the last bit."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightly_pipeline.datasources import LocalDatasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs import scores
from lightly_pipeline.inputs.metadata import parse_schema
from lightly_pipeline.inputs.metadata_files import read_metadata
from lightly_pipeline.inputs.prediction_files import TaskTable, read_task
from lightly_pipeline.inputs.predictions import Task
from lightly_pipeline_tests.support.bulk import write_files, write_lines, write_parquet
from lightly_pipeline_tests.support.rows import all_frames, row_video

pytestmark = pytest.mark.slow

VIDEOS = (("a.mp4", 12), ("sub dir/é.b.MOV", 5))
ROWS = all_frames(row_video(path, n) for path, n in VIDEOS)
FRAMES = [f"a-{i:02d}-mp4" for i in range(12)] + [f"sub dir/é.b-{i}-MOV" for i in range(5)]
NO_FRAMES = ["a-12-mp4", "a-3-mp4", "other-01-mp4", "b"]
TYPES = tuple(scores.SCORES_OF_TASK)
ODD = st.sampled_from([None, True, "0.5", -1, 2, 1e308, [], {}, 10**400])
SHARES = st.floats(0, 1)


def task_of(kind: str) -> Task:
    return Task("t", kind, (1, 4, 9), ("car", "bus", "tram"))


@st.composite
def probabilities(draw: st.DrawFn) -> list[float] | None:
    parts = draw(st.none() | st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
    return parts and [part / math.fsum(parts) for part in parts]


def entries(category: st.SearchStrategy[Any], share: st.SearchStrategy[Any]) -> Any:
    """Entries that are good for every kind of task, as far as their parts are."""
    return st.fixed_dictionaries(
        {
            "category_id": category,
            "score": share,
            "bbox": st.lists(st.floats(-9, 99), min_size=4, max_size=4),
            "probabilities": probabilities(),
            "segmentation": st.lists(st.integers(0, 99), max_size=6),
            "keypoints": st.lists(
                st.tuples(st.floats(0, 9), st.floats(0, 9), SHARES), max_size=3
            ).map(lambda points: [value for point in points for value in point]),
        }
    )


GOOD = entries(st.sampled_from([1, 4, 9]), SHARES)
MIXED = st.one_of(
    GOOD,
    entries(st.sampled_from([1, 2, True, "1"]), SHARES | ODD),
    st.builds(
        lambda entry, key: {k: v for k, v in entry.items() if k != key},
        GOOD,
        st.sampled_from(["category_id", "score", "bbox", "segmentation", "keypoints"]),
    ),
    ODD,
)
NAMES = st.sampled_from([*FRAMES, *NO_FRAMES])


def documents(entry: Any) -> Any:
    said = st.fixed_dictionaries({"predictions": st.lists(entry, max_size=9)})
    return st.dictionaries(NAMES, said, max_size=12)


def table_of(folder: Path, kind: str) -> TaskTable | None:
    """What is read of a task; None where nothing can be used."""
    wanted = scores.SCORES_OF_TASK[kind]
    try:
        return read_task(LocalDatasource(folder), task_of(kind), ROWS, wanted)
    except LightlyPipelineError as error:
        if "none of the 17 frames has a usable file" not in str(error):
            raise
        return None


def assert_equal(one: TaskTable | None, other: TaskTable | None, kind: str) -> None:
    assert (one is None) == (other is None)
    if one is None or other is None:
        return
    assert one.known.tolist() == other.known.tolist()
    assert np.array_equal(one.distribution, other.distribution)
    assert np.array_equal(one.counts, other.counts)
    for score in scores.SCORES_OF_TASK[kind]:
        assert np.array_equal(one.score(score), other.score(score)), score
    said = [reason.rpartition("predictions[")[2] for reason in one.skipped.values()]
    assert sorted(said) == sorted(r.rpartition("predictions[")[2] for r in other.skipped.values())


@given(documents(MIXED), st.sampled_from(TYPES), st.sampled_from(["png", "jpg"]))
@settings(max_examples=50)
def test_lines_of_predictions_are_files_of_frames(
    said: Mapping[str, Any], kind: str, ending: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files, lines = Path(folder, "files"), Path(folder, "lines")
        (files / task_of(kind).folder).mkdir(parents=True)
        write_files(files / task_of(kind).folder, said)
        named = [{"file_name": f"{name}.{ending}", **document} for name, document in said.items()]
        write_lines(lines / task_of(kind).folder / "predictions.jsonl", reversed(named))
        assert_equal(table_of(files, kind), table_of(lines, kind), kind)


PARQUET_ENTRY = pa.struct(
    {
        "category_id": pa.int16(),
        "score": pa.float64(),
        "bbox": pa.list_(pa.float64(), 4),
        "probabilities": pa.large_list(pa.float64()),
        "segmentation": pa.list_(pa.int32()),
        "keypoints": pa.list_(pa.float64()),
    }
)
PARQUET = pa.schema({"file_name": pa.string(), "predictions": pa.list_(PARQUET_ENTRY)})


@given(
    documents(
        entries(st.sampled_from([1, 4, 9, 2, None]), SHARES | st.sampled_from([None, -1.0, 2.0]))
    ),
    st.sampled_from(TYPES),
)
@settings(max_examples=30)
def test_rows_of_predictions_are_files_of_frames(said: Mapping[str, Any], kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files, rows = Path(folder, "files"), Path(folder, "rows")
        (files / task_of(kind).folder).mkdir(parents=True)
        write_files(files / task_of(kind).folder, said)
        named = [{"file_name": f"{name}.png", **document} for name, document in said.items()]
        write_parquet(rows / task_of(kind).folder / "predictions.parquet", named, PARQUET)
        assert_equal(table_of(files, kind), table_of(rows, kind), kind)


KEYS = parse_schema(
    [
        {"path": "gps.speed", "valueDataType": "NUMERIC_FLOAT", "defaultValue": 5},
        {"path": "gps.place", "valueDataType": "CATEGORICAL_STRING", "defaultValue": None},
        {"path": "lane", "valueDataType": "CATEGORICAL_INT", "defaultValue": 1},
        {"path": "wet", "valueDataType": "CATEGORICAL_BOOLEAN"},
    ],
    "schema.json",
)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "gps": st.fixed_dictionaries(
            {},
            optional={
                "speed": st.none() | st.floats(-1e9, 1e9) | st.integers(-9, 2**53),
                "place": st.none() | st.text(st.characters(codec="utf-8"), max_size=3),
            },
        ),
        "lane": st.none() | st.integers(-3, 2**40),
        "wet": st.none() | st.booleans(),
    },
)
THINGS = st.sampled_from([*FRAMES, *(path for path, _ in VIDEOS), *NO_FRAMES])


@given(st.dictionaries(THINGS, METADATA), st.sets(THINGS))
@settings(max_examples=60)
def test_lines_of_metadata_are_files_and_files_go_over_them(
    said: Mapping[str, Any], also: set[str]
) -> None:
    """Some say another thing in a line than in their file, which holds."""
    with tempfile.TemporaryDirectory() as folder:
        files, lines, rows = (Path(folder, name) for name in ("files", "lines", "rows"))
        for place in (files, lines, rows):
            (place / ".lightly/metadata").mkdir(parents=True)
        single = {name.removesuffix(".mp4").removesuffix(".MOV"): d for name, d in said.items()}
        as_files = {name: {"metadata": document} for name, document in single.items()}
        write_files(files / ".lightly/metadata", as_files)
        named = [
            {"file_name": name if name.endswith((".mp4", ".MOV")) else f"{name}.png", "metadata": d}
            for name, d in said.items()
        ]
        also = {name for name in also & set(said) if (said[name].get("gps") or {}).get("speed")}
        lined = [
            {**line, "metadata": {**d, "gps": {**d["gps"], "speed": 77}}} if name in also else line
            for (name, d), line in zip(said.items(), named, strict=True)
        ]
        for name in also:
            stem = name.removesuffix(".mp4").removesuffix(".MOV")
            write_files(lines / ".lightly/metadata", {stem: as_files[stem]})
        write_lines(lines / ".lightly/metadata/metadata.jsonl", lined)
        gps = pa.struct({"speed": pa.float64(), "place": pa.string()})
        inner = pa.struct({"gps": gps, "lane": pa.int64(), "wet": pa.bool_()})
        schema = pa.schema({"file_name": pa.string(), "metadata": inner})
        write_parquet(rows / ".lightly/metadata/metadata.parquet", named, schema)
        expected = read_metadata(LocalDatasource(files), KEYS, ROWS)
        for place in (lines, rows):
            found = read_metadata(LocalDatasource(place), KEYS, ROWS)
            assert {key: values.tolist() for key, values in found.items()} == {
                key: values.tolist() for key, values in expected.items()
            }


def test_columns_may_be_structs_or_have_dots_in_their_names(tmp_path: Path) -> None:
    names = ["a-03-mp4.png", "a.mp4"]
    folder = tmp_path / ".lightly/metadata"
    expected = None
    for documents in (
        [
            {"metadata": {"gps": {"speed": 3.5, "place": "x"}, "lane": 2.0}},
            {"metadata": {"lane": None}},
        ],
        [{"gps": {"speed": 3.5, "place": "x"}, "lane": 2}, {"lane": None}],
        [{"gps.speed": 3.5, "gps.place": "x", "lane": 2, "note": 1}, {"lane": None}],
        [{"gps.speed": 3.5, "gps": {"place": "x"}, "lane": 2}, {"lane": None}],
        [{"metadata.gps.speed": 3.5, "metadata.gps.place": "x", "metadata.lane": 2}, {}],
    ):
        named = [{"file_name": name, **d} for name, d in zip(names, documents, strict=True)]
        write_parquet(folder / "metadata.parquet", named)
        found = read_metadata(LocalDatasource(tmp_path), KEYS, ROWS)
        values = {key: column.tolist() for key, column in found.items()}
        expected = expected or values
        assert values == expected
    assert expected is not None
    assert expected["gps.speed"][:5] == [5, 5, 5, 3.5, 5]
    assert expected["lane"][2:5] == ["1", "2", "1"]
    twice = [{"file_name": "a-03-mp4.png", "gps.speed": 1.0, "gps": {"speed": 2.0}}]
    write_parquet(folder / "metadata.parquet", twice)
    with pytest.raises(LightlyPipelineError, match=r"column gps\.speed is there twice"):
        read_metadata(LocalDatasource(tmp_path), KEYS, ROWS)
