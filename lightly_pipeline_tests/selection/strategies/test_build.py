"""Every strategy that a configuration may name is made by a module of its own."""

from typing import get_args

from lightly_pipeline.config.selection import SelectionStrategy
from lightly_pipeline.config.strategies import (
    COMBINATIONS,
    INPUTS,
    STRATEGIES,
    InputType,
    StrategyType,
)
from lightly_pipeline.selection.strategies.build import BUILDERS


def test_what_is_declared_is_made_and_the_other_way_round() -> None:
    assert {*BUILDERS, "THRESHOLD"} == set(STRATEGIES)
    assert get_args(StrategyType) == tuple(STRATEGIES)
    assert get_args(InputType) == tuple(INPUTS)


def test_every_option_belongs_to_a_strategy() -> None:
    declared = {name for rule in STRATEGIES.values() for name in rule.options}
    assert declared == set(SelectionStrategy.model_fields) - {"type"}


def test_every_kind_of_input_goes_with_a_strategy() -> None:
    assert {kind.split()[0] for kind in COMBINATIONS} == set(INPUTS)
    assert COMBINATIONS["METADATA"] == ("WEIGHTS", "THRESHOLD", "BALANCE")
