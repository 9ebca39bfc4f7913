"""The parts of SimCLR: the network with its projection head, and the two views of each frame.

The `lightly` library's transform, head and loss (extra `training`), on torchvision's ResNet.
"""

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lightly_pipeline.embedding.families.trained import backbone
from lightly_pipeline.embedding.networks import read_weights
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.extras import package
from lightly_pipeline.logs import logger_of
from lightly_pipeline.training.options import TrainingOptions

EXTRA = "training"
_logger = logger_of(__name__)


class SimClr(torch.nn.Module):
    """A ResNet that gives embeddings, and the head that projects them for the loss.

    Args:
        options: Of the training.
    """

    def __init__(self, options: TrainingOptions) -> None:
        super().__init__()
        self.backbone = backbone(options.name, options.width, options.num_ftrs)
        heads = package("lightly.models.modules", EXTRA)
        self.projection_head = heads.SimCLRProjectionHead(
            options.num_ftrs, options.num_ftrs, options.out_dim
        )

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Returns projections (B, out_dim) of views (B, 3, H, W)."""
        projected: torch.Tensor = self.projection_head(self.backbone(views))
        return projected


def loss_of(options: TrainingOptions) -> torch.nn.Module:
    """Returns the loss of two batches of projections."""
    loss: torch.nn.Module = package("lightly.loss", EXTRA).NTXentLoss(
        temperature=options.temperature
    )
    return loss


def start_from(model: SimClr, options: TrainingOptions) -> None:
    """Loads the weights that training starts from: a run's checkpoint, or those of a ResNet.

    Layers that the file does not have, or has in another size, keep their random weights: the
    last one of a network that was trained to name classes, and the head.

    Raises:
        InvalidConfigurationError: The file is of another network.
        LightlyPipelineError: It cannot be read as weights.
    """
    assert options.start is not None
    wanted = model.state_dict()
    read = read_weights(options.start)
    found = {}
    for key, tensor in read.items():
        name = key.removeprefix("module.")
        name = name if name in wanted else f"backbone.{name.removeprefix('model.')}"
        if name in wanted and wanted[name].shape == tensor.shape:
            found[name] = tensor
    body = [
        key
        for key in wanted
        if key.startswith("backbone.")
        and not key.startswith("backbone.fc.")
        # Older files do not count batches.
        and not key.endswith("num_batches_tracked")
    ]
    lacking = [key for key in body if key not in found]
    if lacking:
        raise InvalidConfigurationError(
            f"worker_config.checkpoint {options.start}: no {options.name} of width "
            f"{options.width} can start from it: {len(lacking)} of {len(body)} tensors are missing "
            f"or of another shape, the first is {lacking[0].removeprefix('backbone.')}"
        )
    model.load_state_dict(found, strict=False)
    _logger.info("training starts from %s (%d of %d tensors)", options.start, len(found), len(read))


class Views(torch.utils.data.Dataset[Any]):
    """Two views of each frame, drawn anew in every epoch.

    What is drawn depends on the seed, the epoch and the frame alone: not on who draws it, nor on
    what was drawn before, so that a training that was interrupted goes on as if it had not been.

    Args:
        images: Shape (n, edge, edge, 3).
        options: Of the training.

    Attributes:
        epoch: From 0.
    """

    def __init__(self, images: NDArray[np.uint8], options: TrainingOptions) -> None:
        self._images, self._seed = images, options.seed
        self._transform = package("lightly.transforms", EXTRA).SimCLRTransform(**options.views)
        self.epoch = 0

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the views of a frame, (3, size, size) each."""
        text = f"{self._seed} {self.epoch} {number}".encode()
        seed = int.from_bytes(hashlib.blake2b(text, digest_size=4).digest())
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  the library draws from here
        first, second = self._transform(Image.fromarray(self._images[number]))
        return first, second
