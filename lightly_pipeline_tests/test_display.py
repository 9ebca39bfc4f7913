"""What a person sees while a command works, on terminals of any kind."""

import io
import logging
import os
import shutil
import sys
from pathlib import Path

import pytest

from lightly_pipeline.console import showing_log
from lightly_pipeline.display import ProgressDisplay
from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline_tests.support.terminals import Terminal
from lightly_pipeline_tests.support.videos import RECIPES, make_video

pytestmark = pytest.mark.slow

_PLAY = """
import logging, sys, time, warnings
from lightly_pipeline.console import showing_log
from lightly_pipeline.display import ProgressDisplay
from lightly_pipeline.progress import ProgressMeter

def show():
    meter("list", 1000, None, "videos")
    step = meter.begin("decode", "frames", sizes=[10] * 20)
    for _ in range(2):
        with step.item("done.mp4", 10, total=100) as item:
            item.add(100)
    with (
        step.item("a/very/long/folder/of/a/camera/[red]/with_a_long_name.mp4", 10) as item,
        step.item("second.mp4", 10, total=100) as second,
    ):
        item.expect(100)
        item.add(50)
        second.add(10)
        logging.getLogger("lightly_pipeline.some").warning("broken.mp4: [bold] \\x1b[2Jno video")
        warnings.warn("a library's own words", stacklevel=1)
        print("to standard output")
        while True:
            time.sleep(0.1)

meter, display = ProgressMeter(), ProgressDisplay(sys.stderr)
try:
    with showing_log(display), display.showing(meter):
        show()
except KeyboardInterrupt:
    display.say("interrupted")
    sys.exit(130)
"""


def _environment() -> dict[str, str]:
    """Returns the variables for a command; none that says how large another terminal is."""
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path)}


def playing(columns: int = 100, **environment: str) -> Terminal:
    env = {**_environment(), **environment}
    return Terminal([sys.executable, "-c", _PLAY], columns=columns, env=env)


def whole_view(terminal: Terminal) -> list[str]:
    """Returns the screen once everything was said and the five lines of the view are below it."""
    return terminal.wait_for("to standard output", below="✓ Listing", count=5)


def below(lines: list[str], text: str) -> list[str]:
    """Returns the lines from the one on that begins with `text`."""
    place = next(n for n, line in enumerate(lines) if line.startswith(text))
    return lines[place:]


def test_a_terminal_shows_each_step_and_what_is_in_hand() -> None:
    terminal = playing()
    lines = below(whole_view(terminal), "✓ Listing")
    assert "1,000 videos" in lines[0]
    assert lines[1].startswith("> Decoding and embedding ━")
    assert "13 % 260 / ~2,000 frames" in lines[1]
    assert lines[2] == "    2 of 20 videos done, 2 in hand, the longest running first:"
    assert lines[3].startswith("    a/very/long/folder/of/a/camera/[red]/with_a_long_name.mp4")
    assert "50 %" in lines[3]
    assert lines[4].startswith("    second.mp4")
    assert "10 %" in lines[4]
    assert len(lines) == 5


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 300])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    terminal = playing(columns)
    lines = below(whole_view(terminal), "✓ Listing")
    assert len(lines) == 5
    assert ("frames" in lines[1]) == (columns >= 80)
    assert "13 %" in lines[1]
    assert "name.mp4 " in lines[3]


def test_warnings_pass_above_it_and_tear_nothing() -> None:
    terminal = playing()
    lines = whole_view(terminal)
    for text in ("warning: broken.mp4: [bold] \\x1b[2Jno video", "to standard output"):
        assert lines.count(text) == 1
    assert sum("a library's own words" in line for line in lines) == 1
    assert lines.index("to standard output") < lines.index(below(lines, "✓ Listing")[0])
    assert sum("Decoding and embedding" in line for line in lines) == 1


def test_ctrl_c_leaves_the_terminal_whole() -> None:
    terminal = playing()
    whole_view(terminal)
    assert terminal.is_cursor_hidden
    terminal.interrupt()
    assert terminal.wait() == 130
    assert not terminal.is_cursor_hidden
    *_, listed, decoded, last = terminal.lines
    assert listed.startswith("✓ Listing videos")
    assert decoded.startswith("> Decoding and embedding")
    assert last == "interrupted"


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_poor_terminals_get_what_they_can_show(environment: dict[str, str]) -> None:
    terminal = playing(**environment)
    terminal.wait_for("to standard output")
    terminal.interrupt()
    assert terminal.wait() == 130
    assert "Listing videos" in "\n".join(terminal.lines)
    if environment.get("TERM") == "dumb":
        assert b"\x1b" not in terminal.sent


def test_a_file_gets_plain_lines() -> None:
    file, meter = io.StringIO(), ProgressMeter()
    display = ProgressDisplay(file)
    with showing_log(display), display.showing(meter):
        meter("list", 8, None, "videos")
        logging.getLogger("lightly_pipeline.some").warning("a.mp4: no video")
    assert file.getvalue() == "warning: a.mp4: no video\nListing videos: 8 videos in 0.0 s\n"


@pytest.mark.integration
def test_an_interrupted_command_says_how_to_go_on(tmp_path: Path) -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.name == "h264.mp4")
    first = make_video(tmp_path / "in", recipe, "0.mp4", seed=1)
    for number in range(1, 400):
        shutil.copy(first, tmp_path / "in" / f"{number}.mp4")
    command = [sys.executable, "-m", "lightly_pipeline", "run", "--input", str(tmp_path / "in")]
    terminal = Terminal(
        [*command, "--lightly", str(tmp_path / "out")],
        env=_environment(),
    )
    terminal.wait_for(" of 400 videos done, ", " in hand")
    terminal.interrupt()
    assert terminal.wait() == 130
    assert not terminal.is_cursor_hidden
    assert terminal.lines[-1].startswith("interrupted; what is complete is kept: run the same")
