"""The commands about what runs have left: `show` and `export`.

Arguments and what is printed; which run is meant is found in `places.py`, formats are `handover`'s.
"""

import argparse
import os
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightly_pipeline.console import INPUT_HELP, LIGHTLY_HELP, show
from lightly_pipeline.display import ProgressDisplay
from lightly_pipeline.errors import ObjectNotFoundError
from lightly_pipeline.layout import REPORT_FILE, RUNS_PAGE, run_path
from lightly_pipeline.progress import ProgressMeter

if TYPE_CHECKING:
    from lightly_pipeline.datasources import Datasource

_LATEST = "latest"
# Known without importing the formats, so that `--help` answers at once; a test compares them.
FORMATS = (
    "csv",
    "parquet",
    "coco",
    "cvat",
    "datumaro",
    "fiftyone",
    "label-studio",
    "labelbox",
    "read-urls",
    "yolo",
    "embeddings-csv",
    "embeddings-parquet",
    "lightly-output",
    "filenames",
)
_LIGHTLY_HELP = (
    f"{LIGHTLY_HELP}; by default the run is looked for in the working folder, the demo's, and the "
    "declared and scheduled datasets'"
)


def add_commands(commands: Any) -> None:
    """Adds the commands to a parser's."""
    _add_show(commands)
    _add_export(commands)


def _add_show(commands: Any) -> None:
    command = commands.add_parser("show", help="open the report of a run in the browser")
    command.add_argument(
        "run",
        nargs="?",
        default=_LATEST,
        metavar="RUN",
        help="id of a run or how it begins; or the folder or s3://bucket/prefix/ of results, whose "
        "latest run is shown",
    )
    command.add_argument("--lightly", metavar="PATH", help=_LIGHTLY_HELP)
    command.add_argument(
        "--runs", action="store_true", help="open the page of all runs of the dataset instead"
    )
    command.add_argument(
        "--print", action="store_true", help="print where the report is and open nothing"
    )
    command.set_defaults(command=_show)


def _add_export(commands: Any) -> None:
    command = commands.add_parser(
        "export", help="write the chosen frames of a run or tag, with predictions, for another tool"
    )
    command.add_argument(
        "run", nargs="?", default=_LATEST, metavar="RUN", help="id of a run or how it begins"
    )
    command.add_argument(
        "--to", required=True, choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS)
    )
    command.add_argument(
        "--tag", metavar="NAME", help="a tag whose frames are meant, in place of a run's"
    )
    command.add_argument("--lightly", metavar="PATH", help=_LIGHTLY_HELP)
    command.add_argument(
        "--out",
        metavar="PATH",
        help="new folder or s3://bucket/prefix/ to write; FORMAT-RUN in the working folder",
    )
    command.add_argument("--input", metavar="PATH", help=INPUT_HELP)
    command.add_argument("--task", metavar="NAME", help="the only prediction task that is wanted")
    command.add_argument(
        "--copy-images",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="copy the images beside the annotations: coco, cvat, datumaro, fiftyone and yolo do",
    )
    command.add_argument(
        "--signed-urls",
        action="store_true",
        help="name images by URLs that anyone can read for 7 days, instead of paths and s3://",
    )
    command.set_defaults(command=_export)


def _show(options: argparse.Namespace, display: ProgressDisplay) -> int:
    from lightly_pipeline.places import find_results

    run, lightly = options.run, options.lightly
    if lightly is None and _is_place(run):
        run, lightly = _LATEST, run
    store, run_id = find_results(run, lightly)
    path = RUNS_PAGE if options.runs else run_path(run_id, REPORT_FILE)
    location = store.location(path)
    if store.stat(path) is None:
        raise ObjectNotFoundError(
            f"run {run_id} has no report at {location}: it was made with "
            "worker_config.upload_report off, or by a release without reports; run again with "
            "upload_report on, which decodes nothing that is known already"
        )
    if options.print or not _has_browser():
        show(location)
        return 0
    url = store.read_url(path, valid_s=1)
    if not url.startswith("file:"):
        # A browser does not know s3://, and a signed URL would be kept in its history.
        copy = Path(tempfile.mkdtemp(prefix="lightly-report-")) / REPORT_FILE
        copy.write_bytes(store.read(path))
        location, url = str(copy), copy.as_uri()
        if options.runs:
            display.say("links lead nowhere from this copy: `show RUN` opens the report of a run")
    show(location)
    if not webbrowser.open(url):
        display.say("no browser could be opened; open the file by hand")
    return 0


def _is_place(text: str) -> bool:
    return "://" in text or Path(text).expanduser().is_dir()


def _has_browser() -> bool:
    """Returns whether a browser with windows may be there: on Linux, whether there is a display."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _export(options: argparse.Namespace, display: ProgressDisplay) -> int:
    from lightly_pipeline.handover.export import export_run
    from lightly_pipeline.places import find_results

    store, run_id = find_results(options.run, options.lightly)
    out = options.out or f"{options.to}-{options.tag or run_id[:8]}"
    meter = ProgressMeter()
    with display.showing(meter):
        result = export_run(
            store,
            options.run if options.tag else run_id,
            to=options.to,
            out=out,
            tag=options.tag,
            task=options.task,
            copy_images=options.copy_images,
            signed_urls=options.signed_urls,
            source=_input(options),
            progress=meter,
        )
    show(_described(result))
    return 0


def _described(result: Any) -> str:
    noun = "names" if result.to == "filenames" else "frames"
    which = f"tag {result.tag}" if result.tag else f"run {result.run_id}"
    lines = [f"{result.n_frames} {noun} of {which} for {result.to}"]
    if result.n_predictions:
        lines += [f"  predictions  {result.n_predictions}"]
    if result.skipped:
        lines += [f"  left out     {len(result.skipped)} predictions or files of them"]
    if result.n_images:
        lines += [f"  images       {result.n_images} copied"]
    lines += [f"  in           {result.location}"]
    return "\n".join(lines)


def _input(options: argparse.Namespace) -> "Datasource | None":
    from lightly_pipeline.datasources import datasource_from_url

    return datasource_from_url(options.input) if options.input else None
