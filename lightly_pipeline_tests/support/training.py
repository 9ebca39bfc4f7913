"""A training that takes seconds: a small network on small views."""

import hashlib
from pathlib import Path
from typing import Any

import av

from lightly_pipeline import Dataset, LocalDatasource
from lightly_pipeline.demo.scenes import draw
from lightly_pipeline.layout import run_path
from lightly_pipeline_tests.support.videos import X264

TRAIN = {"enable_training": True}
SMALL: dict[str, Any] = {
    "model": {"name": "resnet-9", "num_ftrs": 16, "out_dim": 32},
    "trainer": {"max_epochs": 3, "gpus": 0},
    "loader": {"batch_size": 20},
    "collate": {"input_size": 32},
    "optimizer": {"lr": 0.1},
    "seed": 2,
}
N = {"n_samples": 6}
SCENES, SIZE = ("hills", "blocks", "forest"), (160, 96)


def make_videos(folder: Path, n_videos: int = 3) -> Path:
    """Makes videos of 40 frames, each of which shows something else, and one that is none."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(SCENES[:n_videos]):
        with av.open(str(folder / f"{number}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=25, options=X264)
            stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
            for i in range(40):
                picture = draw(name, i * 0.7, SIZE)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def dataset_of(videos: Path, out: Path, **options: Any) -> Dataset:
    return Dataset("cams", input=LocalDatasource(videos), lightly=LocalDatasource(out), **options)


def weights(dataset: Dataset, run_id: str) -> str:
    """The hash of the checkpoint that a run has left."""
    return hashlib.sha256(dataset.lightly.read(run_path(run_id, "checkpoint.ckpt"))).hexdigest()
