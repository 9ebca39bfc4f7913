"""`lightly_config`: the embedding model and how one is trained.

The fields of Lightly's schema; which of them have an effect here is listed in `support.py`.
"""

from typing import Annotated, Literal

from pydantic import Field

from lightly_pipeline.config.base import StrictModel

Probability = Annotated[float, Field(ge=0, le=1)]
AtLeastOne = Annotated[int, Field(ge=1)]


class CheckpointCallback(StrictModel):
    """`lightly_config.checkpoint_callback`."""

    save_last: bool = Field(True, description="Keep the last epoch's model.")


class Loader(StrictModel):
    """`lightly_config.loader`."""

    batch_size: AtLeastOne | None = Field(
        None, description="Frames embedded, or trained on, at once."
    )
    shuffle: bool = Field(True, description="Shuffle when training.")
    num_workers: Annotated[int, Field(ge=-1)] = Field(
        -1, description="Processes that load frames when training."
    )
    drop_last: bool = Field(True, description="Drop the last batch when training.")


class Model(StrictModel):
    """`lightly_config.model`."""

    name: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="Encoder: default and default-2 (need no download), efficientnet-lite0, "
        "default+efficientnet-lite0, resnet-18 or another of torchvision, timm/NAME, "
        "open_clip/NAME/PRETRAINED, onnx:PATH, torchscript:PATH, package.module:factory.",
    )
    out_dim: AtLeastOne = Field(128, description="Size of the training projection.")
    num_ftrs: AtLeastOne = Field(32, description="Size of the embedding of a trained model.")
    width: AtLeastOne = Field(1, description="Width of the network.")


class Trainer(StrictModel):
    """`lightly_config.trainer`."""

    gpus: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="On how many GPUs a network runs; by default on all that are there, 0 is the "
        "CPU.",
    )
    max_epochs: Annotated[int, Field(ge=0)] = Field(100, description="Training epochs.")
    precision: Literal[16, 32] = Field(32, description="Bits of a network's numbers on a GPU.")


class Criterion(StrictModel):
    """`lightly_config.criterion`."""

    temperature: float = Field(0.5, gt=0, description="Of the training loss.")


class Optimizer(StrictModel):
    """`lightly_config.optimizer`."""

    lr: float = Field(1.0, ge=0, description="Learning rate.")
    weight_decay: Probability = Field(0.00001, description="Weight decay.")


class Collate(StrictModel):
    """`lightly_config.collate`."""

    input_size: AtLeastOne = Field(64, description="Pixels fed to the model in training.")
    cj_prob: Probability = Field(0.8, description="Probability of colour jitter.")
    cj_bright: Probability = Field(0.7, description="Brightness jitter.")
    cj_contrast: Probability = Field(0.7, description="Contrast jitter.")
    cj_sat: Probability = Field(0.7, description="Saturation jitter.")
    cj_hue: Probability = Field(0.2, description="Hue jitter.")
    min_scale: Probability = Field(0.15, description="Smallest crop.")
    random_gray_scale: Probability = Field(0.2, description="Probability of greyscale.")
    gaussian_blur: Probability = Field(0.5, description="Probability of blur.")
    sigmas: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2)] = (
        Field([0.2, 2.0], description="Range of the blur.")
    )
    kernel_size: Annotated[float, Field(ge=0)] | None = Field(None, description="Old blur size.")
    vf_prob: Probability = Field(0.0, description="Probability of a vertical flip.")
    hf_prob: Probability = Field(0.5, description="Probability of a horizontal flip.")
    rr_prob: Probability = Field(0.0, description="Probability of a rotation.")
    rr_degrees: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Range of the rotation."
    )


class LightlyConfig(StrictModel):
    """`lightly_config` in Lightly's shape."""

    seed: int = Field(1, description="Seed of everything random.")
    checkpoint_callback: CheckpointCallback = Field(
        default_factory=CheckpointCallback, description="Which trained models are kept."
    )
    loader: Loader = Field(default_factory=Loader, description="How frames are batched.")
    model: Model = Field(default_factory=Model, description="The embedding model.")
    trainer: Trainer = Field(default_factory=Trainer, description="Where and how long to train.")
    criterion: Criterion = Field(default_factory=Criterion, description="The training loss.")
    optimizer: Optimizer = Field(default_factory=Optimizer, description="The optimiser.")
    collate: Collate = Field(default_factory=Collate, description="Training augmentations.")
