"""Networks of torch that ONNX Runtime runs, which takes a third to nine tenths of torch's time.

Which ones is decided by `networks.suits_onnx`, before anything is loaded; here one is exported,
in memory, and compared with torch before it is believed.
"""

import io
import warnings
from typing import Any

import numpy as np
import torch

from lightly_pipeline.embedding import sessions
from lightly_pipeline.embedding.protocol import Encoder
from lightly_pipeline.embedding.sessions import SessionEncoder
from lightly_pipeline.embedding.spec import EncoderSpec
from lightly_pipeline.extras import package
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
# Of a vector's length; families measured at most 4e-6 (docs/embedding.md).
_MAX_DIFFERENCE = 1e-4


class _FromBytes(torch.nn.Module):
    """A network behind what brings (B, H, W, 3) bytes into its form."""

    def __init__(self, spec: EncoderSpec, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        mean, std = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (spec.mean, spec.std))
        self.gain, self.offset = 1 / (255 * std), -mean / std

    def forward(self, frames: torch.Tensor) -> Any:
        # Bytes are turned to channels-first, which moves a quarter of what floats would.
        return self.network(frames.permute(0, 3, 1, 2).float() * self.gain + self.offset)


def exported(spec: EncoderSpec, network: torch.nn.Module) -> Encoder | None:
    """Returns the encoder of a network that ONNX Runtime runs.

    None where torch has to run it: it cannot be exported, or gives other numbers then. The log
    says so. That depends on the network and on the releases of both packages alone.

    Args:
        spec: Of the encoder.
        network: Takes (B, 3, H, W) images, their channels scaled; returns (B, dim).

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
    """
    package("onnxruntime", "onnx")
    size = spec.frame_input
    assert size is not None
    shape = (spec.batch_size, size.height, size.width, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    whole = _FromBytes(spec, network).eval()
    try:
        encoder = SessionEncoder(spec, sessions.session(_model(whole, noise), "cpu"))
        found = encoder.encode(noise)
    except Exception as error:  # noqa: BLE001  exporters raise anything
        _say_torch(spec, f"it cannot be exported: {(str(error) or repr(error)).splitlines()[0]}")
        return None
    with torch.inference_mode():
        wanted = whole(torch.from_numpy(noise)).numpy()
    difference = np.linalg.norm(found - wanted, axis=1) / np.linalg.norm(wanted, axis=1)
    if not difference.max() <= _MAX_DIFFERENCE:
        _say_torch(spec, f"exported, it differs by {difference.max():.1g} of a vector's length")
        return None
    return encoder


def _model(whole: _FromBytes, noise: Any) -> bytes:
    content = io.BytesIO()
    # The graph of a failure has no place on standard output.
    torch._C._jit_set_onnx_log_output_stream("stderr")
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        # The exporter that traces takes half a second of CPU time where the newer one takes five.
        export: Any = torch.onnx.export
        export(whole, (torch.from_numpy(noise),), content, dynamo=False)
    return content.getvalue()


def _say_torch(spec: EncoderSpec, why: str) -> None:
    _logger.warning("%s is run by torch, not by ONNX Runtime: %s", spec.name, why)
