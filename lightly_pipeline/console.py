"""What a person sees in a terminal: lines, progress, the log's warnings, the result of a run.

Formatting only; which command does what is in `cli.py`.
"""

import io
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from lightly_pipeline.runs.result import RunResult
    from lightly_pipeline.runs.verification import RunCheck

_PLAIN_INTERVAL_S = 10.0
_SHOWN_PROBLEMS = 20
_STEP_TITLES = {
    "list": "Listing videos",
    "decode": "Decoding and embedding",
    "load": "Loading embeddings",
    "select": "Selecting frames",
    "upload": "Writing images",
    "report": "Making the report",
    "upload_report": "Writing the report",
    "verify": "Reading images",
    "copy": "Copying images",
    "export": "Writing embeddings",
}


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
    lines = [
        "",
        f"Run {result.run_id}",
        f"  videos read     {_n_read(result)}"
        f" of {result.n_input_videos} ({result.n_decoded_videos} decoded in this run)",
        f"  frames seen     {result.n_input_frames}",
        f"  frames chosen   {result.n_selected}",
    ]
    bound = result.summary.get("coverage_bound")
    if bound is not None:
        lines += [f"  coverage bound  {bound:.4g} (approximate_diversity)"]
    if result.requests:
        megabytes = result.bytes_read / 1e6
        lines += [f"  downloaded      {megabytes:.1f} MB in {result.requests} requests"]
    lines += _problems("broken videos", result.corrupt_videos)
    n_broken = max(result.n_damaged_frames, len(result.corrupt_samples))
    lines += _problems("broken frames", result.corrupt_samples, n_broken)
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
    return result.n_input_videos - len(result.corrupt_videos) - len(result.failed_videos)


def _problems(title: str, reasons: Mapping[str, str], count: int | None = None) -> list[str]:
    lines = [f"  {title:<15} {len(reasons) if count is None else count}"]
    lines += [f"    {name}: {reason}" for name, reason in list(reasons.items())[:_SHOWN_PROBLEMS]]
    if len(reasons) > _SHOWN_PROBLEMS:
        lines.append(f"    ... and {len(reasons) - _SHOWN_PROBLEMS} more, in the report")
    return lines


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


class ProgressDisplay:
    """A bar on a terminal; elsewhere a plain line every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._step = ""
        self._started = self._last = 0.0
        self._bar: Any = None

    def update(self, step: str, done: int, total: int | None, unit: str) -> None:
        """Shows how far a step is, how fast it goes and how long it still takes."""
        if step != self._step:
            self._begin(step, unit)
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)
            return
        now = time.monotonic()
        if now - self._last >= _PLAIN_INTERVAL_S:
            self._last = now
            show(self._line(done, total, unit, now - self._started), self._stream)

    def say(self, line: str) -> None:
        """Prints a line without tearing the bar apart."""
        if self._bar is None:
            show(line, self._stream)
        else:
            self._bar.write(line, file=self._stream)

    def close(self) -> None:
        """Ends the step that is shown."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _begin(self, step: str, unit: str) -> None:
        self.close()
        self._step = step
        self._started = self._last = time.monotonic()
        if self._terminal:
            from tqdm import tqdm

            title = _STEP_TITLES.get(step, step)
            self._bar = tqdm(desc=title, unit=f" {unit}", file=self._stream, dynamic_ncols=True)

    def _line(self, done: int, total: int | None, unit: str, seconds: float) -> str:
        title = _STEP_TITLES.get(self._step, self._step)
        rate = done / seconds if seconds else 0.0
        line = f"{title}: {done}{f' of about {total}' if total else ''} {unit}, {rate:.0f}/s"
        if total and rate:
            line += f", {max(total - done, 0) / rate:.0f} s left"
        return line


class _DisplayHandler(logging.Handler):
    def __init__(self, display: ProgressDisplay) -> None:
        super().__init__(logging.WARNING)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        self._display.say(f"{record.levelname.lower()}: {record.getMessage()}")


@contextmanager
def showing_log(display: ProgressDisplay) -> Iterator[None]:
    """Lets warnings of the package appear among the progress, while the context lasts."""
    logger = logging.getLogger("lightly_pipeline")
    before = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [_DisplayHandler(display)], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before
