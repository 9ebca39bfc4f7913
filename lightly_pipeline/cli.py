"""The command line: `run` and `demo` over `pipeline.run`, `worker`, and `verify`.

Arguments, progress and the printed result live here; every decision is the pipeline's. Imports
stay light so that `--help` answers at once.
"""

import argparse
import io
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError

if TYPE_CHECKING:
    from lightly_pipeline.datasets import Dataset
    from lightly_pipeline.runs.result import RunResult

EXIT_DONE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
_PLAIN_INTERVAL_S = 10.0
_SHOWN_PROBLEMS = 20
_STEP_TITLES = {
    "list": "Listing videos",
    "decode": "Decoding and embedding",
    "load": "Loading embeddings",
    "select": "Selecting frames",
    "upload": "Writing images",
    "verify": "Reading images",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    0 done, 1 failed, 2 wrong usage, 130 interrupted by Ctrl-C, 143 by SIGTERM.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names may hold bytes that are no text; they are shown escaped.
            stream.reconfigure(errors="backslashreplace")
    options = command_line().parse_args(arguments)
    display = _ProgressDisplay(sys.stderr)
    _show_log(display)
    try:
        with _interrupted_by_sigterm():
            exit_code: int = options.command(options, display)
    except InvalidConfigurationError as error:
        display.close()
        _print(f"error: {error}", sys.stderr)
        return EXIT_USAGE
    except (LightlyPipelineError, OSError) as error:
        display.close()
        _print(f"error: {error}", sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt as stop:
        display.close()
        _print("interrupted; run the same command again to go on where it stopped", sys.stderr)
        return 128 + (stop.signal if isinstance(stop, _Terminated) else signal.SIGINT)
    display.close()
    return exit_code


class _Terminated(KeyboardInterrupt):
    """The process was asked to end by another signal than Ctrl-C."""

    signal = signal.SIGTERM


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Ends on SIGTERM as on Ctrl-C, so that what is in progress is left as it should be."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> None:
    raise _Terminated


def command_line() -> argparse.ArgumentParser:
    """Returns the parser of every command; the reference page is made of it."""
    parser = argparse.ArgumentParser(
        prog="lightly-pipeline",
        description="Finds diverse frames in videos and writes only those as images.",
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="print the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="select frames of the videos in a folder or bucket")
    run.add_argument(
        "--input", required=True, metavar="PATH", help="folder of videos, or s3://bucket/prefix/"
    )
    run.add_argument(
        "--lightly",
        required=True,
        metavar="PATH",
        help="folder for images and tables, or s3://bucket/prefix/",
    )
    run.add_argument(
        "--config", metavar="FILE", help="YAML with worker_config, lightly_config, ..."
    )
    run.set_defaults(command=_run)

    demo = commands.add_parser("demo", help="make sample videos and run the whole chain on them")
    demo.add_argument("--folder", default="demo_data", metavar="PATH", help="where to work")
    demo.add_argument("--videos", metavar="PATH", help="your own videos instead of samples")
    demo.set_defaults(command=_demo, config=None)

    worker = commands.add_parser(
        "worker", help="execute the runs that clients of lightly_pipeline.api schedule"
    )
    worker.add_argument(
        "--labels",
        default="",
        metavar="A,B",
        help="labels of this worker; it takes runs whose runs_on are all among them",
    )
    worker.add_argument("--once", action="store_true", help="end when nothing is left to take")
    worker.set_defaults(command=_worker)

    verify = commands.add_parser(
        "verify", help="check that every run's images are as its manifest says"
    )
    verify.add_argument(
        "--lightly", required=True, metavar="PATH", help="folder or s3://bucket/prefix/ of results"
    )
    verify.set_defaults(command=_verify)

    for command in (run, demo):
        command.add_argument(
            "--n-samples", type=_positive, metavar="N", help="frames to select (default 50)"
        )
        command.add_argument("--json", action="store_true", help="print the result as JSON only")
    return parser


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return value


def _run(options: argparse.Namespace, display: "_ProgressDisplay") -> int:
    from lightly_pipeline.datasets import Dataset
    from lightly_pipeline.datasources import datasource_from_url

    dataset = Dataset(
        "command_line",
        input=datasource_from_url(options.input),
        lightly=datasource_from_url(options.lightly),
    )
    return _launch(dataset, options, display)


def _demo(options: argparse.Namespace, display: "_ProgressDisplay") -> int:
    from lightly_pipeline.datasets import Dataset
    from lightly_pipeline.datasources import LocalDatasource

    folder = Path(options.folder)
    videos = Path(options.videos) if options.videos else folder / "videos"
    if not options.videos:
        from lightly_pipeline.demo import make_demo_videos

        _print(f"Making sample videos in {videos} ...", sys.stderr)
        make_demo_videos(videos)
    lightly = folder / "lightly"
    lightly.mkdir(parents=True, exist_ok=True)
    dataset = Dataset("demo", input=LocalDatasource(videos), lightly=LocalDatasource(lightly))
    return _launch(dataset, options, display)


def _worker(options: argparse.Namespace, display: "_ProgressDisplay") -> int:
    from lightly_pipeline.scheduling.deployment import Deployment
    from lightly_pipeline.scheduling.names import labels_of
    from lightly_pipeline.scheduling.worker import work

    deployment = Deployment()
    labels = labels_of(options.labels)
    shown = f", labels {', '.join(sorted(labels))}" if labels else ""
    display.say(f"waiting for runs in {deployment.home}{shown}")
    try:
        all_well = work(deployment, labels=labels, once=options.once, say=_print)
    except KeyboardInterrupt:
        display.say("stopped; a run in progress was given back")
        return EXIT_DONE
    return EXIT_DONE if all_well else EXIT_FAILED


def _verify(options: argparse.Namespace, display: "_ProgressDisplay") -> int:
    from lightly_pipeline.datasources import datasource_from_url
    from lightly_pipeline.runs.verification import verify_runs

    store = datasource_from_url(options.lightly)
    checks = list(verify_runs(store, progress=display.update))
    display.close()
    for check in checks:
        faults = [f"{len(check.missing)} missing"] * bool(check.missing)
        faults += [f"{len(check.changed)} changed"] * bool(check.changed)
        faults += [check.problem] if check.problem else []
        _print(f"run {check.run_id}: {check.n_images} images, {', '.join(faults) or 'all true'}")
        for image in [*check.missing, *check.changed][:_SHOWN_PROBLEMS]:
            _print(f"    {store.location(image)}")
    _print(f"{sum(check.is_true for check in checks)} of {len(checks)} runs are as they were")
    return EXIT_DONE if all(check.is_true for check in checks) else EXIT_FAILED


def _launch(dataset: "Dataset", options: argparse.Namespace, display: "_ProgressDisplay") -> int:
    from lightly_pipeline.config import load_config_file
    from lightly_pipeline.pipeline import run

    blocks: dict[str, Any] = dict(load_config_file(options.config)) if options.config else {}
    if options.n_samples is not None:
        selection = {**_without_amount(blocks.get("selection_config") or {})}
        blocks["selection_config"] = {**selection, "n_samples": options.n_samples}
    result = run(dataset, **blocks, progress=display.update)
    display.close()
    _print(json.dumps(result.as_dict(), indent=1) if options.json else _describe(result))
    return EXIT_FAILED if result.missing_frames else EXIT_DONE


def _without_amount(selection: Mapping[str, Any]) -> dict[str, Any]:
    """Drops the amount a file asks for: the one given on the command line is meant."""
    amounts = {"n_samples", "nSamples", "proportion_samples", "proportionSamples"}
    return {key: value for key, value in selection.items() if key not in amounts}


def _describe(result: "RunResult") -> str:
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
    return "\n".join(lines)


def _n_read(result: "RunResult") -> int:
    return result.n_input_videos - len(result.corrupt_videos) - len(result.failed_videos)


def _problems(title: str, reasons: Mapping[str, str], count: int | None = None) -> list[str]:
    lines = [f"  {title:<15} {len(reasons) if count is None else count}"]
    lines += [f"    {name}: {reason}" for name, reason in list(reasons.items())[:_SHOWN_PROBLEMS]]
    if len(reasons) > _SHOWN_PROBLEMS:
        lines.append(f"    ... and {len(reasons) - _SHOWN_PROBLEMS} more, in the report")
    return lines


def _print(text: str, stream: TextIO | None = None) -> None:
    print(text, file=stream or sys.stdout, flush=True)


class _ShowVersion(argparse.Action):
    """Looks the version up only where it is asked for: that takes 30 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from lightly_pipeline import __version__

        _print(__version__)
        parser.exit()


class _ProgressDisplay:
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
            _print(self._line(done, total, unit, now - self._started), self._stream)

    def say(self, line: str) -> None:
        """Prints a line without tearing the bar apart."""
        if self._bar is None:
            _print(line, self._stream)
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
    def __init__(self, display: _ProgressDisplay) -> None:
        super().__init__(logging.WARNING)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        self._display.say(f"{record.levelname.lower()}: {record.getMessage()}")


def _show_log(display: _ProgressDisplay) -> None:
    logger = logging.getLogger("lightly_pipeline")
    logger.handlers = [_DisplayHandler(display)]
    logger.propagate = False
