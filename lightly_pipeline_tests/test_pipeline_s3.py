"""The same chain on buckets: the same frames as on folders."""

import hashlib
import json
from pathlib import Path

import boto3
import pytest

from lightly_pipeline import Dataset, LocalDatasource, RunResult, S3Datasource, run
from lightly_pipeline_tests.support.videos import RECIPES, make_video

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
def buckets(endpoint: str, folder: Path) -> tuple[S3Datasource, S3Datasource]:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    resource = boto3.resource("s3", endpoint_url=endpoint, **keys)
    bucket = resource.Bucket(BUCKET)
    bucket.create()
    bucket.objects.all().delete()
    for file in folder.rglob("*.m*"):
        bucket.upload_file(str(file), f"input/{file.relative_to(folder)}")
    options = {"endpoint_url": endpoint, "access_key_id": "a", "secret_access_key": "canary-91"}
    return (
        S3Datasource(f"s3://{BUCKET}/input/", **options),
        S3Datasource(f"s3://{BUCKET}/lightly/", **options),
    )


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
    assert b"canary-91" not in stored
