"""`make demo-s3`: the demo against an object store in a process of its own, with authentication.

Starts Swift, uploads the sample videos to a bucket, and runs the command line on it with
credentials and endpoint from the environment, as one would against any store.
"""

import os
import subprocess
import sys
from pathlib import Path

import boto3

from lightly_pipeline.demo import make_demo_videos
from lightly_pipeline_tests.support.s3_servers import (
    ACCESS_KEY,
    SECRET_KEY,
    has_swift,
    swift_server,
)


def main() -> int:
    """Returns the command line's exit code."""
    if not has_swift():
        print("the demo's object store, Swift, runs on Linux only", file=sys.stderr)
        return 1
    folder = Path("demo_data")
    store = folder / "swift"
    store.mkdir(parents=True, exist_ok=True)
    videos = make_demo_videos(folder / "videos")
    with swift_server(store) as url:
        environment = {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL_S3": url,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        os.environ.update(environment)
        client = boto3.client("s3")
        client.create_bucket(Bucket="demo")
        for video in videos:
            key = f"videos/{video.relative_to(folder / 'videos')}"
            client.upload_file(str(video), "demo", key)
        print(f"Swift serves s3://demo/ at {url}", file=sys.stderr)
        command = [sys.executable, "-m", "lightly_pipeline", "run"]
        options = ["--input", "s3://demo/videos/", "--lightly", "s3://demo/lightly/"]
        return subprocess.run([*command, *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
