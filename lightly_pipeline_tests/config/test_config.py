"""A configuration written for Lightly works; a wrong one is answered with the right one."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from lightly_pipeline.config import (
    DatasetType,
    LightlyConfig,
    PipelineConfig,
    RunBlocks,
    RunConfig,
    SelectionConfig,
    WorkerConfig,
    load_config_file,
)
from lightly_pipeline.config.base import model_of
from lightly_pipeline.config.strategies import COMBINATIONS
from lightly_pipeline.config.support import REFUSED, Support, support_of
from lightly_pipeline.errors import InvalidConfigurationError

DIVERSITY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
MODELS: dict[str, type[BaseModel]] = {
    "worker_config": WorkerConfig,
    "lightly_config": LightlyConfig,
    "selection_config": SelectionConfig,
    "pipeline_config": PipelineConfig,
}


def options(model: type[BaseModel], path: str) -> Iterator[str]:
    """Dotted paths of all options of a block."""
    for name, info in model.model_fields.items():
        nested = model_of(info.annotation)
        if nested is None:
            yield f"{path}.{name}"
        else:
            yield from options(nested, f"{path}.{name}")


ALL_OPTIONS = [o for name, model in MODELS.items() for o in options(model, name)]


def test_the_pages_default() -> None:
    config = RunConfig.from_blocks()
    config.check_supported()
    assert config.selection.n_samples == 50
    assert config.worker.output_image_format == "png"
    assert config.worker.resize is None
    assert config.warnings == ()
    assert config.as_dict()["selection_config"]["strategies"][0]["input"] == {"type": "EMBEDDINGS"}


def test_the_pages_own_listing_is_accepted_unchanged() -> None:
    config = RunConfig.from_blocks(
        worker_config={"output_image_format": "png"},
        selection_config={"n_samples": 50, "strategies": [DIVERSITY]},
    )
    config.check_supported()


FULL: dict[str, Any] = {
    "worker_config": {
        "use_datapool": False,
        "corruptness_check": {"corruption_threshold": 0.1},
        "datasource": {
            "bypass_verify": True,
            "input_expiration": {"min_days_to_expiration": 2, "handling_strategy": "SKIP"},
        },
        "num_threads": 3,
        "output_image_format": "JPEG",
        "resize": [480, 640],
    },
    "lightly_config": {
        "loader": {"batch_size": 8},
        "collate": {"cj_prob": 0.5, "sigmas": [0.1, 1]},
    },
    "selection_config": {
        "proportion_samples": 0.25,
        "strategies": [
            {
                "input": {"type": "METADATA", "key": "a.b"},
                "strategy": {"type": "BALANCE", "target": {"some_Class": 0.3}},
            }
        ],
    },
}


def camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {k if k == "some_Class" else to_camel(k): camel(v) for k, v in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


def test_camel_case_means_the_same_at_every_depth() -> None:
    config = RunConfig.from_blocks(**camel_blocks())
    assert config == RunConfig.from_blocks(**FULL)
    assert config.worker.resize == (480, 640)
    assert config.worker.output_image_format == "jpeg"
    assert config.selection.strategies[0].strategy.target == {"some_Class": 0.3}


def camel_blocks() -> dict[str, Any]:
    return {name: camel(block) for name, block in FULL.items()}


@given(st.sampled_from(ALL_OPTIONS))
def test_every_option_has_a_camel_case_name_that_leads_back(option: str) -> None:
    from pydantic.alias_generators import to_snake

    for part in option.split("."):
        assert to_snake(to_camel(part)) == part


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"worker_config": {"output_image_fromat": "png"}}, "did you mean output_image_format"),
        ({"worker_config": {"outputImageFromat": "png"}}, "did you mean output_image_format"),
        (
            {"worker_config": {"datasource": {"proces_all": True}}},
            r"worker_config\.datasource\.proces_all.*did you mean process_all",
        ),
        ({"worker_config": {"remove_exact_duplicates": True}}, "remove it"),
        ({"worker_config": {"num_threads": "2"}}, "num_threads: .*integer, got '2'"),
        ({"worker_config": {"output_image_format": "gif"}}, "'png', 'jpg'.*got 'gif'"),
        ({"worker_config": {"resize": -1.0}}, "shorter edge"),
        ({"lightly_config": {"optimizer": {"lr": float("nan")}}}, "finite"),
        ({"worker_config": {"resize": 0}}, "shorter edge.*got 0"),
        ({"worker_config": {"resize": [1, 2, 3]}}, "height, width"),
        (
            {"worker_config": {"checkpoint": "a", "checkpoint_run_id": "0" * 24}},
            "exclude each other",
        ),
        ({"lightly_config": {"model": {"name": ""}}}, "model.name"),
        ({"lightly_config": {"optimizer": {"weight_decay": 2}}}, "weight_decay"),
        ({"selection_config": {"n_samples": 5.0}}, "integer, got 5.0"),
        ({"selection_config": {"n_samples": 0}}, "nothing would be selected"),
        (
            {"selection_config": {"n_samples": 5, "proportion_samples": 0.1}},
            "exactly one of .*both",
        ),
        ({"selection_config": {"proportion_samples": 1.5}}, "proportion_samples"),
        ({"selection_config": {"strategies": []}}, "strategies"),
        (
            {"selection_config": {"strategies": [{**DIVERSITY, "strength": 2}]}},
            "belongs inside strategy",
        ),
        ({"selection_config": {"n_samples": 3, "nSamples": 4}}, "given twice"),
        ({"selection_config": []}, "expected keys and values"),
    ],
)
def test_mistakes_are_answered_with_what_to_write(blocks: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=message):
        RunConfig.from_blocks(**blocks)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(InvalidConfigurationError) as caught:
        RunConfig.from_blocks({"num_threads": "2", "no_such": 1, "resize": "big"})
    assert all(name in str(caught.value) for name in ("num_threads", "no_such", "resize"))


@pytest.mark.parametrize("kind", COMBINATIONS)
@pytest.mark.parametrize("strategy", sorted({s for v in COMBINATIONS.values() for s in v}))
def test_impossible_combinations_are_refused_with_the_possible_ones(
    kind: str, strategy: str
) -> None:
    inputs: dict[str, dict[str, Any]] = {
        "EMBEDDINGS": {},
        "EMBEDDINGS with task": {"task": "t"},
        "EMBEDDINGS with task and tag_name": {"task": "t", "tag_name": "some tag"},
        "EMBEDDINGS with tag_name": {"dataset_id": "a" * 24, "tag_name": "some tag"},
        "SCORES": {"task": "t", "score": "s"},
        "METADATA": {"key": "k"},
        "PREDICTIONS CLASS_DISTRIBUTION": {"task": "t", "name": "CLASS_DISTRIBUTION"},
        "PREDICTIONS CATEGORY_COUNT": {"task": "t", "name": "CATEGORY_COUNT"},
        "RANDOM": {"random_seed": 3},
    }
    needs: dict[str, dict[str, Any]] = {
        "THRESHOLD": {"threshold": 1, "operation": "BIGGER"},
        "BALANCE": {"distribution": "UNIFORM"},
    }
    entry = {
        "input": {"type": kind.split(" ", maxsplit=1)[0], **inputs[kind]},
        "strategy": {"type": strategy, **needs.get(strategy, {})},
    }
    block = {"n_samples": 3, "strategies": [entry]}
    if strategy not in COMBINATIONS[kind]:
        with pytest.raises(InvalidConfigurationError, match=COMBINATIONS[kind][0]):
            RunConfig.from_blocks(selection_config=block)
        return
    RunConfig.from_blocks(selection_config=block).check_supported()


def test_objects_need_an_encoder() -> None:
    objects = {"input": {"type": "EMBEDDINGS", "task": "cars"}, "strategy": {"type": "DIVERSITY"}}
    with pytest.raises(InvalidConfigurationError, match="does not go with worker_config"):
        RunConfig.from_blocks(
            worker_config={"embeddings": ".lightly/embeddings/own.csv"},
            selection_config={"n_samples": 2, "strategies": [objects]},
        )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"input": {"type": "EMBEDDINGS", "key": "k"}, "strategy": {"type": "DIVERSITY"}},
            "key does not belong",
        ),
        ({"input": {"type": "METADATA"}, "strategy": {"type": "WEIGHTS"}}, "needs key"),
        (
            {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY", "threshold": 1}},
            "to THRESHOLD",
        ),
        (
            {"input": {"type": "METADATA", "key": "k"}, "strategy": {"type": "THRESHOLD"}},
            "needs threshold",
        ),
        (
            {"input": {"type": "METADATA", "key": "k"}, "strategy": {"type": "BALANCE"}},
            "needs target",
        ),
    ],
)
def test_options_belong_to_their_types(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=message):
        RunConfig.from_blocks(selection_config={"n_samples": 1, "strategies": [entry]})


def test_options_without_effect_are_named_in_one_warning_for_each_reason() -> None:
    config = RunConfig.from_blocks(
        {"cache_size": 5},
        {"trainer": {"max_epochs": 3}, "optimizer": {"lr": 0.1}},
    )
    config.check_supported()
    of_saas, of_training = config.warnings
    assert "cache_size" in of_saas
    for name in ("max_epochs", "optimizer.lr"):
        assert name in of_training


def test_what_is_not_executed_is_refused_unless_it_is_at_its_neutral_value() -> None:
    neutral = {"embeddings": "", "enable_training": False, "pretagging": False}
    RunConfig.from_blocks(neutral).check_supported()
    wanted = {"training": {"task_name": "cars"}, "pretagging": True}
    with pytest.raises(InvalidConfigurationError) as caught:
        RunConfig.from_blocks(wanted).check_supported()
    for name, option in (("training.task_name", "training"), ("pretagging", "pretagging")):
        reason = REFUSED[f"worker_config.{option}"]
        assert f"worker_config.{name} ({reason})" in str(caught.value)


def test_what_is_refused_has_a_reason_and_nothing_else_has_one() -> None:
    refused = {option for option in ALL_OPTIONS if support_of(option) is Support.REFUSED}
    spoken_for = {o for o in refused if any(o == r or o.startswith(f"{r}.") for r in REFUSED)}
    assert spoken_for == refused
    known = {*COMBINATIONS, *(f"DatasetType.{kind.name}" for kind in DatasetType)}
    for what in REFUSED.keys() - known:
        assert any(option == what or option.startswith(f"{what}.") for option in refused), what


def test_sequences_take_whole_numbers_of_frames() -> None:
    worker = {"selected_sequence_length": 10}
    RunConfig.from_blocks(worker, selection_config={"n_samples": 50}).check_supported()
    RunConfig.from_blocks(worker, selection_config={"proportion_samples": 0.5}).check_supported()
    with pytest.raises(InvalidConfigurationError, match=r"n_samples: 47 .* of 10 .*use 40 or 50"):
        RunConfig.from_blocks(worker, selection_config={"n_samples": 47})
    with pytest.raises(InvalidConfigurationError, match="remove_exact_duplicates does not go with"):
        RunConfig.from_blocks(worker, pipeline_config={"remove_exact_duplicates": True})


def test_an_approximation_of_diversity_is_refused_where_there_is_none_alone() -> None:
    own = {"approximateDiversity": {"everyNth": 10}}
    assert RunConfig.from_blocks(pipeline_config=own).pipeline.approximate_diversity.every_nth == 10
    random = {"input": {"type": "RANDOM"}, "strategy": {"type": "WEIGHTS"}}
    mixed = {"n_samples": 5, "strategies": [DIVERSITY, random]}
    RunConfig.from_blocks(selection_config=mixed, pipeline_config={"approximate_diversity": {}})
    with pytest.raises(
        InvalidConfigurationError, match="approximate_diversity goes with DIVERSITY"
    ):
        RunConfig.from_blocks(selection_config=mixed, pipeline_config=own)


def test_names_of_tags_stay_as_they_are_written() -> None:
    folders = {"MyImages": "a", "other-images": "s3://bucket/b"}
    config = RunConfig.from_blocks(pipeline_config={"similarityFolders": folders})
    assert config.pipeline.similarity_folders == folders


def test_launch_goes_over_the_datasets_default_over_the_pages() -> None:
    defaults = RunBlocks(
        worker_config={"resize": 100, "datasource": {"bypass_verify": True}},
        selection_config={"proportion_samples": 0.5},
    )
    config = RunConfig.from_blocks({"outputImageFormat": "jpg"}, defaults=defaults)
    assert config.worker.resize == 100
    assert config.worker.datasource.bypass_verify
    assert config.worker.output_image_format == "jpg"
    assert config.selection.proportion_samples == 0.5
    over = RunConfig.from_blocks(selection_config={"nSamples": 7}, defaults=defaults)
    assert (over.selection.n_samples, over.selection.proportion_samples) == (7, None)


def test_minus_one_is_not_an_amount() -> None:
    config = RunConfig.from_blocks(
        selection_config={"n_samples": -1, "proportion_samples": 0.5, "strategies": [DIVERSITY]}
    )
    assert config.selection.n_samples is None


def test_minus_one_frames_is_as_if_nothing_was_said() -> None:
    config = RunConfig.from_blocks(selection_config={"n_samples": -1, "strategies": [DIVERSITY]})
    assert config.selection.n_samples == 50
    over = RunBlocks(selection_config={"proportion_samples": 0.5})
    config = RunConfig.from_blocks(selection_config={"n_samples": -1}, defaults=over)
    assert config.selection.proportion_samples == 0.5


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_none_is_an_option_that_is_not_given(model: type[BaseModel]) -> None:
    blank = dict.fromkeys(model.model_fields)
    if model is SelectionConfig:
        entry = {"input": {"type": "EMBEDDINGS", "task": None}, "strategy": {"type": "DIVERSITY"}}
        entry["strategy"] |= {"strength": None, "target_range": None}
        blank |= {"n_samples": 50, "strategies": [entry]}
    assert model.from_block(blank) == model.from_block(
        {key: value for key, value in blank.items() if value is not None}
    )


def test_none_inside_a_block_is_not_given_either_and_leaves_the_default_below() -> None:
    worker = {"crops": {"enable_upload": None}, "datasource": {"process_all": None}, "training": {}}
    below = RunBlocks(worker_config={"num_threads": 3, "datasource": {"process_all": True}})
    config = RunConfig.from_blocks({**worker, "num_threads": None}, defaults=below)
    assert config.worker.num_threads == 3
    assert config.worker.datasource.process_all
    with pytest.raises(InvalidConfigurationError, match=r"handling_strategy: missing"):
        RunConfig.from_blocks(
            {
                "datasource": {
                    "input_expiration": {"min_days_to_expiration": 1, "handling_strategy": None}
                }
            }
        )


def test_what_the_original_s_full_block_says_of_nothing_is_fine() -> None:
    config = RunConfig.from_blocks({"training": {"task_name": ""}, "output_image_format": "TIF"})
    config.check_supported()
    assert config.worker.output_image_format == "tiff"


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ({}, "give min_sum, max_sum or both"),
        ({"min_sum": None}, "give min_sum, max_sum or both"),
        ({"min_sum": 3, "max_sum": 2}, "max_sum must not be below min_sum"),
        ({"min_sum": -1}, "greater than or equal to 0"),
    ],
)
def test_a_range_that_bounds_nothing_is_refused(span: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=message):
        weights_in(span)


def test_a_range_may_have_one_side_only() -> None:
    assert weights_in({"max_sum": 0}).min_sum is None
    assert weights_in({"minSum": 2}).max_sum is None


def weights_in(span: dict[str, Any]) -> Any:
    entry = {
        "input": {"type": "METADATA", "key": "age"},
        "strategy": {"type": "WEIGHTS", "target_range": span},
    }
    config = RunConfig.from_blocks(selection_config={"strategies": [entry]})
    return config.selection.strategies[0].strategy.target_range


def test_classes_of_a_target_are_spelt_as_in_metadata(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        """
        selection_config:
          strategies:
          - input: {type: METADATA, key: is_night}
            strategy: {type: BALANCE, target: {true: 0.3, false: 0.7, 3: 0.2, 2.5: 0.1, x: 0.1}}
        """
    )
    config = RunConfig.from_blocks(**load_config_file(file))
    target = config.selection.strategies[0].strategy.target
    assert target == {"true": 0.3, "false": 0.7, "3": 0.2, "2.5": 0.1, "x": 0.1}
    with pytest.raises(InvalidConfigurationError, match=r"target: 1 is given twice"):
        balance({1: 0.3, "1": 0.7})
    with pytest.raises(InvalidConfigurationError, match=r"target\[?.*got None"):
        balance({"a": None})


def balance(target: dict[Any, Any]) -> None:
    strategy = {"type": "BALANCE", "target": target}
    entry = {"input": {"type": "METADATA", "key": "age"}, "strategy": strategy}
    RunConfig.from_blocks(selection_config={"strategies": [entry]})


def test_a_round_trip_changes_nothing() -> None:
    config = RunConfig.from_blocks(**FULL)
    assert RunConfig.from_blocks(**config.as_dict()).as_dict() == config.as_dict()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("worker_config: {resize: 5\n", "not valid YAML"),
        ("worker_config: {resize: 5, resize: 6}\n", "resize is given twice"),
        ("worker: {resize: 5}\n", "unknown block 'worker'"),
        ("- 1\n", "expected worker_config"),
        ("a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_files_are_refused_with_their_name(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(InvalidConfigurationError, match=rf"config\.yaml: .*{message}"):
        load_config_file(file)


def test_a_broken_file_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("password: hunter2 : x\nworker_config: {}\n")
    with pytest.raises(InvalidConfigurationError, match="line 1") as caught:
        load_config_file(file)
    assert "hunter2" not in str(caught.value)


def test_the_documentation_lists_every_option_as_the_code_treats_it() -> None:
    path = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
    if not path.exists():
        pytest.skip("installed without the documentation")
    rows = dict(
        re.findall(
            r"^\| `([a-z_.]+)` \|.*\| (\w[\w ]*?)(?:[:;,(].*)? \|$", path.read_text(), re.MULTILINE
        )
    )
    assert set(rows) == set(ALL_OPTIONS)
    for option, support in rows.items():
        assert Support(support.strip()) is support_of(option), option


def test_a_distance_that_normalised_frames_never_have_is_refused_before_any_work() -> None:
    far = {
        "input": {"type": "EMBEDDINGS"},
        "strategy": {"type": "DIVERSITY", "stopping_condition_minimum_distance": 2.5},
    }
    selection = {"n_samples": 5, "strategies": [far]}
    with pytest.raises(InvalidConfigurationError, match=r"strategies\[0\].*is 2.5.*at most 2"):
        RunConfig.from_blocks(selection_config=selection)
    lengths_count = {"normalize_embeddings": False}
    RunConfig.from_blocks(selection_config=selection, worker_config=lengths_count)
