"""A dataset with tables already made, and the files that users put beside it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightly_pipeline import Dataset, LocalDatasource, RunResult, run
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.layout import table_folder
from lightly_pipeline_tests.support.videos import RECIPES, make_video

N_FRAMES = 40
VIDEOS = ("a.mp4", "sub/b.mp4", "sub/c.mp4")
DIVERSITY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
H264 = next(recipe for recipe in RECIPES if recipe.name == "h264.mp4")


def make_dataset(folder: Path, videos: tuple[str, ...] = VIDEOS) -> Path:
    """Makes videos of 40 frames in `folder/in`, and their tables in `folder/out`."""
    for seed, name in enumerate(videos):
        make_video(folder / "in", H264, name, seed=seed)
    run(local_dataset(folder), selection_config={"n_samples": 1})
    shutil.rmtree(folder / "out" / ".lightly" / "runs")
    shutil.rmtree(folder / "out" / ".lightly" / "tags")
    shutil.rmtree(folder / "out" / ".lightly" / "frames")
    return folder


def local_dataset(folder: Path, name: str = "test") -> Dataset:
    """The dataset of `make_dataset`."""
    return Dataset(
        name, input=LocalDatasource(folder / "in"), lightly=LocalDatasource(folder / "out")
    )


def chosen(result: RunResult) -> list[tuple[str, int]]:
    """The chosen frames in the order of picks."""
    return [(frame.video, frame.frame_index) for frame in result.selected]


def strategy(kind: str, source: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """An entry of `selection_config.strategies`."""
    return {"input": dict(source), "strategy": {"type": kind, **options}}


def selection(n_samples: int, *strategies: Mapping[str, Any]) -> dict[str, Any]:
    """A `selection_config`."""
    return {"n_samples": n_samples, "strategies": list(strategies or [DIVERSITY])}


def put(store: Datasource, path: str, document: Any) -> None:
    """Writes a JSON file below `.lightly/`."""
    store.write(f".lightly/{path}", json.dumps(document).encode())


def put_schema(store: Datasource, **entries: tuple[str, Any]) -> None:
    """Writes a metadata schema: type and default by path, in which "__" is a dot."""
    schema = [
        {
            "name": path.replace("__", " "),
            "path": path.replace("__", "."),
            "valueDataType": kind,
            "defaultValue": default,
        }
        for path, (kind, default) in entries.items()
    ]
    put(store, "metadata/schema.json", schema)


def frame_file(video: str, index: int) -> str:
    """The name of a frame's file without ending, for videos of 40 frames."""
    stem, _, extension = video.rpartition(".")
    return f"{stem}-{index:02d}-{extension}"


def vectors_of(folder: Path, frames: list[tuple[str, int]]) -> np.ndarray:
    """The embeddings of frames by the tables in `folder/out`, brought to unit length."""
    tables = folder / "out" / ".lightly" / "tables"
    embedding_id = next(path.name for path in tables.iterdir() if path.is_dir())
    rows = [
        np.load(folder / "out" / table_folder(embedding_id, video) / "embeddings.npy")[index]
        for video, index in frames
    ]
    unit = np.array(rows, dtype=np.float64)
    return unit / np.linalg.norm(unit, axis=1, keepdims=True)
