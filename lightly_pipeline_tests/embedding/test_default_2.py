"""The encoder that ships with a network is still that network; its bits are in test_encoders.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from benchmarks.quantise import SUM_LIMIT, largest_sum
from lightly_pipeline.embedding import encoder_spec, load_encoder, without_threads
from lightly_pipeline.embedding.families import default_2
from lightly_pipeline.embedding.integers import MIDDLE, STRIDES, IntegerNetwork
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline_tests.embedding.test_encoders import frames
from lightly_pipeline_tests.support.videos import painted

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(encoder_spec("default-2"))


def test_embeddings_of_a_known_picture_are_as_they_were(encoder) -> None:
    picture = np.stack([painted(i, 64, 64, seed=i) for i in (3, 8)])
    known = np.load(Path(__file__).with_name("known_default_2.npy"))
    assert np.array_equal(encoder.encode(picture), known)


def test_no_sum_in_the_network_is_too_large_to_be_exact() -> None:
    tensors = default_2.tensors()
    names = ["stem"]
    for i in range(len(STRIDES)):
        names += [f"{i}.expand", f"{i}.depthwise", f"{i}.project"] if i else []
        names += [] if i else ["0.depthwise", "0.project"]
    limit = 255 - MIDDLE
    for name in [*names, "head"]:
        assert largest_sum(tensors[f"{name}.weight"]) * limit <= SUM_LIMIT, name
        limit = int(tensors[f"{name}.limit"])


def test_in_whole_numbers_it_is_still_the_network_it_was() -> None:
    from lightly_pipeline.embedding.families import efficientnet_lite

    pictures = frames(24)
    spec = replace(encoder_spec("efficientnet-lite0", gpus=0), by_onnx=False)
    original = efficientnet_lite.load(spec)._first.network
    scaled = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.inference_mode():
        expected = original(scaled).numpy()
    found = IntegerNetwork(default_2.tensors()).sums(pictures)
    likeness = [
        np.corrcoef(a, b)[0, 1]
        for a, b in zip(found - found.mean(0), expected - expected.mean(0), strict=True)
    ]
    assert min(likeness) > 0.95


@pytest.mark.parametrize("value", [0, 127, 255])
def test_flat_pictures_give_two_halves_of_unit_length(encoder, value: int) -> None:
    (embedding,) = encoder.encode(np.full((1, 64, 64, 3), value, np.uint8))
    assert np.linalg.norm(embedding[:128]) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(embedding[128:]) == pytest.approx(1, abs=1e-6)


def test_it_starts_no_threads_of_its_own(encoder) -> None:
    def n_threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before = n_threads()
    with without_threads(encoder.spec):
        assert n_threads() == {1}
    assert n_threads() == before


def test_it_fits_into_five_megabytes() -> None:
    assert default_2.size_bytes() < 5_000_000


def test_a_damaged_package_is_told(encoder) -> None:
    with pytest.raises(LightlyPipelineError, match="damaged: reinstall"):
        load_encoder(replace(encoder.spec, weights_sha256="of other weights"))


def test_its_identity_is_its_own_and_it_takes_no_checkpoint() -> None:
    identity = encoder_spec("default-2").identity()
    assert identity != encoder_spec().identity()
    assert identity == encoder_spec("default-2", batch_size=5).identity()
    with pytest.raises(InvalidConfigurationError, match="takes none"):
        encoder_spec("default-2", checkpoint="x.pt")
