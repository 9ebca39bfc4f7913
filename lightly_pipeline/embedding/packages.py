"""Packages that only some encoders need: loaded when asked for, and missed in plain words."""

import importlib
from typing import Any

from lightly_pipeline.errors import LightlyPipelineError


def package(module: str, extra: str) -> Any:
    """Returns an optional package's module.

    Args:
        module: Its name for `import`.
        extra: The extra of lightly-pipeline that brings it.

    Raises:
        LightlyPipelineError: It is not installed; says what to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise LightlyPipelineError(
            f"the package of {module} is not installed: pip install 'lightly-pipeline[{extra}]'"
        ) from error
