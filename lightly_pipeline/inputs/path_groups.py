"""Metadata from paths: the named groups of `selection_config.lightly_path_regex`.

The expression is searched in the path of a video, once for all of its frames. Where it is not
found there, it is searched in the name of each frame's image.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.rows import FrameRows, RowVideo, frame_stem
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
OPTION = "selection_config.lightly_path_regex"
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class PathGroups:
    """Which groups of an expression are read, and what they are read for.

    Attributes:
        expression: The expression; None where none is given.
        numeric: By group, whether its values are numbers.
    """

    expression: re.Pattern[str] | None = None
    numeric: Mapping[str, bool] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All groups that the expression names."""
        return tuple(self.expression.groupindex) if self.expression else ()

    def read(self, rows: FrameRows) -> dict[str, NDArray[Any]]:
        """Returns the values of every row by group.

        Returns:
            Shape (N,) each: float64, or texts as objects, None where the group matched nothing.

        Raises:
            LightlyPipelineError: The expression is found nowhere, or what should be a number is
                none; names the first frames.
        """
        if self.expression is None or not self.numeric:
            return {}
        found = {name: np.full(len(rows), None, dtype=object) for name in self.numeric}
        is_found = False
        for places, match in _matches(self.expression, rows):
            is_found = True
            for name, values in found.items():
                text = match[name]
                values[places] = None if text is None else sys.intern(text)
        if not is_found:
            first = rows.videos[rows.owner[0]]
            raise LightlyPipelineError(
                f"{OPTION}: {self.expression.pattern!r} is found in no path of a video and no name "
                f"of a frame; the first are {first.path} and "
                f"{frame_stem(first, int(rows.index[0]))}.png"
            )
        for name, values in found.items():
            texts = sorted({text for text in values.tolist() if text is not None})
            shown = ", ".join(texts[:_SHOWN]) + (", ..." if len(texts) > _SHOWN else "")
            _logger.info("%s: %s has %d values: %s", OPTION, name, len(texts), shown)
        return {
            name: _numbers(name, values, rows) if self.numeric[name] else values
            for name, values in found.items()
        }


def _matches(
    expression: re.Pattern[str], rows: FrameRows
) -> Iterator[tuple[NDArray[np.int64] | int, re.Match[str]]]:
    """Yields every match, and the rows that it speaks of."""
    for video, places in rows.of_video():
        if video.images:
            yield from _of_images(expression, video, places, rows)
            continue
        match = expression.search(video.path)
        if match is not None:
            yield places, match
            continue
        for place in places.tolist():
            match = expression.search(f"{frame_stem(video, int(rows.index[place]))}.png")
            if match is not None:
                yield place, match


def _of_images(
    expression: re.Pattern[str], video: RowVideo, places: NDArray[np.int64], rows: FrameRows
) -> Iterator[tuple[int, re.Match[str]]]:
    for place in places.tolist():
        match = expression.search(video.images[int(rows.index[place])].path)
        if match is not None:
            yield place, match


def _numbers(name: str, texts: NDArray[Any], rows: FrameRows) -> NDArray[np.float64]:
    values = texts.tolist()
    wrong = [row for row, text in enumerate(values) if text is None or not _NUMBER.fullmatch(text)]
    if wrong:
        shown = ", ".join(f"{rows.describe(row)}: {values[row]!r}" for row in wrong[:_SHOWN])
        raise LightlyPipelineError(
            f"{OPTION}: group {name} gives no number for {len(wrong)} of {len(rows)} frames "
            f"({shown}{', ...' if len(wrong) > _SHOWN else ''}): WEIGHTS and THRESHOLD need one "
            "for every frame; BALANCE takes texts"
        )
    return np.array(values, dtype=np.float64)


def plan_path_groups(expression: str | None, keys: Iterable[tuple[str, bool]]) -> PathGroups:
    """Returns which of the keys of METADATA inputs are groups of the expression.

    Args:
        expression: `selection_config.lightly_path_regex`.
        keys: Key of every input, and whether its strategy takes numbers.

    Raises:
        InvalidConfigurationError: A group is used as text and as number.
    """
    if expression is None:
        return PathGroups()
    compiled = re.compile(expression)
    numeric: dict[str, bool] = {}
    for key, is_number in keys:
        if key not in compiled.groupindex:
            continue
        if numeric.setdefault(key, is_number) != is_number:
            raise InvalidConfigurationError(
                f"{OPTION}: group {key} is text for BALANCE and a number for WEIGHTS or THRESHOLD: "
                "match it by two groups of different names"
            )
    return PathGroups(compiled, numeric)
