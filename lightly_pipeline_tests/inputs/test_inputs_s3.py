"""Inputs, datapool and sequences on buckets: the same frames however they are chosen."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from lightly_pipeline import Dataset, LocalDatasource, S3Datasource, build_definitions, run
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.runs.tags import list_tags
from lightly_pipeline_tests.support.s3_servers import emptied_bucket
from lightly_pipeline_tests.support.selections import (
    DIVERSITY,
    H264,
    chosen,
    frame_file,
    put,
    put_schema,
    strategy,
)
from lightly_pipeline_tests.support.videos import make_video

pytestmark = pytest.mark.slow

BUCKET = "inputs"
VIDEOS = ("a.mp4", "sub dir/é b.mp4")
WORKER = {"use_datapool": True, "selected_sequence_length": 4, "datasource": {"process_all": True}}


@pytest.fixture(autouse=True)
def empty_bucket(s3_server: str) -> None:
    emptied_bucket(s3_server, BUCKET)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for seed, name in enumerate(VIDEOS):
        make_video(tmp_path / "in", H264, name, seed=seed)
    return tmp_path / "in"


def put_inputs(store: Datasource) -> None:
    put_schema(store, gps__speed=("NUMERIC_FLOAT", 1.0), place=("CATEGORICAL_STRING", "city"))
    document = {"metadata": {"gps": {"speed": 3}, "place": "field"}}
    put(store, "metadata/sub dir/é b.json", document)
    put(store, "predictions/tasks.json", ["t"])
    categories = [{"id": 0, "name": "car"}, {"id": 1, "name": "bus"}]
    schema = {"task_type": "classification", "categories": categories}
    put(store, "predictions/t/schema.json", schema)
    for index in range(0, 40, 3):
        entry = {"category_id": 0, "probabilities": [1 - index / 80, index / 80]}
        put(store, f"predictions/t/{frame_file(VIDEOS[0], index)}.json", {"predictions": [entry]})


def selection(images: str) -> dict[str, Any]:
    speed = {"type": "METADATA", "key": "gps.speed"}
    place = {"type": "METADATA", "key": "place"}
    score = {"type": "SCORES", "task": "t", "score": "uncertainty_entropy"}
    query = {"type": "EMBEDDINGS", "tag_name": images}
    return {
        "n_samples": 8,
        "strategies": [
            DIVERSITY,
            strategy("WEIGHTS", speed),
            strategy("BALANCE", place, distribution="UNIFORM"),
            strategy("WEIGHTS", score),
            strategy("SIMILARITY", query),
        ],
    }


def test_python_command_line_and_dagster_choose_the_same_on_buckets_and_folders(
    videos: Path, tmp_path: Path
) -> None:
    local = Dataset("a", input=LocalDatasource(videos), lightly=LocalDatasource(tmp_path / "out"))
    put_inputs(local.lightly)
    config = selection("initial-tag")
    first = run(local, selection_config={"n_samples": 3})
    expected = [run(local, WORKER, selection_config=config) for _ in range(2)]
    assert not set(chosen(expected[0])) & set(chosen(expected[1]))

    source, target = S3Datasource(f"s3://{BUCKET}/in/"), S3Datasource(f"s3://{BUCKET}/out/")
    for name in VIDEOS:
        source.write(name, (videos / name).read_bytes())
    for place in (target, S3Datasource(f"s3://{BUCKET}/cli/")):
        put_inputs(place)
    folder = S3Datasource(f"s3://{BUCKET}/images/")
    remote = Dataset("a", input=source, lightly=target)
    assert chosen(run(remote, selection_config={"n_samples": 3})) == chosen(first)
    assert chosen(run(remote, WORKER, selection_config=config)) == chosen(expected[0])
    assert materialized(remote, config) == chosen(expected[1])
    assert [tag.number for tag in list_tags(target)] == [3, 2, 1]

    (tmp_path / "images").mkdir()
    for frame in first.selected:
        content = local.lightly.read(frame.image)
        (tmp_path / "images" / Path(frame.image).name).write_bytes(content)
        folder.write(Path(frame.image).name, content)
    reference = run(local, **by_images(str(tmp_path / "images")))
    assert commanded(tmp_path, by_images(f"s3://{BUCKET}/images/")) == chosen(reference)


def by_images(folder: str) -> dict[str, Any]:
    return {
        "worker_config": {"selected_sequence_length": 4},
        "selection_config": selection("My images"),
        "pipeline_config": {"similarity_folders": {"My images": folder}},
    }


def materialized(dataset: Dataset, config: dict[str, Any]) -> list[tuple[str, int]]:
    """Chooses by materializing the assets and returns the frames of the newest tag."""
    definitions = build_definitions(dataset)
    assets = [asset for asset in definitions.assets if isinstance(asset, dg.AssetsDefinition)]
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(
            [assets[-1]],
            instance=instance,
            resources=definitions.resources,
            run_config={
                "resources": {
                    "worker_config": {"config": WORKER},
                    "selection_config": {"config": config},
                }
            },
        )
    return [(f.video, f.frame_index) for f in list_tags(dataset.lightly)[0].chosen.frames]


def commanded(folder: Path, blocks: dict[str, Any]) -> list[tuple[str, int]]:
    """Chooses by the command line."""
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(blocks))
    urls = ["--input", f"s3://{BUCKET}/in/", "--lightly", f"s3://{BUCKET}/cli/"]
    command = [sys.executable, "-m", "lightly_pipeline", "run", *urls, "--config", str(file)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [(f["video"], f["frame_index"]) for f in json.loads(done.stdout)["selected"]]
