"""Lines for a log, also when nothing moves."""

import threading
import time

import pytest

from lightly_pipeline.progress import ProgressMeter, StepView, watching
from lightly_pipeline_tests.progress.playing import Clock


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightly_pipeline.progress.watcher._LOOK_S", 0.01)


def until_more_than(lines: list[str], count: int) -> None:
    while len(lines) <= count:
        time.sleep(0.005)


def test_a_line_comes_every_ten_seconds_even_if_nothing_moves_and_one_for_every_step() -> None:
    clock, lines = Clock(), []
    meter = ProgressMeter(clock=clock)
    with watching(meter, lines.append):
        meter("list", 8, None, "videos")
        step = meter.begin("decode", "frames", sizes=[5])
        until_more_than(lines, 0)
        with step.item("a.mp4", 5, total=100) as item:
            item.add(25)
            for seconds in (11, 11, 60):
                clock.now += seconds
                until_more_than(lines, len(lines))
    assert lines == [
        "Listing videos: 8 videos in 0.0 s",
        "Decoding and embedding: 25 of about 100 frames (25 %), 0 of 1 video, 0/s; "
        "in hand: a.mp4 (11 s, 25 %)",
        "Decoding and embedding: 25 of about 100 frames (25 %), 0 of 1 video, 0/s; "
        "in hand: a.mp4 (22 s, 25 %)",
        "Decoding and embedding: 25 of about 100 frames (25 %), 0 of 1 video, "
        "nothing for 1 min 22 s; in hand: a.mp4 (1 min 22 s, nothing for 1 min 22 s)",
        "Decoding and embedding: 25 frames of 1 video in 1 min 22 s",
    ]


def test_a_night_of_decoding_is_no_flood_of_lines() -> None:
    clock, lines = Clock(), []
    meter = ProgressMeter(clock=clock)
    with watching(meter, lines.append):
        meter("select", 1, 2, "picks")
        clock.now += 36_000
        until_more_than(lines, 0)
        for _ in range(50):
            clock.now += 1
            time.sleep(0.02)
        assert len(lines) == 1


def test_a_run_that_ends_badly_ends_in_what_it_had_in_hand() -> None:
    lines: list[str] = []
    meter = ProgressMeter()
    meter("list", 8, None, "videos")
    with pytest.raises(ValueError, match="broken"), watching(meter, lines.append):
        raise ValueError("broken")
    assert lines == []
    assert not meter.views()[0].is_over


def test_who_cannot_show_it_ends_no_run(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[StepView] = []

    def refuse(_: str) -> None:
        raise OSError("no space left")

    meter = ProgressMeter()
    with watching(meter, refuse, on_view=seen.append):
        meter("list", 8, None, "videos")
    assert "progress could not be shown: OSError: no space left" in caplog.text


def test_a_second_watcher_says_nothing_of_what_was_over_before() -> None:
    lines: list[str] = []
    meter = ProgressMeter()
    with watching(meter, lambda _: None):
        meter("list", 8, None, "videos")
    with watching(meter, lines.append):
        meter("select", 3, 3, "picks")
    assert lines == ["Selecting frames: 3 picks in 0.0 s"]
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]
