"""Which options belong to which input and strategy, and which of these go together.

The one table that validation, refusals and messages follow; from Lightly's documentation of
selection strategies. What the options are is in `selection.py`, what a strategy does in
`selection/strategies/`.
"""

from dataclasses import dataclass
from typing import Literal

InputType = Literal["EMBEDDINGS", "SCORES", "METADATA", "PREDICTIONS", "RANDOM"]
StrategyType = Literal["DIVERSITY", "TYPICALITY", "SIMILARITY", "WEIGHTS", "THRESHOLD", "BALANCE"]


@dataclass(frozen=True, slots=True)
class InputRule:
    """Options of an input type; all others are refused there.

    Attributes:
        options: Names of fields of `SelectionInput`.
        required: Those that must be given.
    """

    options: tuple[str, ...]
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StrategyRule:
    """Inputs and options of a strategy type; all others are refused there.

    Attributes:
        inputs: Kinds of inputs, as `SelectionInput.kind` names them.
        options: Names of fields of `SelectionStrategy`.
        required: Those that must be given.
    """

    inputs: tuple[str, ...]
    options: tuple[str, ...]
    required: tuple[str, ...] = ()


INPUTS: dict[InputType, InputRule] = {
    "EMBEDDINGS": InputRule(("task", "dataset_id", "tag_name")),
    "SCORES": InputRule(("task", "score"), required=("task", "score")),
    "METADATA": InputRule(("key",), required=("key",)),
    "PREDICTIONS": InputRule(("task", "name", "categories"), required=("task", "name")),
    "RANDOM": InputRule(("random_seed",)),
}
STRATEGIES: dict[StrategyType, StrategyRule] = {
    "DIVERSITY": StrategyRule(
        inputs=("EMBEDDINGS", "EMBEDDINGS with task"),
        options=("strength", "stopping_condition_minimum_distance"),
    ),
    "TYPICALITY": StrategyRule(
        inputs=("EMBEDDINGS", "EMBEDDINGS with task"),
        options=(
            "strength",
            "num_nearest_neighbors",
            "stopping_condition_minimum_typicality",
        ),
    ),
    "SIMILARITY": StrategyRule(
        inputs=("EMBEDDINGS with tag_name", "EMBEDDINGS with task and tag_name"),
        options=("strength",),
    ),
    "WEIGHTS": StrategyRule(
        inputs=("SCORES", "METADATA", "PREDICTIONS CATEGORY_COUNT", "RANDOM"),
        options=("strength", "stopping_condition_max_sum", "target_range"),
    ),
    "THRESHOLD": StrategyRule(
        inputs=("SCORES", "METADATA", "PREDICTIONS CATEGORY_COUNT"),
        options=("threshold", "operation"),
        required=("threshold", "operation"),
    ),
    "BALANCE": StrategyRule(
        inputs=("METADATA", "PREDICTIONS CLASS_DISTRIBUTION"),
        options=("strength", "target", "distribution"),
    ),
}
_KINDS = dict.fromkeys(kind for rule in STRATEGIES.values() for kind in rule.inputs)
COMBINATIONS = {
    kind: tuple(name for name, rule in STRATEGIES.items() if kind in rule.inputs) for kind in _KINDS
}
"""Strategy types by kind of input."""
