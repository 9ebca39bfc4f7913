"""`selection_config`: how many frames, and by which strategies.

The fields of Lightly's schema. Which strategy goes with which input, and which option belongs to
which of them, is in `strategies.py`; what is executed is listed in `support.py`.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from lightly_pipeline.config.base import StrictModel
from lightly_pipeline.config.strategies import (
    COMBINATIONS,
    INPUTS,
    STRATEGIES,
    InputRule,
    InputType,
    StrategyRule,
    StrategyType,
)
from lightly_pipeline.config.worker import TaskName
from lightly_pipeline.errors import InvalidConfigurationError

NonEmpty = Annotated[str, StringConstraints(min_length=1)]
_LARGEST_DISTANCE = 2.0
Share = Annotated[float, Field(ge=0, le=1)]
# Shares that make up a whole may add up to a little more.
_ROUNDING = 1e-9
TagName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9 .:;=@_-]+$", min_length=3)
]


class SelectionInput(StrictModel):
    """`selection_config.strategies[].input`."""

    type: InputType = Field(description="What frames are compared by.")
    task: TaskName | None = Field(None, description="Prediction task.")
    score: Annotated[TaskName, StringConstraints(min_length=1)] | None = Field(
        None, description="Active-learning score."
    )
    key: NonEmpty | None = Field(None, description="Metadata key, such as lightly.sharpness.")
    name: Literal["CLASS_DISTRIBUTION", "CATEGORY_COUNT"] | None = Field(
        None, description="Which number is taken from predictions."
    )
    dataset_id: Annotated[str, StringConstraints(pattern=r"^[a-f0-9]{24}$")] | None = Field(
        None, description="Dataset of the query."
    )
    tag_name: TagName | None = Field(None, description="Tag whose frames are the query.")
    random_seed: int | None = Field(None, description="Seed of RANDOM.")
    categories: Annotated[list[NonEmpty], Field(min_length=1)] | None = Field(
        None, description="Categories that are counted."
    )

    @model_validator(mode="after")
    def _fields_of_type(self) -> "SelectionInput":
        _check_options(self, INPUTS[self.type], INPUTS, "input")
        if self.dataset_id is not None and self.tag_name is None:
            raise ValueError("dataset_id needs tag_name: the tag of that dataset")
        if self.categories and len(set(self.categories)) < len(self.categories):
            raise ValueError("categories must not repeat")
        return self

    @property
    def kind(self) -> str:
        """The row of the combination table that this input is."""
        if self.type == "EMBEDDINGS":
            options = [option for option in ("task", "tag_name") if getattr(self, option)]
            return f"EMBEDDINGS with {' and '.join(options)}" if options else "EMBEDDINGS"
        return f"PREDICTIONS {self.name}" if self.type == "PREDICTIONS" else self.type


class TargetRange(StrictModel):
    """`selection_config.strategies[].strategy.target_range`."""

    min_sum: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Smallest wanted sum of the inputs; without it the sum ends nothing."
    )
    max_sum: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Largest wanted sum of the inputs; without it there is no limit."
    )

    @model_validator(mode="after")
    def _ordered(self) -> "TargetRange":
        if self.min_sum is None and self.max_sum is None:
            raise ValueError("give min_sum, max_sum or both")
        if self.min_sum is not None and self.max_sum is not None and self.max_sum < self.min_sum:
            raise ValueError("max_sum must not be below min_sum")
        return self


def _as_text(target: Any) -> Any:
    """Spells classes as metadata does: true and false, numbers by their digits."""
    if not isinstance(target, Mapping):
        return target
    texts = [_spelt(key) for key in target]
    twice = [text for text, count in Counter(texts).items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]} is given twice")
    return dict(zip(texts, target.values(), strict=True))


def _spelt(key: Any) -> Any:
    if isinstance(key, bool):
        return str(key).lower()
    return str(key) if isinstance(key, int | float) else key


class SelectionStrategy(StrictModel):
    """`selection_config.strategies[].strategy`."""

    type: StrategyType = Field(description="What is aimed for.")
    strength: float = Field(
        1.0, ge=-1e9, le=1e9, description="Weight against other strategies; negative inverts."
    )
    stopping_condition_minimum_distance: float | None = Field(
        None, ge=0, description="DIVERSITY: stop when the best frame is nearer than this (0 to 2)."
    )
    threshold: float | None = Field(None, description="THRESHOLD: the value compared with.")
    operation: Literal["SMALLER", "SMALLER_EQUAL", "BIGGER", "BIGGER_EQUAL"] | None = Field(
        None, description="THRESHOLD: which values stay."
    )
    target: Annotated[
        dict[str, Annotated[float, Field(ge=0)]] | None, BeforeValidator(_as_text)
    ] = Field(None, description="BALANCE: wanted share by class.")
    distribution: Literal["TARGET", "UNIFORM", "INPUT"] | None = Field(
        None, description="BALANCE: where the target comes from."
    )
    num_nearest_neighbors: Annotated[int, Field(ge=2)] | None = Field(
        None, description="TYPICALITY: neighbours looked at."
    )
    stopping_condition_minimum_typicality: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="TYPICALITY: stop below this."
    )
    stopping_condition_max_sum: Annotated[float, Field(ge=0)] | None = Field(
        None, description="WEIGHTS: stop when the sum of the inputs reaches this."
    )
    target_range: TargetRange | None = Field(
        None, description="WEIGHTS: range the sum of the inputs should land in."
    )

    @model_validator(mode="after")
    def _fields_of_type(self) -> "SelectionStrategy":
        _check_options(self, STRATEGIES[self.type], STRATEGIES, "strategy")
        wants_target = self.type == "BALANCE" and self.distribution in (None, "TARGET")
        if wants_target and not self.target:
            raise ValueError("strategy type BALANCE needs target, or distribution UNIFORM or INPUT")
        return self


class StrategyEntry(StrictModel):
    """`selection_config.strategies[]`."""

    KEY_ADVICE: ClassVar[dict[str, str]] = {"strength": "it belongs inside strategy"}

    input: SelectionInput = Field(description="What frames are compared by.")
    strategy: SelectionStrategy = Field(description="What is aimed for.")

    @model_validator(mode="after")
    def _combination(self) -> "StrategyEntry":
        possible = COMBINATIONS[self.input.kind]
        if self.strategy.type not in possible:
            inputs = STRATEGIES[self.strategy.type].inputs
            raise ValueError(
                f"{self.strategy.type} does not work with {self.input.kind}: this input goes with "
                f"{', '.join(possible)}; this strategy with {', '.join(inputs)}"
            )
        return self


class AutoTask(StrictModel):
    """`selection_config.auto_tasks[]`."""

    type: Literal["TILING", "CROP"] = Field(description="How boxes are made.")
    name: NonEmpty = Field(description="Task name of the boxes.")
    num_rows: Annotated[int, Field(ge=1)] | None = Field(None, description="TILING: rows.")
    num_cols: Annotated[int, Field(ge=1)] | None = Field(None, description="TILING: columns.")
    overlap: float = Field(0.0, ge=0, description="TILING: overlap as a fraction of a tile.")
    bboxs: (
        Annotated[
            list[Annotated[list[Share], Field(min_length=4, max_length=4)]], Field(min_length=1)
        ]
        | None
    ) = Field(None, description="CROP: boxes as x, y, width, height in shares of the picture.")

    @model_validator(mode="after")
    def _fields_of_type(self) -> "AutoTask":
        tiling = {"num_rows": self.num_rows, "num_cols": self.num_cols}
        foreign = {"bboxs": self.bboxs} if self.type == "TILING" else tiling
        missing = [name for name, value in tiling.items() if value is None]
        if self.type == "CROP":
            missing = [] if self.bboxs else ["bboxs"]
        if missing:
            raise ValueError(f"auto task type {self.type} needs {' and '.join(missing)}")
        wrong = [name for name, value in foreign.items() if value is not None]
        if self.type == "CROP" and self.overlap:
            wrong.append("overlap")
        if wrong:
            raise ValueError(f"{wrong[0]} does not belong to auto task type {self.type}")
        if self.overlap >= 1:
            raise ValueError(
                f"overlap is {self.overlap:g}: a fraction of a tile below 1, for at 1 all tiles "
                "are the same"
            )
        for box in self.bboxs or ():
            _check_shares(box)
        return self


def _check_shares(box: Sequence[float]) -> None:
    """Refuses a box without area, or one that reaches beyond the picture."""
    x, y, width, height = box
    what = "expected [x, y, width, height] in shares of the picture"
    if not (width > 0 and height > 0):
        raise ValueError(f"the box {list(box)} has no area: {what}")
    if x + width > 1 + _ROUNDING or y + height > 1 + _ROUNDING:
        raise ValueError(f"the box {list(box)} reaches beyond the picture: {what}")


class SelectionConfig(StrictModel):
    """`selection_config` in Lightly's shape."""

    n_samples: Annotated[int, Field(ge=-1)] | None = Field(
        None, description="Frames to select, at most."
    )
    proportion_samples: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="Share of all frames to select, in place of n_samples."
    )
    strategies: Annotated[list[StrategyEntry], Field(min_length=1)] = Field(
        description="What the selection aims for."
    )
    lightly_path_regex: NonEmpty | None = Field(
        None, description="Expression whose named groups are metadata keys: of paths of videos."
    )
    auto_tasks: list[AutoTask] = Field(default_factory=list, description="Generated boxes.")

    @model_validator(mode="before")
    @classmethod
    def _unset_amount(cls, values: Any) -> Any:
        """Treats -1, the original's "not set", as not given."""
        if isinstance(values, dict) and values.get("n_samples") == -1:
            return {**values, "n_samples": None}
        return values

    @field_validator("lightly_path_regex")
    @classmethod
    def _has_groups(cls, expression: str) -> str:
        """Refuses an expression that is none, or that names nothing it finds."""
        try:
            groups = re.compile(expression).groupindex
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"no regular expression: {error}") from None
        if not groups:
            raise ValueError("has no named group, such as (?P<camera>[^/]+)")
        return expression

    @model_validator(mode="after")
    def _one_amount(self) -> "SelectionConfig":
        given = [n for n in ("n_samples", "proportion_samples") if getattr(self, n) is not None]
        if len(given) != 1:
            amount = "both are given" if given else "neither is given"
            raise ValueError(f"give exactly one of n_samples and proportion_samples; {amount}")
        if self.n_samples == 0 or self.proportion_samples == 0:
            raise ValueError(f"{given[0]} is 0: nothing would be selected")
        return self

    @model_validator(mode="after")
    def _names_of_auto_tasks(self) -> "SelectionConfig":
        names = Counter(task.name for task in self.auto_tasks)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ValueError(f"auto_tasks: the name {twice[0]!r} is given twice")
        return self

    def check_distances(self, *, normalize: bool) -> None:
        """Refuses a distance to stop at that no two normalised embeddings have.

        Raises:
            InvalidConfigurationError: Names the strategy and what is possible.
        """
        for i, entry in enumerate(self.strategies):
            distance = entry.strategy.stopping_condition_minimum_distance
            if normalize and distance is not None and distance > _LARGEST_DISTANCE:
                raise InvalidConfigurationError(
                    f"selection_config.strategies[{i}].strategy.stopping_condition_minimum_distance"
                    f" is {distance:g}, but normalised embeddings are at most "
                    f"{_LARGEST_DISTANCE:g} apart: one frame would be chosen"
                )


def _check_options(
    model: SelectionInput | SelectionStrategy,
    rule: InputRule | StrategyRule,
    rules: Mapping[Any, InputRule | StrategyRule],
    what: str,
) -> None:
    for name in sorted(model.model_fields_set - {"type", *rule.options}):
        if getattr(model, name) is not None:
            owners = [kind for kind, other in rules.items() if name in other.options]
            raise ValueError(
                f"{name} does not belong to {what} type {model.type} but to {', '.join(owners)}"
            )
    if any(getattr(model, name) is None for name in rule.required):
        raise ValueError(f"{what} type {model.type} needs {' and '.join(rule.required)}")
