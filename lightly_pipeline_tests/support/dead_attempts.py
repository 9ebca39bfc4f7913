"""Attempt markers as processes leave them that die elsewhere."""

import json
import time
from dataclasses import asdict

from lightly_pipeline import Dataset
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.tables.attempt import ATTEMPT_FILE, Attempt
from lightly_pipeline.tables.handle import video_table


def leave_dead_attempt(
    data: Dataset, video: str, *, hours: float = 0, is_second: bool = True
) -> None:
    """Leaves the marker of an attempt at a video by a process that cannot be seen from here.

    Args:
        data: The dataset, with a default configuration.
        video: Path of the video.
        hours: By which the clock of that process goes ahead.
        is_second: Whether it took over from one that died: then it is taken for dead, too.
    """
    listed = data.input.stat(video)
    assert listed is not None
    table = video_table(data.lightly, Run(data, resolve_config(data), "any").table_id, listed)
    beat = time.time() + hours * 3600
    left = Attempt(table.fingerprint, True, owner="elsewhere.1.1", beat=beat, is_second=is_second)
    content = json.dumps(asdict(left)).encode()
    data.lightly.write(f"{table.folder}/{ATTEMPT_FILE}", content)
