"""How much of a bare loop's speed a network keeps inside the chain, on the CPU and on GPUs.

    python -m benchmarks.networks [--device cpu|cuda] [--repeats 5] [--threads N] [--batch 64 ...]
                                  [--precision 16] [--networks NAME ...] [--video FILE]

Weights are random: speed does not depend on them. On the CPU each network is run four ways in
turns, by as many threads as there are cores: torch in a bare loop over ready bytes (normalise,
channels-last, network; in batches of ours and of the best size), ONNX Runtime in a bare loop over
ready floats where it is the engine, our encoder on frames in memory as a table hands them over, and
the chain, which decodes as many copies of a clip as there are threads and writes tables. Processor
time; decoding is that of the video layer, without a network. On GPUs: frames per second by the
clock, of the network alone on tensors that lie there, of ours from memory, and of the chain.
"""

import argparse
import importlib
import io
import os
import statistics
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.clips import clip
from lightly_pipeline.embedding import CheckedEncoder, encoder_spec, load_encoder, without_threads
from lightly_pipeline.embedding.names import family_of

# With the clip that is decoded: the large network sees few frames.
_ON_CPU = {
    "resnet-18": "h264-2s",
    "efficientnet-lite0": "h264-2s",
    "mobilenet_v3_small": "h264-2s",
    "timm/vit_small_patch14_dinov2": "h264-short",
}
_ON_GPU = ("resnet-18", "timm/vit_small_patch14_dinov2", "open_clip/ViT-B-32/random")
_BATCHES = (1, 4, 8, 16)
_GPU_BATCHES = [64, 128, 256, 512]
_GPU_FRAMES = 4096


# Runs a number of frames; returns how many they were.
Way = Callable[[], int]


class Spent(NamedTuple):
    """Seconds per frame that something took, by the clock and of all processors."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Subject:
    """A network and our encoder of it, with the same weights.

    Attributes:
        network: Takes (B, 3, H, W) floats, on the device that the encoder uses.
        encoder: Ours.
        threads: How many hand frames over at once.
    """

    network: torch.nn.Module
    encoder: CheckedEncoder
    threads: int

    @property
    def device(self) -> str:
        """Where the network is."""
        return self.encoder.spec.device

    def pictures(self, n: int) -> np.ndarray:
        """Returns `n` frames of noise as the encoder wants them."""
        size = self.encoder.spec.frame_input
        shape = (n, size.height, size.width, 3)
        return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def bare(self, batch: int, n_frames: int) -> Way:
        """Returns a loop of torch over bytes that lie ready on the device."""
        spec, ready = self.encoder.spec, torch.from_numpy(self.pictures(batch)).to(self.device)
        mean, std = (
            torch.tensor(c, device=self.device).view(1, 3, 1, 1) for c in (spec.mean, spec.std)
        )
        dtype = torch.float16 if spec.precision == 16 else torch.float32

        def once() -> None:
            with torch.inference_mode():
                images = (ready.permute(0, 3, 1, 2).float() / 255 - mean) / std
                self.network(images.to(dtype))

        def on_gpu() -> int:
            for _ in range(n_frames // batch):
                once()
            torch.cuda.synchronize()
            return n_frames // batch * batch

        return on_gpu if self.device == "cuda" else self._repeated(once, batch, n_frames)

    def bare_onnx(self, n_frames: int) -> Way:
        """Returns a loop of ONNX Runtime over floats that lie ready."""
        from lightly_pipeline.embedding import sessions

        batch, size = self.encoder.spec.batch_size, self.encoder.spec.frame_input
        ready, content = torch.zeros(batch, 3, size.height, size.width), io.BytesIO()
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            export: Any = torch.onnx.export
            export(self.network, (ready,), content, dynamo=False)
        session, images = sessions.session(content.getvalue(), "cpu"), ready.numpy()
        return self._repeated(lambda: sessions.run(session, images), batch, n_frames)

    def memory(self, n_frames: int) -> Way:
        """Returns what hands frames in memory to our encoder, as a table's maker does."""
        piece = self.pictures(self.encoder.piece)
        share = max(n_frames // len(piece) // self.threads, 1)

        def one_video() -> int:
            waiting = deque()
            for _ in range(share):
                waiting.append(self.encoder.submit(piece))
                if len(waiting) > self.encoder.n_ahead:
                    waiting.popleft()()
            while waiting:
                waiting.popleft()()
            return share * len(piece)

        return lambda: self._at_once(one_video, self.threads)

    def decoding(self, video: Path, n_videos: int) -> Way:
        """Returns what decodes copies of a video and scales their frames, without a network."""
        from lightly_pipeline.video import open_video

        def one_video() -> int:
            with open_video(video) as opened:
                return sum(1 for _ in opened.frames(self.encoder.spec.frame_input))

        return lambda: self._at_once(one_video, n_videos)

    def _repeated(self, once: Callable[[], object], batch: int, n_frames: int) -> Way:
        share = max(n_frames // batch // self.threads, 1)

        def one_thread() -> int:
            for _ in range(share):
                once()
            return share * batch

        return lambda: self._at_once(one_thread, self.threads)

    def _at_once(self, one: Way, times: int) -> int:
        with ThreadPoolExecutor(self.threads) as pool:
            return sum(pool.map(lambda _: one(), range(times)))

    def chain(self, video: Path, n_videos: int) -> int:
        """Lists, decodes and embeds copies of a video; returns how many frames that were."""
        from lightly_pipeline import Dataset, LocalDatasource
        from lightly_pipeline.steps.listing import list_catalog
        from lightly_pipeline.steps.processing import process_videos
        from lightly_pipeline.steps.setup import Run, resolve_config

        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "in"), Path(folder, "out")
            source.mkdir()
            for number in range(n_videos):
                (source / f"{number}.mp4").symlink_to(video.resolve())
            places = {"input": LocalDatasource(source), "lightly": LocalDatasource(target)}
            dataset = Dataset("bench", **places)
            config = resolve_config(dataset, worker_config={"num_threads": self.threads})
            run = Run(dataset, config, "bench")
            # The encoder is loaded already: how long that takes is another question.
            vars(run)["encoder"] = self.encoder.spec
            vars(run)["tables"] = replace(run.tables, load_encoder=lambda: self.encoder)
            return sum(video.n_frames for video in process_videos(run, list_catalog(run)).outcomes)


def main() -> None:
    """Prints the figures of one device."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), action="append")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--networks", nargs="+")
    parser.add_argument("--video", type=Path, help="in place of the clips")
    parser.add_argument("--batch", type=int, nargs="+", help="as on GPUs, on the device given")
    parser.add_argument("--precision", type=int, choices=(16, 32), default=16, help="on GPUs")
    parser.add_argument("--frames", type=int, default=_GPU_FRAMES, help="from memory, on GPUs")
    options = parser.parse_args()
    for device in options.device or ("cpu", "cuda"):
        if device == "cuda" and not torch.cuda.is_available():
            print("no GPU is seen: nothing is measured on one")
        elif device == "cuda" or options.batch:
            _by_batch(device, options)
        else:
            _on_cpu(options)


def _on_cpu(options: argparse.Namespace) -> None:
    print(f"CPU, {options.threads} threads, ms of processor time per frame, medians in turns")
    for name in options.networks or _ON_CPU:
        subject = _subject(name, "cpu", options.threads)
        video = options.video or clip(_ON_CPU.get(name, "h264-2s"))
        with without_threads(subject.encoder.spec):
            _row(name, subject, video, options.repeats)


def _row(name: str, subject: Subject, video: Path, repeats: int) -> None:
    spec = subject.encoder.spec
    n_frames = subject.chain(video, subject.threads)
    sizes = [size for size in _BATCHES if size * subject.threads <= n_frames]
    own, with_onnx = f"torch, bare, {spec.batch_size} at once", "ONNX Runtime, bare"
    ways = {f"torch, bare, {size} at once": subject.bare(size, n_frames) for size in sizes}
    bare = [*ways, with_onnx] if spec.by_onnx else list(ways)
    if spec.by_onnx:
        ways[with_onnx] = subject.bare_onnx(n_frames)
    ways |= {
        "ours from memory": subject.memory(n_frames),
        "decoding": subject.decoding(video, subject.threads),
        "chain": lambda: subject.chain(video, subject.threads),
    }
    turns = [{key: _spent(way) for key, way in ways.items()} for _ in range(repeats + 1)][1:]
    print(f"\n{name}, {'ONNX Runtime' if spec.by_onnx else 'torch'}, {n_frames} frames of 1080p")
    for key in ways:
        cpu, wall = (statistics.median(getattr(t[key], x) for t in turns) for x in ("cpu", "wall"))
        print(f"  {key:28}{1e3 * cpu:8.2f}{1 / wall:8.0f} frames/s by the clock")
    best = min(bare[: len(sizes)], key=lambda key: statistics.median(t[key].cpu for t in turns))
    for key in dict.fromkeys((own, best, *bare[len(sizes) :])):
        print(f"  of {key}: {_readings(key, turns)}")


def _readings(key: str, turns: list[dict[str, Spent]]) -> str:
    """Returns what of a bare loop's frames/s is left from memory, and both ways in the chain."""
    pairs = [(turn[key].cpu, turn) for turn in turns]
    memory = statistics.median(bare / t["ours from memory"].cpu for bare, t in pairs)
    both = statistics.median((bare + t["decoding"].cpu) / t["chain"].cpu for bare, t in pairs)
    alone = statistics.median(bare / (t["chain"].cpu - t["decoding"].cpu) for bare, t in pairs)
    return f"memory {memory:.2f}; chain with decoding {both:.2f}, less decoding {alone:.2f}"


def _by_batch(device: str, options: argparse.Namespace) -> None:
    where = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    n_videos = 2 * options.threads
    print(f"{where}, {options.threads} threads, frames per second by the clock, medians in turns")
    for name in options.networks or _ON_GPU:
        print(f"\n{name}{'batch':>{48 - len(name)}}{'bare':>9}{'memory':>9}{'of bare':>9}")
        for batch in options.batch or _GPU_BATCHES:
            subject = _subject(name, device, options.threads, batch, options.precision)
            with without_threads(subject.encoder.spec):
                bare, memory = subject.bare(batch, options.frames), subject.memory(options.frames)
                bare(), memory()
                turns = [(_spent(bare).wall, _spent(memory).wall) for _ in range(options.repeats)]
            fast, ours = (1 / statistics.median(t[i] for t in turns) for i in (0, 1))
            share = statistics.median(a / b for a, b in turns)
            print(f"{batch:48}{fast:9.0f}{ours:9.0f}{share:9.2f}", flush=True)
        video = options.video or clip("h264")
        with without_threads(subject.encoder.spec):
            subject.chain(video, n_videos)
            chain = 1 / _spent(lambda: subject.chain(video, n_videos)).wall  # noqa: B023
        alone = 1 / _spent(subject.decoding(video, n_videos)).wall
        print(f"  chain {chain:.0f}, decoding alone {alone:.0f}: {chain / alone:.2f} of it")


def _spent(way: Way) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    n_frames = way()
    return Spent((time.perf_counter() - wall) / n_frames, (time.process_time() - cpu) / n_frames)


def _subject(
    name: str, device: str, threads: int, batch: int | None = None, precision: int = 32
) -> Subject:
    family = importlib.import_module(f"lightly_pipeline.embedding.families.{family_of(name)}")
    torch.manual_seed(0)
    build = getattr(family, "network", None) or family._network
    built = build(name)
    built = built[0] if isinstance(built, tuple) else built
    gpus = int(device == "cuda")
    bits = precision if gpus else 32
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "weights.pt")
        torch.save(built.state_dict(), file)
        spec = encoder_spec(name, checkpoint=str(file), gpus=gpus, precision=bits, batch_size=batch)
        encoder = load_encoder(spec)
    network = built.visual if hasattr(built, "visual") else built
    network = network.eval().to(device, torch.float16 if bits == 16 else torch.float32)
    return Subject(network.to(memory_format=torch.channels_last), encoder, threads)


if __name__ == "__main__":
    main()
