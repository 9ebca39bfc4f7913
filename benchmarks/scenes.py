"""Labelled scenes of real videos, as frames and features: what encoders are fitted and judged on.

Reads `scenes.json` in a samples folder (LIGHTLY_PIPELINE_SAMPLES, or ../shared/samples beside the
checkout). Fitting is in `fit_encoder.py`, judging in `encoder.py`.
"""

import json
import os
import sys
from collections import defaultdict
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightly_pipeline.embedding.features import SIZE, statistics
from lightly_pipeline.video import FrameInput, open_video

LARGE = FrameInput(224, 224)
# A frame flatter than this (standard deviation of luma, of 255) shows nothing.
_BLANK = 6.0


@dataclass(frozen=True, slots=True)
class Scenes:
    """Frames of labelled scenes.

    Attributes:
        small: Shape (N, 64, 64, 3), uint8, as the pipeline scales them.
        large: Shape (N, 224, 224, 3), uint8, to be altered and for networks.
        scene: Shape (N,).
        source: Shape (N,), what must not be split between fitting and judging.
        position: Shape (N,), place in its file, 0 to 1.
    """

    small: NDArray[np.uint8]
    large: NDArray[np.uint8]
    scene: NDArray[np.int64]
    source: NDArray[np.str_]
    position: NDArray[np.float64]


def samples_folder() -> Path:
    """Returns the folder of sample videos, or ends the program saying what is missing."""
    default = Path(__file__).resolve().parents[2] / "shared" / "samples"
    folder = Path(os.environ.get("LIGHTLY_PIPELINE_SAMPLES", default))
    if not (folder / "scenes.json").is_file():
        sys.exit(
            f"no scenes.json in {folder}: set LIGHTLY_PIPELINE_SAMPLES to a folder of labelled "
            "sample videos"
        )
    return folder


def load_scenes(folder: Path, large_input: FrameInput = LARGE) -> Scenes:
    """Decodes the labelled frames of every scene with the project's own decoder.

    Args:
        folder: With `scenes.json`.
        large_input: How large frames are made.
    """
    labelled = defaultdict(list)
    for scene in json.loads((folder / "scenes.json").read_text())["scenes"]:
        labelled[scene["file"]].append(scene)
    rows = []
    for name, scenes in sorted(labelled.items()):
        small = _decode(folder / name, FrameInput(SIZE, SIZE))
        large = _decode(folder / name, large_input)
        for scene in scenes:
            for position in _kept(scene["positions"], len(scenes)):
                index = round(position * (len(small) - 1))
                if small[index].astype(float).mean(2).std() >= _BLANK:
                    where = (scene["scene"], scene["source"], position)
                    rows.append((small[index], large[index], *where))
    columns = list(zip(*rows, strict=True))
    return Scenes(
        np.stack(columns[0]),
        np.stack(columns[1]),
        np.array(columns[2]),
        np.array(columns[3]),
        np.array(columns[4]),
    )


def _decode(path: Path, wanted: FrameInput) -> list[NDArray[np.uint8]]:
    with open_video(path) as video:
        return [f.small for f in video.frames(wanted) if f.small is not None]


def _kept(positions: list[float], n_scenes: int) -> list[float]:
    """Leaves out the frames beside a cut, where the neighbouring shot may show."""
    if n_scenes == 1 or len(positions) < 5:
        return positions
    inner = positions[1:-1]
    first = positions[:1] if positions[0] == 0 else []
    last = positions[-1:] if positions[-1] == 1 else []
    return [*first, *inner, *last]


def alter(frames: NDArray[np.uint8], kind: str, seed: int) -> NDArray[np.uint8]:
    """Returns an altered copy of 224-pixel frames.

    Args:
        frames: Shape (N, 224, 224, 3), uint8.
        kind: "flicker" (gain exp N(0, 0.18), per channel exp N(0, 0.05)), "noise" (sigma 25),
            "grey", "gamma" (exp N(0, 0.3)) or "jpeg" (quality 8 to 40).
        seed: Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    x = frames.astype(np.float32)
    if kind == "flicker":
        gain = np.exp(rng.normal(0, 0.18, (len(x), 1, 1, 1)))
        x = x * gain * np.exp(rng.normal(0, 0.05, (len(x), 1, 1, 3)))
    elif kind == "noise":
        x = x + rng.normal(0, 25, x.shape)
    elif kind == "grey":
        x = np.repeat((x @ np.array([0.299, 0.587, 0.114]))[..., None], 3, axis=3)
    elif kind == "gamma":
        x = 255 * (x / 255) ** np.exp(rng.normal(0, 0.3, (len(x), 1, 1, 1)))
    elif kind == "jpeg":
        qualities = rng.integers(8, 41, len(x))
        return np.stack([_jpeg(f, int(q)) for f, q in zip(frames, qualities, strict=True)])
    else:
        raise ValueError(kind)
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


def _jpeg(frame: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def changes(scenes: Scenes, kinds: tuple[str, ...], seed: int) -> dict[str, NDArray[np.float32]]:
    """Returns, by kind, features of altered frames less those of the same frames unaltered."""
    plain = statistics(scenes.large)
    return {
        kind: statistics(alter(scenes.large, kind, seed + i)) - plain
        for i, kind in enumerate(kinds)
    }
