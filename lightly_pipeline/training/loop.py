"""Trains a model on frames in memory, epoch after epoch, from the start or from a kept state.

On the CPU the same frames and options give the same bits: sums are split over a fixed number of
threads, and nothing is drawn from a generator that anybody else draws from meanwhile. What is kept
of a training, and where, is the caller's business.
"""

import io
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lightly_pipeline.embedding.families.trained import checkpoint_parameters
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.training.options import TrainingOptions
from lightly_pipeline.training.simclr import SimClr, Views, loss_of, start_from

_logger = logger_of(__name__)
# That compute, on any machine: sums that are split in other ways have other last bits. Threads wait
# for each other at each layer: eight on two cores that are busy, too, took ten times as long.
_N_THREADS = 2
_MOST_WORKERS = 16
FEWEST_FRAMES = 2


@dataclass(frozen=True, slots=True)
class Epoch:
    """One round over all frames.

    Attributes:
        number: From 1.
        loss: Mean over its batches.
        n_frames: That took part.
        seconds: Wall time.
    """

    number: int
    loss: float
    n_frames: int
    seconds: float


class Training:
    """A model that is being trained.

    Args:
        images: Shape (n, edge, edge, 3), at least `FEWEST_FRAMES`.
        options: Of the training.

    Attributes:
        losses: Of the epochs that are over.

    Raises:
        LightlyPipelineError: There are too few frames, or training cannot start from the file.
    """

    def __init__(self, images: NDArray[np.uint8], options: TrainingOptions) -> None:
        if len(images) < FEWEST_FRAMES:
            raise LightlyPipelineError(
                f"worker_config.enable_training: {len(images)} frame(s) are too few to train on, "
                f"{FEWEST_FRAMES} are the least: look at pipeline_config.frame_sampling and at the "
                "videos that could not be read"
            )
        self._options, self._n_frames = options, len(images)
        self._batch_size = min(options.batch_size, len(images))
        self._views = Views(images, options)
        self._device = _device(options)
        self.losses: list[float] = []
        with _own_generators(options.seed):
            self._model = SimClr(options)
        if options.start is not None:
            start_from(self._model, options)
        self._model.to(self._device)
        self._optimizer = torch.optim.SGD(
            self._model.parameters(), lr=options.lr, weight_decay=options.weight_decay
        )
        self._loss = loss_of(options)
        self._is_half = options.precision == 16 and self._device == "cuda"
        self._scaler = torch.amp.GradScaler(self._device, enabled=self._is_half)

    @property
    def n_left(self) -> int:
        """How many epochs are left."""
        return self._options.epochs - len(self.losses)

    def run_epoch(self, on_frames: Callable[[int], None]) -> Epoch:
        """Trains for one round over all frames.

        Args:
            on_frames: Called with the number of frames of each batch.

        Raises:
            LightlyPipelineError: The loss is no number any more.
        """
        began, number = time.monotonic(), len(self.losses)
        self._views.epoch = number
        batches = self._batches(number)
        losses = []
        self._model.train()
        with _own_generators(self._options.seed), _fixed_threads():
            for first, second in self._loader(batches):
                losses.append(self._step(first, second))
                on_frames(len(first))
        loss = sum(losses) / len(losses)
        if not math.isfinite(loss):
            raise LightlyPipelineError(
                f"training: the loss is {loss} in epoch {number + 1}: lower "
                f"lightly_config.optimizer.lr (it is {self._options.lr:g})"
            )
        self.losses.append(loss)
        n_frames = sum(len(batch) for batch in batches)
        return Epoch(number + 1, loss, n_frames, time.monotonic() - began)

    def state(self) -> bytes:
        """Returns all that `go_on` needs."""
        return _saved(
            {
                "model": self._model.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "scaler": self._scaler.state_dict(),
                "losses": self.losses,
            }
        )

    def go_on(self, state: bytes) -> None:
        """Takes up a training of the same options and frames.

        Raises:
            LightlyPipelineError: What was kept cannot be read.
        """
        try:
            kept = torch.load(io.BytesIO(state), map_location=self._device, weights_only=True)
            self._model.load_state_dict(kept["model"])
            self._optimizer.load_state_dict(kept["optimizer"])
            self._scaler.load_state_dict(kept["scaler"])
            self.losses = [float(loss) for loss in kept["losses"]]
        except Exception as error:
            raise LightlyPipelineError(f"a kept training cannot be read: {error}") from error

    def checkpoint(self) -> bytes:
        """Returns the file of the model; the same bytes for the same weights."""
        options = self._options
        said = checkpoint_parameters(
            options.name, options.width, options.num_ftrs, options.input_size
        )
        more = {
            "out_dim": options.out_dim,
            "epochs": len(self.losses),
            "batch_size": options.batch_size,
            "seed": options.seed,
            "n_frames": self._n_frames,
        }
        state = {key: value.cpu().contiguous() for key, value in self._model.state_dict().items()}
        return _saved({"state_dict": state, "hyper_parameters": {**said, **more}})

    def _step(self, first: torch.Tensor, second: torch.Tensor) -> float:
        with torch.autocast(self._device, dtype=torch.float16, enabled=self._is_half):
            projected = [
                self._model(views.to(self._device, non_blocking=True)) for views in (first, second)
            ]
        loss = self._loss(*(projection.float() for projection in projected))
        self._optimizer.zero_grad()
        self._scaler.scale(loss).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return float(loss.detach())

    def _batches(self, epoch: int) -> list[list[int]]:
        """Returns the frames of each batch of an epoch; all but the last one are full."""
        order = np.arange(self._n_frames)
        if self._options.shuffle:
            order = np.random.default_rng([abs(self._options.seed), epoch]).permutation(order)
        size = self._batch_size
        batches = [order[i : i + size].tolist() for i in range(0, self._n_frames, size)]
        # A frame alone has no other to be told apart from.
        is_dropped = len(batches[-1]) < (size if self._options.drop_last else FEWEST_FRAMES)
        return batches[:-1] if is_dropped else batches

    def _loader(self, batches: Sequence[Sequence[int]]) -> Iterator[list[torch.Tensor]]:
        # Loosely typed in torch.
        loader: Any = torch.utils.data.DataLoader(
            self._views,
            batch_sampler=batches,  # type: ignore[arg-type]
            num_workers=_n_workers(self._options.num_workers, self._device),
            pin_memory=self._device == "cuda",
        )
        yield from loader


def _saved(document: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(document, buffer)
    return buffer.getvalue()


def _device(options: TrainingOptions) -> str:
    if options.gpus == 0:
        return "cpu"
    if torch.cuda.is_available():
        if options.gpus is not None and options.gpus > 1:
            _logger.warning("lightly_config.trainer.gpus: one GPU is used to train")
        return "cuda"
    if options.gpus or options.precision == 16:
        _logger.warning(
            "lightly_config.trainer.gpus: no GPU to be seen; training on the CPU, in 32 bits"
        )
    return "cpu"


def _n_workers(wanted: int, device: str) -> int:
    """Returns how many processes make views: on the CPU they would only take the network's time."""
    if wanted >= 0:
        return wanted
    return 0 if device == "cpu" else min(os.cpu_count() or 1, _MOST_WORKERS)


@contextmanager
def _own_generators(seed: int) -> Iterator[None]:
    """Seeds the process's generators; afterwards they are as they were before."""
    before = np.random.get_state()  # noqa: NPY002  the library draws from here
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002  as above


@contextmanager
def _fixed_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(_N_THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)
