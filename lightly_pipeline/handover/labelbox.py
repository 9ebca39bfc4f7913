"""Labelbox: a data row per frame, in the form that its import of JSON takes.

Labelbox reads images by URL: signed ones, or s3:// by an integration that was connected to it.
"""

import json
from collections.abc import Iterator

from lightly_pipeline.handover.frames import HandedRun, PlaceOf


def files(run: HandedRun, place_of: PlaceOf) -> Iterator[tuple[str, bytes]]:
    """Yields the data rows in the order of picks."""
    rows = [
        {"row_data": place_of(frame), "global_key": frame.name, "media_type": "IMAGE"}
        for frame in run.frames
    ]
    yield "data_rows.json", json.dumps(rows, indent=1).encode()
