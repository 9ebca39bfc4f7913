"""Which encoder is meant, and what it wants of a frame: values, known without loading it.

A spec enters the embedding id, so it names everything that decides over the numbers. Which names
there are is in `names.py`; loading and running encoders is the families' business.
"""

from dataclasses import dataclass
from typing import Literal

from lightly_pipeline.extras import is_installed
from lightly_pipeline.video import FrameInput

Precision = Literal[16, 32]
Channels = tuple[float, float, float]
# Of ImageNet's training images, 0 to 1: most networks were trained with them.
IMAGENET_MEAN: Channels = (0.485, 0.456, 0.406)
IMAGENET_STD: Channels = (0.229, 0.224, 0.225)
# Frames per call of a network. On the CPU more leave the cache: of some networks sixteen take 1.7
# times the time of four (docs/embedding.md). A GPU wants more to do.
CPU_BATCH, GPU_BATCH = 4, 64
# Calls of a network at once on a GPU: one brings frames there while the other is computed.
CALLS_PER_GPU = 2


@dataclass(frozen=True, slots=True)
class EncoderRequest:
    """What a configuration says of its encoder.

    Attributes:
        name: `lightly_config.model.name`.
        checkpoint: Local weights file; None for the encoder's own.
        gpus: On how many GPUs a network runs; 0 for the CPU.
        precision: Bits of the numbers inside a network; 16 on a GPU only.
        batch_size: Frames per call; None for the encoder's own.
    """

    name: str
    checkpoint: str | None = None
    gpus: int = 0
    precision: Precision = 32
    batch_size: int | None = None

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where a network runs."""
        return "cuda" if self.gpus else "cpu"

    @property
    def network_batch(self) -> int:
        """Frames that a network is run on at once."""
        if self.gpus:
            return self.batch_size or GPU_BATCH
        return min(self.batch_size or CPU_BATCH, CPU_BATCH)


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """What a network wants of a frame, and how long the vector is that it gives.

    Attributes:
        dim: Length of an embedding.
        frame_input: The image.
        mean: Subtracted from the channels, which are 0 to 1.
        std: What they are divided by then.
        suits_onnx: Whether ONNX Runtime is the faster engine for it on a CPU.
    """

    dim: int
    frame_input: FrameInput
    mean: Channels = IMAGENET_MEAN
    std: Channels = IMAGENET_STD
    suits_onnx: bool = False

    def spec(
        self, request: EncoderRequest, family: str, *, sha256: str, weights: str | None
    ) -> "EncoderSpec":
        """Returns the spec of the network with some weights.

        Args:
            request: What the configuration says.
            family: Module of `embedding.families` that loads it.
            sha256: Of the weights.
            weights: Their file; None where they ship with a package.
        """
        return EncoderSpec(
            name=request.name,
            dim=self.dim,
            frame_input=self.frame_input,
            weights_sha256=sha256,
            batch_size=request.network_batch,
            family=family,
            weights=weights,
            mean=self.mean,
            std=self.std,
            device=request.device,
            n_gpus=request.gpus,
            precision=request.precision,
            by_onnx=self.suits_onnx and not request.gpus and is_installed("onnx", "onnxruntime"),
        )


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """An encoder by all that its numbers depend on.

    Attributes:
        name: As a configuration spells it.
        dim: Length of an embedding.
        frame_input: The image it wants of each frame; None for one that looks at none.
        weights_sha256: Hash of its weights' content.
        batch_size: Frames per call; networks always see full, padded batches.
        family: Module of `embedding.families` that loads it; "own" for one that is handed in.
        weights: Local weights file; None where they ship with a package.
        mean: Subtracted from the channels, which are 0 to 1; networks only.
        std: What they are divided by then.
        device: Where a network runs.
        n_gpus: On how many GPUs; which of them it was does not show.
        precision: Bits of the numbers inside a network.
        by_onnx: Whether a network of torch is exported and run by ONNX Runtime.
        in_any_batch: Whether a frame's bits are the same in every batch and on every machine.
        revision: Raised with every change of the encoder's code that changes a bit; 0 for none.
    """

    name: str
    dim: int
    frame_input: FrameInput | None
    weights_sha256: str
    batch_size: int
    family: str = "own"
    weights: str | None = None
    mean: Channels = IMAGENET_MEAN
    std: Channels = IMAGENET_STD
    device: Literal["cpu", "cuda"] = "cpu"
    n_gpus: int = 0
    precision: Precision = 32
    by_onnx: bool = False
    in_any_batch: bool = False
    revision: int = 0

    def identity(self) -> str:
        """Returns a stable text that differs whenever the embeddings may differ."""
        code = f"{self.name} {self.revision}" if self.revision else self.name
        seen = self.frame_input.describe() if self.frame_input else "nothing"
        what = f"{code} {self.weights_sha256} {seen}"
        if self.in_any_batch:
            return what
        # A network's last bits depend on the batch it is run in.
        scaled = "".join(f" {number:.6g}" for number in (*self.mean, *self.std))
        engine = " by ONNX Runtime" if self.by_onnx else ""
        return f"{what}{scaled} {self.precision} {self.device} batch {self.batch_size}{engine}"


NO_ENCODER = EncoderSpec(
    name="none",
    dim=0,
    frame_input=None,
    weights_sha256="",
    batch_size=1024,
    family="none",
    in_any_batch=True,
)
"""For tables of frames alone: their embeddings are no business of this package."""
