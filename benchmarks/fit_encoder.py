"""Fits the default encoder on the labelled scenes and writes its weights into the package.

    python -m benchmarks.fit_encoder

The same scenes give the same file. Only sums over all frames end up in it.
"""

import hashlib

import safetensors.numpy

from benchmarks import fitting
from benchmarks.packaged import fit_list, fit_list_sha256, write_weights
from benchmarks.scenes import changes, load_scenes, samples_folder
from lightly_pipeline.embedding.families.shipped import WEIGHTS_FILE
from lightly_pipeline.embedding.features import BLOCKS, statistics

SEED = 1


def main() -> None:
    """Fits, writes the weights and what they were fitted on."""
    folder = samples_folder()
    scenes = load_scenes(folder)
    kinds = tuple(fitting.ALTERATION_WEIGHTS)
    fitted = fitting.fit(
        statistics(scenes.small), scenes.scene, changes(scenes, kinds, SEED), BLOCKS
    )
    content = safetensors.numpy.save({"mean": fitted.mean, "matrix": fitted.matrix})
    listed = fit_list(folder)
    document = {
        "recipe": "soft HSV histogram and uniform LBP of 64x64 pixels, within-scene whitening",
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "n_frames": len(scenes.scene),
        "fit_list_sha256": fit_list_sha256(listed),
        "fitted_on": listed,
    }
    write_weights(WEIGHTS_FILE, content, document)
    print(f"fitted on {len(scenes.scene)} frames of {len(listed)} scenes; {len(content)} bytes")


if __name__ == "__main__":
    main()
