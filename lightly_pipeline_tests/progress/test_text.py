"""Progress in words."""

import pytest

from lightly_pipeline.progress import (
    ItemView,
    StepView,
    closing_line,
    escaped,
    line,
    short_line,
)
from lightly_pipeline.progress.text import duration


def item(name: str, *, seconds: float = 130.0, quiet_s: float = 0.1, total: int | None = 1000):
    return ItemView(name, 450, total, seconds, quiet_s, 158.0)


def view(**changes: object) -> StepView:
    values = {
        "step": "decode",
        "unit": "frames",
        "done": 12_345,
        "total": 40_321,
        "is_estimated": True,
        "items_done": 12,
        "items_total": 40,
        "rate": 215.4,
        "left_s": 130.0,
        "seconds": 61.0,
        "quiet_s": 0.2,
        "in_hand": (item("a.mp4"), item("b.mp4", seconds=5, total=None)),
        "is_over": False,
    }
    return StepView(**{**values, **changes})


def test_a_line_says_how_far_how_fast_how_long_and_on_what() -> None:
    assert line(view()) == (
        "Decoding and embedding: 12,345 of about 40,300 frames (30 %), 12 of 40 videos, 215/s, "
        "2 min 10 s left; in hand: a.mp4 (2 min 10 s, 45 %), b.mp4 (5 s)"
    )


def test_what_is_not_known_is_not_said() -> None:
    listing = view(
        step="list",
        unit="videos",
        total=None,
        items_done=0,
        items_total=None,
        rate=None,
        left_s=None,
        in_hand=(),
    )
    assert line(listing) == "Listing videos: 12,345 videos"
    assert short_line(listing) == "Listing videos: 12,345 videos"


def test_silence_takes_the_place_of_the_time_left() -> None:
    stalled = view(quiet_s=150.0, left_s=None, in_hand=(item("a.mp4", quiet_s=150.0),))
    assert line(stalled) == (
        "Decoding and embedding: 12,345 of about 40,300 frames (30 %), 12 of 40 videos, "
        "nothing for 2 min 30 s; in hand: a.mp4 (2 min 10 s, nothing for 2 min 30 s)"
    )


def test_many_in_hand_are_named_by_the_first_three() -> None:
    crowd = view(in_hand=tuple(item(f"{n}.mp4") for n in range(16)))
    assert line(crowd).endswith("2.mp4 (2 min 10 s, 45 %) and 13 more")


def test_few_words_for_a_list_of_runs() -> None:
    assert short_line(view()) == "Decoding and embedding: 30 %, 12 of 40 videos, 2 min 10 s left"


def test_what_is_over_says_what_it_took() -> None:
    over = view(is_over=True, items_done=40)
    assert closing_line(over) == "Decoding and embedding: 12,345 frames of 40 videos in 1 min 1 s"
    assert short_line(over) == closing_line(over)
    assert closing_line(view(is_over=True, seconds=0.25)).endswith("in 0.2 s")
    assert closing_line(view(items_total=0)) == "Decoding and embedding: nothing left to do"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (400_000, "111 h 6 min"),
    ],
)
def test_times_are_given_in_the_units_that_matter(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("straße/日本.mp4", "straße/日本.mp4"),
        ("a\nb\x1b[31m.mp4", r"a\nb\x1b[31m.mp4"),
        ("a\udcff.mp4", r"a\udcff.mp4"),
    ],
)
def test_names_cannot_move_the_cursor_or_break_a_line(name: str, shown: str) -> None:
    assert escaped(name) == shown


def test_of_a_long_name_the_end_is_shown() -> None:
    text = line(view(in_hand=(item("folder/" * 40 + "the_end.mp4"),)))
    assert "in hand: ...er/folder/" in text
    assert "/the_end.mp4 (2 min 10 s, 45 %)" in text
