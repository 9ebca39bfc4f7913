"""The command line: `run` and `demo` over `pipeline.run`, and `worker`.

Arguments and exit codes live here; the commands about results are in `cli_results.py`, those
that look after them in `cli_upkeep.py`, those about encoders, predictions and partitions in modules
of their own beside it; what a person sees is in `console.py`, every decision is the pipeline's.
Imports stay light so that `--help` answers at once.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightly_pipeline import (
    cli_encoders,
    cli_partitions,
    cli_predictions,
    cli_results,
    cli_upkeep,
)
from lightly_pipeline.console import (
    describe,
    escape_what_is_no_text,
    show,
    showing_log,
)
from lightly_pipeline.display import ProgressDisplay
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.interrupts import Terminated, ending_when_asked
from lightly_pipeline.log_display import LogDisplay, display_on
from lightly_pipeline.progress import ProgressMeter

if TYPE_CHECKING:
    from lightly_pipeline.datasets import Dataset

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
_WORKER_VARIABLE = "LIGHTLY_WORKER_ID"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    0 done, 1 failed, 2 wrong usage, 130 interrupted by Ctrl-C, 143 by SIGTERM.
    """
    with ending_when_asked() as asked:
        display = ProgressDisplay(sys.stderr)
        try:
            escape_what_is_no_text()
            options = command_line().parse_args(arguments)
            display = display_on(sys.stderr)
            with showing_log(display):
                exit_code: int = options.command(options, display)
        except BaseException as error:  # noqa: BLE001  raised again, but for interruptions
            # An interruption may come out of a library as another error.
            if asked.number is None and not isinstance(error, KeyboardInterrupt):
                return _failed(error, display)
        else:
            return exit_code
    asked.tell()
    return asked.exit_code


def _failed(error: BaseException, display: ProgressDisplay) -> int:
    """Says what went wrong and returns the exit code; raises what is no error of ours again."""
    if isinstance(error, MemoryError):
        display.complain("there is not enough memory; what is complete is kept")
        return EXIT_FAILED
    if not isinstance(error, LightlyPipelineError | OSError):
        raise error
    display.complain(str(error))
    return EXIT_USAGE if isinstance(error, InvalidConfigurationError) else EXIT_FAILED


def command_line() -> argparse.ArgumentParser:
    """Returns the parser of every command; the reference page is made of it."""
    parser = argparse.ArgumentParser(
        prog="lightly-pipeline",
        description="Finds diverse frames in videos and writes only those as images.",
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="print the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run", help="select frames of the videos, or some of the images, in a folder or bucket"
    )
    run.add_argument(
        "--input",
        required=True,
        metavar="PATH",
        help="folder of videos or images, or s3://bucket/prefix/, gs://... or az://container/prefix/",
    )
    run.add_argument(
        "--type",
        choices=("videos", "images"),
        default="videos",
        help="what is selected from: frames of videos (default), or images, which stay in place",
    )
    run.add_argument(
        "--lightly",
        required=True,
        metavar="PATH",
        help="folder for images and tables, or s3://, gs:// or az:// as for --input",
    )
    run.add_argument(
        "--config", metavar="FILE", help="YAML with worker_config, lightly_config, ..."
    )
    run.add_argument(
        "--embeddings",
        metavar="FILE",
        help="your own embeddings (CSV, Parquet, .npy): a file here, or .lightly/... in LIGHTLY",
    )
    run.set_defaults(command=_run)

    demo = commands.add_parser("demo", help="make sample videos and run the whole chain on them")
    demo.add_argument("--folder", default="demo_data", metavar="PATH", help="where to work")
    demo.add_argument("--videos", metavar="PATH", help="your own videos instead of samples")
    demo.set_defaults(command=_demo, config=None, embeddings=None)

    _add_worker(commands)
    cli_results.add_commands(commands)
    cli_upkeep.add_commands(commands)
    cli_encoders.add_commands(commands)
    cli_predictions.add_commands(commands)
    cli_partitions.add_commands(commands)
    for command in (run, demo):
        command.add_argument(
            "--n-samples", type=_positive, metavar="N", help="frames to select (default 50)"
        )
        command.add_argument("--json", action="store_true", help="print the result as JSON only")
    return parser


def _add_worker(commands: Any) -> None:
    worker = commands.add_parser(
        "worker", help="execute the runs that clients of lightly_pipeline.api schedule"
    )
    worker.add_argument(
        "--labels",
        default="",
        metavar="A,B",
        help="labels of this worker; it takes runs whose runs_on are all among them",
    )
    worker.add_argument(
        "--worker-id",
        metavar="ID",
        help="id under which a client has registered it; it has those labels, too (by default "
        f"the environment's {_WORKER_VARIABLE})",
    )
    worker.add_argument("--once", action="store_true", help="end when nothing is left to take")
    worker.add_argument(
        "--status",
        action="store_true",
        help="say how all workers and the queue are, and execute nothing; 1 if something is wrong",
    )
    worker.set_defaults(command=_worker)


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return value


def _run(options: argparse.Namespace, display: ProgressDisplay) -> int:
    from lightly_pipeline.config import DatasetType
    from lightly_pipeline.datasets import Dataset
    from lightly_pipeline.datasources import datasource_from_url

    dataset = Dataset(
        "command_line",
        dataset_type=DatasetType[options.type.upper()],
        input=datasource_from_url(options.input),
        lightly=datasource_from_url(options.lightly),
    )
    return _launch(dataset, options, display)


def _demo(options: argparse.Namespace, display: ProgressDisplay) -> int:
    from lightly_pipeline.datasets import Dataset
    from lightly_pipeline.datasources import LocalDatasource

    folder = Path(options.folder)
    videos = Path(options.videos) if options.videos else folder / "videos"
    if not options.videos:
        from lightly_pipeline.demo import make_demo_videos

        display.say(f"Making sample videos in {videos} ...")
        make_demo_videos(videos)
    lightly = folder / "lightly"
    lightly.mkdir(parents=True, exist_ok=True)
    dataset = Dataset("demo", input=LocalDatasource(videos), lightly=LocalDatasource(lightly))
    return _launch(dataset, options, display)


def _worker(options: argparse.Namespace, display: ProgressDisplay) -> int:
    if options.status:
        return _show_health()
    try:
        return EXIT_DONE if _work(options, display) else EXIT_FAILED
    except KeyboardInterrupt as stop:
        display.say("stopped; a run in progress was given back")
        # SIGTERM is how services are asked to end: nothing is wrong then.
        return EXIT_DONE if isinstance(stop, Terminated) else EXIT_INTERRUPTED


def _work(options: argparse.Namespace, display: ProgressDisplay) -> bool:
    from lightly_pipeline.scheduling.deployment import Deployment
    from lightly_pipeline.scheduling.names import labels_of
    from lightly_pipeline.scheduling.worker import work

    deployment = Deployment()
    labels = labels_of(options.labels)
    shown = f", labels {', '.join(sorted(labels))}" if labels else ""
    display.say(f"waiting for runs in {deployment.address}{shown}")
    return work(
        deployment,
        labels=labels,
        worker_id=options.worker_id or os.environ.get(_WORKER_VARIABLE) or None,
        once=options.once,
        say=display.say if isinstance(display, LogDisplay) else show,
        showing=display.showing,
    )


def _show_health() -> int:
    from lightly_pipeline.scheduling.database import now_ms
    from lightly_pipeline.scheduling.deployment import Deployment
    from lightly_pipeline.scheduling.health import health_of

    deployment = Deployment.existing()
    if deployment is None:
        show("no client has scheduled a run yet")
        return EXIT_DONE
    health = health_of(deployment, now_ms())
    show("\n".join([*health.lines, *(f"PROBLEM: {problem}" for problem in health.problems)]))
    return EXIT_FAILED if health.problems else EXIT_DONE


def _launch(dataset: "Dataset", options: argparse.Namespace, display: ProgressDisplay) -> int:
    from lightly_pipeline.config import load_config_file
    from lightly_pipeline.pipeline import run

    blocks: dict[str, Any] = dict(load_config_file(options.config)) if options.config else {}
    if options.n_samples is not None:
        selection = {**_without_amount(blocks.get("selection_config") or {})}
        blocks["selection_config"] = {**selection, "n_samples": options.n_samples}
    if options.embeddings is not None:
        worker = {**(blocks.get("worker_config") or {})}
        blocks["worker_config"] = {**worker, "embeddings": _found_again(options.embeddings)}
    meter = ProgressMeter()
    with display.showing(meter):
        result = run(dataset, **blocks, progress=meter)
    show(json.dumps(result.as_dict(), indent=1) if options.json else describe(result))
    return EXIT_FAILED if result.missing_frames else EXIT_DONE


def _found_again(path: str) -> str:
    """Returns a path that an export of the run finds from any folder."""
    if path.startswith(".lightly/") or "://" in path:
        return path
    return str(Path(path).expanduser().absolute())


def _without_amount(selection: Mapping[str, Any]) -> dict[str, Any]:
    """Drops the amount a file asks for: the one given on the command line is meant."""
    amounts = {"n_samples", "nSamples", "proportion_samples", "proportionSamples"}
    return {key: value for key, value in selection.items() if key not in amounts}


class _ShowVersion(argparse.Action):
    """Looks the version up only where it is asked for: that takes 30 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from lightly_pipeline import __version__

        show(__version__)
        parser.exit()
