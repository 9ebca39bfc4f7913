"""Packages that only some options need: loaded when asked for, and missed in plain words."""

import importlib
import importlib.util
from typing import Any

from lightly_pipeline.errors import MissingExtraError


def package(module: str, extra: str) -> Any:
    """Returns an optional package's module.

    Args:
        module: Its name for `import`.
        extra: The extra of lightly-pipeline that brings it.

    Raises:
        MissingExtraError: It is not installed; says what to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"what was asked for ({module})", extra) from error


def is_installed(*modules: str) -> bool:
    """Returns whether all of some packages are here, without importing them."""
    return all(importlib.util.find_spec(module) is not None for module in modules)
