"""What a person sees in a terminal: lines, the log's warnings, the result of a run.

Formatting only; progress is drawn in `display.py`, which command does what is in `cli.py`.
"""

import io
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TextIO

from lightly_pipeline.datasources.retries import described_retries
from lightly_pipeline.display import ProgressDisplay
from lightly_pipeline.log_display import LogDisplay
from lightly_pipeline.telemetry.json_lines import LOGGERS

if TYPE_CHECKING:
    from lightly_pipeline.runs.result import RunResult
    from lightly_pipeline.runs.verification import RunCheck

LIGHTLY_HELP = "folder or s3://bucket/prefix/ of results"
INPUT_HELP = (
    "folder or s3://bucket/prefix/ of the chosen images of an image dataset, where it is another "
    "by now than the run names"
)
"""What more than one command says of an option of theirs."""
_SHOWN_PROBLEMS = 20


def escape_what_is_no_text() -> None:
    """Shows bytes of file names that are no text escaped, instead of failing at them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(text: str, stream: TextIO | None = None) -> None:
    """Prints a line at once, to standard output by default."""
    print(text, file=stream or sys.stdout, flush=True)


def describe(result: "RunResult") -> str:
    """Returns what a run did, as text."""
    frame = "image" if result.kind == "image" else "frame"
    lines = [
        "",
        f"Run {result.run_id}",
        f"  {result.kind + 's read':<15} {_n_read(result)}"
        f" of {result.n_input_videos} ({result.n_decoded_videos} decoded in this run)",
        f"  {frame + 's seen':<15} {result.n_input_frames}",
        f"  {frame + 's chosen':<15} {result.n_selected}",
    ]
    bound = result.summary.get("coverage_bound")
    if bound is not None:
        lines += [f"  coverage bound  {bound:.4g} (approximate_diversity)"]
    if result.requests:
        megabytes = result.bytes_read / 1e6
        lines += [f"  downloaded      {megabytes:.1f} MB in {result.requests} requests"]
    if result.retries:
        lines += [f"  store           {described_retries(result.retries, result.waited_s)}"]
    lines += _problems("broken videos", result.corrupt_videos)
    n_broken = max(result.n_damaged_frames, len(result.corrupt_samples))
    lines += _problems(f"broken {frame}s", result.corrupt_samples, n_broken)
    if result.missing_frames:
        lines += _problems("NOT STORED", result.missing_frames)
    if result.failed_videos:
        lines += _problems("left out", result.failed_videos)
    if result.warnings:
        lines += _problems("warnings", {v: "; ".join(w) for v, w in result.warnings.items()})
    lines += ["  time"]
    lines += [f"    {step:<16} {seconds:8.1f} s" for step, seconds in result.seconds.items()]
    if result.selected:
        lines += [f"  first image     {result.selected[0].image}"]
    if result.tag:
        lines += [f"  tag             {result.tag}"]
    lines += [f"  manifest        {result.manifest}"]
    lines += [f"  images          {result.images}"]
    if result.report:
        lines += [f"  report          {result.report}"]
    return "\n".join(lines)


def _n_read(result: "RunResult") -> int:
    n_broken = len(result.corrupt_samples) if result.kind == "image" else len(result.corrupt_videos)
    return result.n_input_videos - n_broken - len(result.failed_videos)


def _problems(title: str, reasons: Mapping[str, str], count: int | None = None) -> list[str]:
    lines = [f"  {title:<15} {len(reasons) if count is None else count}"]
    lines += [f"    {name}: {reason}" for name, reason in list(reasons.items())[:_SHOWN_PROBLEMS]]
    if len(reasons) > _SHOWN_PROBLEMS:
        lines.append(f"    ... and {len(reasons) - _SHOWN_PROBLEMS} more, in the report")
    return lines


def amount(n_bytes: int) -> str:
    """Returns a number of bytes for people.

    >>> amount(0), amount(2_500), amount(3_000_000_000)
    ('0 bytes', '2.5 kB', '3.0 GB')
    """
    for name, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {name}"
    return f"{n_bytes} bytes"


def describe_check(check: "RunCheck", location_of: Callable[[str], str]) -> str:
    """Returns what became of a run's images, as text.

    Args:
        check: Of the run.
        location_of: Gives the place of an image for people.
    """
    faults = [f"{len(check.missing)} missing"] * bool(check.missing)
    faults += [f"{len(check.changed)} changed"] * bool(check.changed)
    faults += [check.problem] if check.problem else []
    lines = [f"run {check.run_id}: {check.n_images} images, {', '.join(faults) or 'all true'}"]
    wrong = [*check.missing, *check.changed][:_SHOWN_PROBLEMS]
    return "\n".join([*lines, *(f"    {location_of(image)}" for image in wrong)])


class _DisplayHandler(logging.Handler):
    def __init__(self, display: ProgressDisplay) -> None:
        super().__init__(logging.WARNING)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        self._display.say(f"{record.levelname.lower()}: {record.getMessage()}")


@contextmanager
def showing_log(display: ProgressDisplay) -> Iterator[None]:
    """Lets warnings of the package appear among the progress, while the context lasts.

    Of a log as JSON, all lines.
    """
    if isinstance(display, LogDisplay):
        with ExitStack() as stack:
            for name in LOGGERS:
                stack.enter_context(_handled_by(display.handler, name, logging.INFO))
            yield
        return
    with _handled_by(_DisplayHandler(display), "lightly_pipeline", logging.NOTSET):
        yield


@contextmanager
def _handled_by(handler: logging.Handler, name: str, level: int) -> Iterator[None]:
    """Gives a logger one handler, and this level if it is one, while the context lasts."""
    logger = logging.getLogger(name)
    before, level_before = (logger.handlers, logger.propagate), logger.level
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(level or level_before)
    try:
        yield
    finally:
        # Without any Python would print bare what is said at exit, of a collector that is gone.
        handlers, logger.propagate = before
        logger.handlers = handlers or [logging.NullHandler()]
        logger.setLevel(level_before)
