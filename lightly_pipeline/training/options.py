"""What a model is trained with: values, known without torch."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lightly_pipeline.config import LightlyConfig
from lightly_pipeline.config.training import DEFAULT_BATCH, network_name

# Raised with every change of the code that changes the weights that come out.
_REVISION = 1
# Of a frame more pixels are kept than a view has, as views are parts of frames.
_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """All that decides over the weights, but for the frames; and where it is done.

    Attributes:
        name: Of the network.
        width: Of the network.
        num_ftrs: Length of an embedding.
        out_dim: Length of what the loss compares.
        epochs: Rounds over all frames.
        batch_size: Frames of a batch; each has two views in it.
        shuffle: Whether each epoch has an order of its own.
        drop_last: Whether a last batch that is not full is left out.
        temperature: Of the loss.
        lr: Learning rate.
        weight_decay: Weight decay.
        views: Options of the `lightly` library's SimCLR transform.
        seed: Of everything random.
        precision: Bits of the network's numbers; 16 on a GPU only.
        start_sha256: Hash of the weights that training starts from; "" for random ones.
        start: Their file.
        num_workers: Processes that make views; -1 for a number that fits.
        gpus: 0 for the CPU; None for a GPU where there is one.
    """

    name: str
    width: int
    num_ftrs: int
    out_dim: int
    epochs: int
    batch_size: int
    shuffle: bool
    drop_last: bool
    temperature: float
    lr: float
    weight_decay: float
    views: dict[str, Any]
    seed: int
    precision: int
    start_sha256: str = ""
    start: Path | None = field(default=None, compare=False)
    num_workers: int = field(default=-1, compare=False)
    gpus: int | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls, config: LightlyConfig, start: Path | None = None, start_sha256: str = ""
    ) -> "TrainingOptions":
        """Returns the options of a configuration.

        Args:
            config: Of the run, checked.
            start: Weights that training starts from.
            start_sha256: Their hash.
        """
        views = config.collate.model_dump(exclude={"kernel_size"})
        views["sigmas"] = tuple(views["sigmas"])
        return cls(
            name=network_name(config),
            width=config.model.width,
            num_ftrs=config.model.num_ftrs,
            out_dim=config.model.out_dim,
            epochs=config.trainer.max_epochs,
            batch_size=config.loader.batch_size or DEFAULT_BATCH,
            shuffle=config.loader.shuffle,
            drop_last=config.loader.drop_last,
            temperature=config.criterion.temperature,
            lr=config.optimizer.lr,
            weight_decay=config.optimizer.weight_decay,
            views=views,
            seed=config.seed,
            precision=config.trainer.precision,
            start_sha256=start_sha256,
            start=start,
            num_workers=config.loader.num_workers,
            gpus=config.trainer.gpus,
        )

    @property
    def input_size(self) -> int:
        """Edge of a view, and of what the model is given of a frame later, in pixels."""
        return int(self.views["input_size"])

    @property
    def kept_size(self) -> int:
        """Edge of what is kept of a frame, in pixels."""
        return round(self.input_size * _MARGIN)

    def identity(self) -> str:
        """Returns a text that differs whenever other weights may come out of the same frames."""
        # Where it is done is left out: a model is not trained anew because a GPU is there now.
        elsewhere = ("start", "num_workers", "gpus")
        decisive = {k: v for k, v in asdict(self).items() if k not in elsewhere}
        return json.dumps([_REVISION, decisive], sort_keys=True)
