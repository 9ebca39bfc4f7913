"""Reads a YAML file that a person wrote: bounded, no key twice, errors with file and line."""

from pathlib import Path
from typing import Any

import yaml

from lightly_pipeline.errors import InvalidConfigurationError

_MAX_FILE_BYTES = 1024 * 1024


def read_yaml(path: str | Path) -> Any:
    """Returns the document of a YAML file; None for an empty one.

    Raises:
        InvalidConfigurationError: Names the file, and the line where there is one.
    """
    file = Path(path)
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidConfigurationError(f"{file}: cannot be read: {error.strerror}") from None
    if len(content) > _MAX_FILE_BYTES:
        raise InvalidConfigurationError(f"{file}: larger than {_MAX_FILE_BYTES} bytes")
    try:
        return yaml.load(content, _UniqueKeyLoader)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        raise InvalidConfigurationError(f"{file}: not valid YAML: {_where(error)}") from None


def _where(error: yaml.YAMLError) -> str:
    """Returns the problem and its line, without the text around it, which may hold a secret."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "cannot be read"
    return f"{problem} (line {mark.line + 1})" if mark is not None else str(problem)


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML would keep the last silently."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
