"""Real files, where a folder of them is named: every one decodes as counted, or says why not.

The folder holds an INDEX.md with a table: file, bytes, container, codec, size, frames, ...
"""

import random
from pathlib import Path

import pytest

from lightly_pipeline.datasources.videos import is_video_path
from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import open_video

pytestmark = pytest.mark.slow

# Four files of minutes at 1080p and more show nothing that the others do not.
_LONGEST = 2000


def expected_frames(samples: Path) -> dict[str, int]:
    """Returns the decoded frames by file, 0 where none come out."""
    counts = {}
    for line in (samples / "INDEX.md").read_text(encoding="utf-8").splitlines():
        cells = line.strip("|").split("|")
        if len(cells) >= 8 and is_video_path(cells[0]):
            counts[cells[0]] = int(cells[5]) if cells[5].isdigit() else 0
    return counts


@pytest.mark.timeout(3600)
def test_all_samples_give_the_frames_that_were_counted_and_the_same_again(samples: Path) -> None:
    rng = random.Random(0)
    wrong = {}
    for name, expected in expected_frames(samples).items():
        if expected > _LONGEST:
            continue
        try:
            with open_video(samples / name) as video:
                n_frames = len(video.index().rows)
                wanted = rng.sample(range(n_frames), min(12, n_frames))
                assert [frame.index for frame in video.fetch(wanted)] == wanted, name
        except CorruptVideoError:
            n_frames = 0
        if n_frames != expected:
            wrong[name] = (expected, n_frames)
    assert not wrong


def test_indeo_decodes(samples: Path) -> None:
    """Two files of one intra picture of Indeo 5, shown three times."""
    for path in sorted((samples / "indeo").glob("*.avi")):
        with open_video(path) as video:
            assert video.info.codec == "indeo5"
            assert [frame.index for frame in video.fetch([2, 0, 1])] == [2, 0, 1]
