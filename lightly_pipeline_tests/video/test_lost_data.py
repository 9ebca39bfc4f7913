"""Lost data: what it damages is known, all else is whole and can be had again, bit for bit."""

import gc
import os
import subprocess
import sys
from io import BytesIO

import pytest

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import (
    ALL_FRAMES,
    DecodeReport,
    FrameRow,
    FrameSampling,
    open_video,
)
from lightly_pipeline_tests.support.lossy import CAMERAS, indexed, pictures_sent
from lightly_pipeline_tests.video.loss import look

# A flipped byte of these changes pictures, and nothing in the stream can tell.
SILENT = ("vp9.webm", "vp9-bytes.webm", "h264-bytes.mp4")
RATE = 0.03


def decoded(content: bytes) -> tuple[list[FrameRow], DecodeReport]:
    with open_video(BytesIO(content)) as video:
        return [frame.row for frame in video.frames()], video.report


@pytest.mark.parametrize("name", CAMERAS)
def test_nothing_of_a_whole_stream_is_called_damaged(name: str) -> None:
    rows, report = decoded(CAMERAS[name].sent())
    assert not any(row.damaged for row in rows)
    assert not report.damaged
    assert report.corrupt_samples(name) == {}


@pytest.mark.parametrize("name", CAMERAS)
def test_what_is_not_called_damaged_is_as_it_was_sent_and_is_fetched_again(name: str) -> None:
    line = look(CAMERAS[name], RATE, range(2))
    assert line.fetched
    assert line.wrong == 0
    assert line.wrong_with_damaged == 0
    assert not line.unseen or name in SILENT


@pytest.mark.parametrize("name", ["h264.ts", "h264-open.ts", "h265-open.ts", "mpeg2.ts"])
def test_damage_ends_with_the_next_picture_that_needs_no_other(name: str) -> None:
    """Three packets in the middle are lost: whole pictures come before and after."""
    content, sent = CAMERAS[name].sent(), pictures_sent(name)
    middle = len(content) // 188 // 2 * 188
    rows, _ = decoded(content[:middle] + content[middle + 3 * 188 :])
    damaged = [row.index for row in rows if row.damaged]
    assert 0 < len(damaged) < 40
    assert rows[damaged[-1] + 1].keyframe
    # Those that were decoded before the loss and are shown after it are whole.
    assert all(row.damaged or row.checksum in sent for row in rows)


def test_a_refresh_without_key_frames_ends_damage_as_well() -> None:
    content = CAMERAS["h264-refresh.ts"].sent()
    early = len(content) // 188 // 5 * 188
    rows, _ = decoded(content[:early] + content[early + 3 * 188 :])
    sent = pictures_sent("h264-refresh.ts")
    assert [row.keyframe for row in rows].count(True) == 1
    assert any(row.damaged for row in rows)
    assert not rows[-1].damaged
    assert all(row.damaged or row.checksum in sent for row in rows)


def test_pictures_that_are_missing_without_a_word_are_told_by_the_streams_own_numbers() -> None:
    """FFmpeg puts a copy of the picture before in their place, and says nothing."""
    content = CAMERAS["h264-baseline.mp4"].received(0.03, 1)
    rows, report = decoded(content)
    sent = pictures_sent("h264-baseline.mp4")
    assert not report.messages
    assert not any(row.corrupt for row in rows)
    wrong = {row.index for row in rows if row.checksum not in sent}
    assert wrong == {row.index for row in rows if row.damaged} != set()
    assert "pictures before it are missing" in report.damage[0].reason


def damaged_throughout(name: str) -> bytes:
    content = bytearray(CAMERAS[name].sent())
    # Dense enough to hit every picture, and the headers of none.
    for place in range(3000, len(content) - 3000, 97):
        content[place] ^= 0x55
    return bytes(content)


@pytest.mark.parametrize("name", ["h264-bytes.mp4", "h265.ts", "mpeg4.ts", "mpeg2.mpg"])
def test_a_stream_of_which_every_packet_is_damaged_has_damaged_frames_only(name: str) -> None:
    rows, report = decoded(damaged_throughout(name))
    after_start = [row for row in rows if row.index > 2]
    assert sum(row.damaged for row in after_start) >= 0.9 * len(after_start)
    assert report.n_damaged == sum(row.damaged for row in rows)


def test_damaged_frames_have_lines_in_the_corruptness_report() -> None:
    rows, report = decoded(CAMERAS["h264.ts"].received(0.02, 4))
    samples = report.corrupt_samples("a/b.ts")
    assert report.n_damaged == sum(row.damaged for row in rows)
    told = sum(run.n_frames for run in report.damage)
    assert told == report.n_damaged
    for run in report.damage:
        frames = f"frames {run.first} to {run.last}" if run.n_frames > 1 else f"frame {run.first}"
        assert samples[f"a/b.ts ({frames})"] == f"damaged: {run.reason}"


def test_the_same_frames_are_damaged_every_time_and_however_many_a_caller_holds() -> None:
    content = CAMERAS["mpeg2-fields.ts"].received(0.02, 1)
    with open_video(BytesIO(content)) as video:
        held = [(frame.to_rgb(), frame.row) for frame in video.frames()]
    again = indexed(content)
    assert [(r.damaged, r.checksum) for r in again] == [(r.damaged, r.checksum) for _, r in held]


@pytest.mark.parametrize("name", ["mpeg2.ts", "mpeg2.mpg", "h264.ts", "h265.ts"])
def test_damaged_frames_are_the_same_whenever_the_collector_comes(name: str) -> None:
    """FFmpeg shows in them what was in memory, hence it must not matter when that is given back."""
    content = damaged_throughout(name)
    gc.collect()
    # What the suite holds is left out, else a collection takes a tenth of a second.
    gc.freeze()
    gc.disable()
    try:
        never, _ = decoded(content)
        with open_video(BytesIO(content)) as video:
            often = [(frame.row, gc.collect())[0] for frame in video.frames()]
    finally:
        gc.enable()
        gc.unfreeze()
    assert often == never


def test_what_memory_held_before_changes_neither_fixtures_nor_what_comes_of_them() -> None:
    """With glibc; elsewhere the two processes are alike."""
    program = (
        "from hashlib import sha256\n"
        "from lightly_pipeline_tests.video.test_lost_data import *\n"
        "names = 'h264-bytes.mp4', 'mpeg2.ts', 'h265.ts'\n"
        "print([sha256(CAMERAS[name].sent()).hexdigest() for name in names])\n"
        "print([decoded(damaged_throughout(name)) for name in names])\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "MALLOC_PERTURB_": value},
            capture_output=True,
            check=True,
        ).stdout
        for value in ("0", "85", "170")
    }
    assert len(said) == 1


@pytest.mark.parametrize("sampling", [ALL_FRAMES, FrameSampling(keyframes_only=True)])
@pytest.mark.parametrize(("place", "value"), [(5, 255), (7, 0), (7, 1), (12, 0), (32, 255)])
def test_damaged_parameter_sets_are_damage_like_any_other(
    place: int, value: int, sampling: FrameSampling
) -> None:
    content = bytearray(CAMERAS["h264.mp4"].sent())
    content[content.index(b"avcC") + 4 + place] = value
    with open_video(BytesIO(content)) as video, pytest.raises(CorruptVideoError, match="no frames"):
        list(video.frames(None, sampling))
