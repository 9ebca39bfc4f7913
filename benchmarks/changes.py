"""What `embed_changed` saves of an encoder's work, and what it costs in coverage.

    python -m benchmarks.changes VIDEO [VIDEO ...] [--model NAME] [--share 0.05]

For each video and threshold: the share of frames that are embedded, and how well a choice by
DIVERSITY of a share of the frames covers the video, by every frame's own embedding: mean and
largest distance to the nearest choice, divided by those of the choice from own embeddings. Then the
CPU time of comparing a frame.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.embedding import CheckedEncoder, encoder_spec, load_encoder
from lightly_pipeline.selection import prepare_embeddings, select
from lightly_pipeline.tables.changes import ChangeFilter
from lightly_pipeline.video import DecodedFrame, FrameInput, open_video

_THRESHOLDS = (0.5, 1.0, 2.0, 4.0, 8.0)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--model", default="default")
    parser.add_argument("--share", type=float, default=0.05)
    options = parser.parse_args()
    encoder = load_encoder(encoder_spec(options.model))
    print(f"{options.model}, {options.share:.0%} of the frames chosen")
    print(f"{'':40}{'frames':>8}{'threshold':>11}{'embedded':>10}{'mean':>8}{'largest':>9}")
    for video in options.videos:
        _table(video, encoder, options.share)
    for edge in (64, 224):
        print(f"{edge} x {edge}: {_cost_ms(options.videos[0], edge):.2f} ms of CPU a frame")


def _table(video: Path, encoder: CheckedEncoder, share: float) -> None:
    frames = list(_frames(video, encoder.spec.frame_input))
    smalls = np.stack([frame.small for frame in frames if frame.small is not None])
    size = encoder.spec.batch_size
    own = np.concatenate(
        [encoder.encode(smalls[n : n + size]) for n in range(0, len(smalls), size)]
    )
    count = max(round(share * len(own)), 1)
    base = _distances(own, own, count)
    for threshold in _THRESHOLDS:
        changes = ChangeFilter(threshold)
        changed = np.array([changes.is_changed(frame) for frame in frames])
        source = np.maximum.accumulate(np.where(changed, np.arange(len(own)), 0))
        found = _distances(own, own[source], count)
        print(
            f"{video.name:40}{len(own):8}{threshold:11.1f}{changed.mean():10.0%}"
            f"{found.mean() / base.mean():8.2f}{found.max() / base.max():9.2f}"
        )


def _distances(
    own: NDArray[np.float32], shared: NDArray[np.float32], count: int
) -> NDArray[np.float64]:
    """Returns each frame's distance to the nearest choice, by its own embedding."""
    diversity = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
    picks = select(shared, {"n_samples": count, "strategies": [diversity]}).indices
    rows = prepare_embeddings(own.copy(), normalize=True).vectors.astype(np.float64)
    squared = 2 - 2 * rows @ rows[picks].T
    nearest: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0)).min(axis=1)
    return nearest


def _frames(video: Path, wanted: FrameInput) -> Iterator[DecodedFrame]:
    with open_video(video) as opened:
        for frame in opened.frames(wanted):
            assert frame.small is not None
            yield replace(frame, small=frame.small.copy(), _full=None)


def _cost_ms(video: Path, edge: int) -> float:
    frames = list(_frames(video, FrameInput(edge, edge, "area")))
    changes = ChangeFilter(1.0)
    started = time.process_time()
    for frame in frames:
        changes.is_changed(frame)
    return (time.process_time() - started) / len(frames) * 1000


if __name__ == "__main__":
    main()
