"""Files for many frames in buckets: what folders give, and the same frames in a run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightly_pipeline import Dataset, S3Datasource, run
from lightly_pipeline.datasources import LocalDatasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs import scores
from lightly_pipeline.inputs.metadata import parse_schema
from lightly_pipeline.inputs.metadata_files import read_metadata
from lightly_pipeline.inputs.prediction_files import read_task
from lightly_pipeline.inputs.predictions import Task
from lightly_pipeline_tests.support.bulk import write_lines, write_parquet
from lightly_pipeline_tests.support.rows import all_frames, row_video
from lightly_pipeline_tests.support.s3_servers import emptied_bucket
from lightly_pipeline_tests.support.selections import (
    DIVERSITY,
    N_FRAMES,
    VIDEOS,
    chosen,
    frame_file,
    local_dataset,
    put,
    put_schema,
    selection,
    strategy,
)

BUCKET = "bulk"
ROWS = all_frames([row_video("a.mp4", 16_000)])
TASK = Task("t", "object-detection", (0, 1), ("car", "bus"))
KEYS = parse_schema([{"path": "gps.speed", "valueDataType": "NUMERIC_FLOAT"}], "schema.json")


def documents(what: str) -> list[dict[str, Any]]:
    """Some megabytes, so that more than one request reads them."""
    rng = np.random.default_rng(3)
    made: list[dict[str, Any]] = []
    for index, numbers in enumerate(rng.random((16_000, 5)).tolist()):
        entry = {"category_id": index % 2, "bbox": numbers[:4], "score": numbers[4]}
        said = (
            {"predictions": [entry]}
            if what == "predictions"
            else {"metadata": {"gps": {"speed": numbers[0]}}}
        )
        made.append({"file_name": f"a-{index:05d}-mp4.png", **said})
    return made


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_bucket_gives_what_a_folder_gives(s3_server: str, tmp_path: Path, ending: str) -> None:
    emptied_bucket(s3_server, BUCKET)
    local, remote = LocalDatasource(tmp_path), S3Datasource(f"s3://{BUCKET}/lightly/")
    for path in (f".lightly/metadata/metadata.{ending}", f"{TASK.folder}predictions.{ending}"):
        write = write_lines if ending == "jsonl" else write_parquet
        write(tmp_path / path, documents(Path(path).stem))
        remote.write(path, (tmp_path / path).read_bytes())
    tables = [read_task(store, TASK, ROWS, [scores.OBJECTNESS]) for store in (local, remote)]
    assert tables[1].known.all()
    assert np.array_equal(tables[0].score(scores.OBJECTNESS), tables[1].score(scores.OBJECTNESS))
    speeds = [read_metadata(store, KEYS, ROWS)["gps.speed"] for store in (local, remote)]
    assert np.array_equal(*speeds)
    remote.write(f".lightly/metadata/metadata.{ending}", b"no such thing")
    with pytest.raises(LightlyPipelineError, match=rf"s3://{BUCKET}/lightly/.*metadata\.{ending}"):
        read_metadata(remote, KEYS, ROWS)


@pytest.mark.slow
def test_a_run_chooses_the_same_frames_by_files_and_by_lines(
    prepared_folder: Path, tmp_path: Path
) -> None:
    """And mistakes in what is there end it before any work."""
    dataset: Dataset = local_dataset(prepared_folder)
    store = dataset.lightly
    put_schema(store, gps__speed=("NUMERIC_FLOAT", 1.0))
    put(store, "predictions/tasks.json", ["t"])
    categories = [{"id": 0, "name": "car"}, {"id": 1, "name": "bus"}]
    put(
        store,
        "predictions/t/schema.json",
        {"task_type": "object-detection", "categories": categories},
    )
    said: dict[str, list[dict[str, Any]]] = {"metadata": [], "predictions": []}
    rng = np.random.default_rng(5)
    names = [frame_file(video, index) for video in VIDEOS for index in range(N_FRAMES)]
    for x, y in rng.random((len(names), 2)).tolist():
        entry = {"category_id": int(x * 2), "bbox": [0, 0, x, y], "score": y}
        said["metadata"].append({"metadata": {"gps": {"speed": x}}})
        said["predictions"].append({"predictions": [entry] * int(3 * y)})
    folders = {"metadata": "metadata", "predictions": "predictions/t"}
    for what, made in said.items():
        for name, document in zip(names, made, strict=True):
            put(store, f"{folders[what]}/{name}.json", document)
    speed = {"type": "METADATA", "key": "gps.speed"}
    unsure = {"type": "SCORES", "task": "t", "score": "objectness_least_confidence"}
    classes = {"type": "PREDICTIONS", "task": "t", "name": "CLASS_DISTRIBUTION"}
    config = selection(
        12,
        DIVERSITY,
        strategy("WEIGHTS", speed),
        strategy("WEIGHTS", unsure),
        strategy("BALANCE", classes, distribution="UNIFORM"),
    )
    expected = chosen(run(dataset, selection_config=config))
    root = prepared_folder / "out" / ".lightly"
    for folder in folders.values():
        for name in names:
            (root / folder / f"{name}.json").unlink()
    with pytest.raises(
        LightlyPipelineError, match="none of the 120 frames has a usable file or line"
    ):
        run(dataset, selection_config=config)
    for write, ending in ((write_lines, "jsonl"), (write_parquet, "parquet")):
        files = [root / folders[what] / f"{what}.{ending}" for what in said]
        for file, made in zip(files, said.values(), strict=True):
            named = [{"file_name": f"{n}.png", **d} for n, d in zip(names, made, strict=True)]
            write(file, named)
        assert chosen(run(dataset, selection_config=config)) == expected
        for file in files:
            file.unlink()
