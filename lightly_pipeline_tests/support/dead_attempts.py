"""What processes leave that die: attempt markers of those elsewhere, and marks of their own."""

import json
import subprocess
import sys
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


def dead_owner() -> str:
    """Returns the mark of a process of this machine that has ended."""
    code = "from lightly_pipeline.owner import this_process; print(this_process())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()
