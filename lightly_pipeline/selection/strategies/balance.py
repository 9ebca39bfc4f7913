"""BALANCE: shares of classes close to a target."""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import SelectionStrategy
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.selection.classes import Classes, class_name
from lightly_pipeline.selection.mixture.objective import Balance
from lightly_pipeline.selection.strategies.task import StrategyTask

_logger = logger_of(__name__)
_FULL = 1 - 1e-9
_OTHER = "(all others)"


def build(task: StrategyTask) -> Balance:
    """Returns the factor 1 / H with its target, from the configuration or the classes there are."""
    label, options = task.label, task.options
    classes = task.among.columns.classes(task.source).take(task.among.rows)
    if options.distribution in ("UNIFORM", "INPUT"):
        present = np.flatnonzero(classes.sums > 0)
        shares = classes.sums[present] if options.distribution == "INPUT" else np.ones(len(present))
        names = tuple(classes.names[i] for i in present)
        table, target = classes.table[:, present], shares / max(shares.sum(), 1.0)
        return Balance(label, options.strength, names, target, table, classes.groups)
    wanted = _target(options, classes, label)
    table = np.stack([_column(classes, name) for name in wanted], axis=1)
    shares = np.array(list(wanted.values()))
    names = tuple(wanted)
    others = [i for i, name in enumerate(classes.names) if name not in wanted]
    if others or shares.sum() < _FULL:
        table = np.column_stack([table, classes.table[:, others].sum(axis=1)])
        shares, names = np.append(shares, max(0.0, 1 - shares.sum())), (*names, _OTHER)
    return Balance(label, options.strength, names, shares / shares.sum(), table, classes.groups)


def _target(options: SelectionStrategy, classes: Classes, label: str) -> dict[str, float]:
    """Returns the target by the names that the data have, case of booleans aside."""
    target: dict[str, float] = {}
    for given, share in (options.target or {}).items():
        name = class_name(given == "True") if given in ("True", "False") else given
        name = given if given in classes.names else name
        if name not in classes.names and classes.closed:
            raise InvalidConfigurationError(
                f"{label}: target names the class {given}, which the task does not have; "
                f"it has {', '.join(classes.names)}"
            )
        if name not in classes.names:
            _logger.warning(
                "%s: no frame has the class %s that the target names; there is %s",
                label,
                given,
                ", ".join(classes.names),
            )
        target[name] = share
    return target


def _column(classes: Classes, name: str) -> NDArray[np.float64]:
    if name not in classes.names:
        return np.zeros(len(classes.table))
    return classes.table[:, classes.names.index(name)]
