"""Numbers of the frame tables as columns over all rows: `lightly.*` metadata, pixel checksums.

How the numbers are computed is the video layer's business.
"""

import difflib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic.alias_generators import to_snake

from lightly_pipeline.candidates.rows import FrameRows
from lightly_pipeline.config import SelectionConfig
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.inputs.files import in_threads
from lightly_pipeline.tables.frames import COLUMNS

KEY_PREFIX = "lightly."
# Lightly's names; docs/quality.md says what they mean.
_NAMES = (
    "uniformRowRatio",
    "luminance",
    "sharpness",
    "contrast",
    "meanRed",
    "meanGreen",
    "meanBlue",
    "width",
    "height",
    "sizeInBytes",
    "snr",
)
CHECKSUM = "checksum"


def column_of(key: str) -> str:
    """Returns the frame table's column that a key such as `lightly.width` reads.

    Raises:
        InvalidConfigurationError: It is not computed; names what is.
    """
    columns = {KEY_PREFIX + name: to_snake(name) for name in _NAMES if to_snake(name) in COLUMNS}
    if key in columns:
        return columns[key]
    close = difflib.get_close_matches(key, columns, n=1)
    is_known = key.removeprefix(KEY_PREFIX) in _NAMES
    hint = f"did you mean {close[0]}? " if close and not is_known else ""
    raise InvalidConfigurationError(
        f"metadata key {key!r} is not computed: {hint}computed are {', '.join(columns)}"
    )


def check_computed_keys(selection: SelectionConfig) -> None:
    """Refuses keys such as `lightly.snr` that are not computed, before a run is even scheduled.

    Raises:
        InvalidConfigurationError: As `column_of` does.
    """
    for entry in selection.strategies:
        if entry.input.key is not None and entry.input.key.startswith(KEY_PREFIX):
            column_of(entry.input.key)


def read_column_values(
    rows: FrameRows, columns: list[str]
) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Reads columns of the frame tables.

    Args:
        rows: The frames.
        columns: Of the frame table.

    Returns:
        The values by column, each of shape (N,), and which rows have them, shape (N,): not those of
        an earlier version of a video, whose table is gone.
    """
    values: dict[str, NDArray[Any]] = {name: np.zeros(len(rows), COLUMNS[name]) for name in columns}
    known = np.zeros(len(rows), dtype=bool)
    tables = dict(enumerate(rows.of_video()))

    def read(number: int) -> dict[str, NDArray[Any]] | None:
        video, _ = tables[number]
        if video.may_be_gone and video.table.outcome() is None:
            return None
        return video.table.columns([*columns, "index"])

    for number, table in in_threads(read, tables):
        if table is None:
            continue
        sampled, positions = table["index"], tables[number][1]
        # A frame that was chosen by another sampling is not in this table.
        positions = positions[np.isin(rows.index[positions], sampled)]
        known[positions] = True
        places = np.searchsorted(sampled, rows.index[positions])
        for name in columns:
            values[name][positions] = table[name][places]
    return values, known
