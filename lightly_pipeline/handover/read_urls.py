"""Names, read URLs and places of images, in the form of Lightly's export."""

import json
from collections.abc import Iterator

from lightly_pipeline.handover.frames import HandedRun, PlaceOf


def files(run: HandedRun, place_of: PlaceOf) -> Iterator[tuple[str, bytes]]:
    """Yields the list in the order of picks.

    Args:
        run: The frames.
        place_of: Gives URLs that can be read.
    """
    rows = [
        {"fileName": frame.name, "readUrl": place_of(frame), "datasourceUrl": frame.location}
        for frame in run.frames
    ]
    yield "filenames_and_read_urls.json", json.dumps(rows, indent=1).encode()
