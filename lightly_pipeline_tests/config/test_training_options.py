"""What is refused of a configuration that trains, and what one that does not is told."""

from typing import Any

import pytest

from lightly_pipeline.config import RunConfig
from lightly_pipeline.errors import InvalidConfigurationError


@pytest.mark.parametrize(
    ("lightly", "message"),
    [
        ({"model": {"name": "default"}}, "default is not trained here; .* name one of resnet-9"),
        ({"model": {"name": "default+efficientnet-lite0"}}, "is not trained here"),
        ({"model": {"name": "package.module:factory"}}, "is not trained here"),
        ({"model": {"name": "resnet-81"}}, "did you mean resnet-18?"),
        ({"loader": {"batch_size": 1}}, "batch_size: 1 trains nothing"),
        ({"trainer": {"max_epochs": 0}}, "max_epochs: 0 trains nothing"),
        ({"trainer": {"precision": 16, "gpus": 0}}, "precision: 16 needs a GPU"),
        ({"collate": {"input_size": 4}}, "input_size: 4 pixels; use 16 to 1024"),
        ({"collate": {"sigmas": [2, 1]}}, "sigmas: 2 is above 1"),
        ({"collate": {"rr_degrees": [9, -9]}}, "rr_degrees: 9 is above -9"),
    ],
)
def test_what_a_model_cannot_be_trained_with_is_refused_by_name(
    lightly: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidConfigurationError, match=message):
        RunConfig.from_blocks({"enable_training": True}, lightly)
    if "sigmas" not in message:
        RunConfig.from_blocks({}, lightly)


def test_lightly_s_own_block_trains_without_a_warning() -> None:
    block = {
        "loader": {"batchSize": 128, "shuffle": True, "numWorkers": -1, "dropLast": True},
        "model": {"name": "resnet-18", "outDim": 128, "numFtrs": 32, "width": 1},
        "trainer": {"gpus": 1, "maxEpochs": 20, "precision": 32},
        "criterion": {"temperature": 0.5},
        "optimizer": {"lr": 1, "weightDecay": 0.00001},
        "collate": {"inputSize": 64, "sigmas": [0.2, 2], "rrDegrees": [-30, 30]},
        "checkpointCallback": {"saveLast": True},
    }
    config = RunConfig.from_blocks({"enableTraining": True}, block)
    config.check_supported()
    assert config.warnings == ()


def test_options_of_training_say_nothing_where_nothing_is_trained() -> None:
    config = RunConfig.from_blocks({}, {"trainer": {"max_epochs": 3}, "model": {"num_ftrs": 64}})
    (warning,) = config.warnings
    assert warning == (
        "without worker_config.enable_training these options have no effect: "
        "lightly_config.model.num_ftrs, lightly_config.trainer.max_epochs"
    )


def test_crops_of_a_task_are_not_trained_on() -> None:
    config = RunConfig.from_blocks({"enable_training": True, "training": {"task_name": "cars"}})
    with pytest.raises(InvalidConfigurationError, match="not on the crops of a task"):
        config.check_supported()
