"""The same chain on buckets: the same frames as on folders."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from lightly_pipeline import (
    Dataset,
    LocalDatasource,
    RunResult,
    S3Datasource,
    build_definitions,
    run,
)
from lightly_pipeline_tests.support.s3_servers import SECRET_KEY, emptied_bucket
from lightly_pipeline_tests.support.videos import RECIPES, make_video

pytestmark = pytest.mark.slow

BY_NAME = {recipe.name: recipe for recipe in RECIPES}
BUCKET = "chain"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    videos = tmp_path / "in"
    make_video(videos, BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(videos, BY_NAME["mpeg2.mpg"], "sub dir/é c.mpg", seed=3)
    (videos / "broken.mov").write_text("no video")
    return videos


@pytest.fixture
def buckets(s3_server: str, folder: Path) -> tuple[S3Datasource, S3Datasource]:
    bucket = emptied_bucket(s3_server, BUCKET)
    for file in folder.rglob("*.m*"):
        bucket.upload_file(str(file), f"input/{file.relative_to(folder)}")
    return S3Datasource(f"s3://{BUCKET}/input/"), S3Datasource(f"s3://{BUCKET}/lightly/")


def chosen(result: RunResult) -> list[tuple[str, int, str]]:
    return [(frame.video, frame.frame_index, frame.image) for frame in result.selected]


@pytest.mark.parametrize("kind", ["bucket to bucket", "folder to bucket", "bucket to folder"])
def test_buckets_and_folders_give_the_same_frames_and_images(
    folder: Path, buckets: tuple[S3Datasource, S3Datasource], tmp_path: Path, kind: str
) -> None:
    local_out = LocalDatasource(tmp_path / "reference")
    reference = run(
        Dataset("a", input=LocalDatasource(folder), lightly=local_out),
        selection_config={"n_samples": 9},
    )
    source = LocalDatasource(folder) if kind.startswith("folder") else buckets[0]
    target = LocalDatasource(tmp_path / "out") if kind.endswith("folder") else buckets[1]
    dataset = Dataset("a", input=source, lightly=target)
    result = run(dataset, selection_config={"n_samples": 9})
    assert chosen(result) == chosen(reference)
    assert set(result.corrupt_videos) == {"broken.mov"}
    manifest = json.loads(target.read(f".lightly/runs/{result.run_id}/manifest.json"))
    for image in manifest["images"]:
        content = target.read(image["image"])
        assert content == local_out.read(image["image"])
        assert hashlib.sha256(content).hexdigest() == image["sha256"]
    again = run(dataset, selection_config={"n_samples": 9})
    assert again.n_decoded_videos == 0
    assert chosen(again) == chosen(reference)
    stored = b"".join(target.read(item.path) for item in target.list() if item.size_bytes < 10**5)
    assert SECRET_KEY.encode() not in stored


def test_command_line_and_materialize_on_buckets_give_the_same_frames(
    folder: Path, buckets: tuple[S3Datasource, S3Datasource], tmp_path: Path
) -> None:
    local_out = LocalDatasource(tmp_path / "reference")
    reference = run(
        Dataset("a", input=LocalDatasource(folder), lightly=local_out),
        selection_config={"n_samples": 9},
    )
    urls = ["--input", f"s3://{BUCKET}/input/", "--lightly", f"s3://{BUCKET}/from_cli/"]
    done = subprocess.run(
        [sys.executable, "-m", "lightly_pipeline", "run", *urls, "--n-samples", "9", "--json"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)["selected"]
    assert [(f["video"], f["frame_index"], f["image"]) for f in printed] == chosen(reference)

    definitions = build_definitions(Dataset("a", input=buckets[0], lightly=buckets[1]))
    catalog, *rest = [a for a in definitions.assets if isinstance(a, dg.AssetsDefinition)]
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([catalog], instance=instance, resources=definitions.resources)
        keys = instance.get_dynamic_partitions("a_videos")
        dg.materialize(
            rest,
            instance=instance,
            resources=definitions.resources,
            run_config={"resources": {"selection_config": {"config": {"n_samples": 9}}}},
            tags={
                "dagster/asset_partition_range_start": keys[0],
                "dagster/asset_partition_range_end": keys[-1],
            },
        )
    images = {item.path for item in buckets[1].list(".lightly/frames/")}
    assert images == {frame.image for frame in reference.selected}
