"""The commands that look after what runs have left: `clean`, `verify` and `rebuild`.

Arguments, exit codes and what is printed; what is removed, damaged or mended is `upkeep`'s to say.
"""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lightly_pipeline.console import INPUT_HELP, LIGHTLY_HELP, amount, describe_check, show
from lightly_pipeline.display import ProgressDisplay
from lightly_pipeline.progress import ProgressMeter

if TYPE_CHECKING:
    from lightly_pipeline.datasources import Datasource
    from lightly_pipeline.upkeep.cleaning import CleanResult

_TITLES = {
    "gone_videos": ("tables of videos that are gone", "tables"),
    "old_embeddings": ("tables of embeddings not used any more", "tables"),
    "unnamed_images": ("images that no manifest names", "images"),
    "leftovers": ("leftovers of attempts", "files"),
    "killed_runs": ("runs that never completed", "runs"),
    "old_runs": ("reports and logs of old runs", "runs"),
}


def add_commands(commands: Any) -> None:
    """Adds the commands to a parser's."""
    _add_clean(commands)
    verify = commands.add_parser(
        "verify",
        help="check that every run's images are as its manifest says, and tables and documents are "
        "whole",
    )
    verify.add_argument("--lightly", required=True, metavar="PATH", help=LIGHTLY_HELP)
    verify.add_argument("--input", metavar="PATH", help=INPUT_HELP)
    verify.add_argument("--json", action="store_true", help="print the result as JSON only")
    verify.set_defaults(command=_verify)
    rebuild = commands.add_parser(
        "rebuild", help="make tags, the datapool and the catalogue again that were lost or damaged"
    )
    rebuild.add_argument("--lightly", required=True, metavar="PATH", help=LIGHTLY_HELP)
    rebuild.add_argument("--json", action="store_true", help="print the result as JSON only")
    rebuild.set_defaults(command=_rebuild)


def _add_clean(commands: Any) -> None:
    command = commands.add_parser(
        "clean", help="say which files nothing needs any more; with --delete, remove them"
    )
    command.add_argument("--lightly", required=True, metavar="PATH", help=LIGHTLY_HELP)
    command.add_argument(
        "--input",
        metavar="PATH",
        help="folder or s3://bucket/prefix/ of the videos: without it, no video counts as gone",
    )
    command.add_argument(
        "--delete", action="store_true", help="remove the files; else nothing is changed"
    )
    command.add_argument(
        "--older-than",
        type=float,
        default=1.0,
        metavar="DAYS",
        help="keep everything that is younger (default 1)",
    )
    command.add_argument(
        "--unused-for",
        type=float,
        default=30.0,
        metavar="DAYS",
        help="after how long tables of other embeddings, and runs and tables that were only begun, "
        "count as not needed (default 30)",
    )
    command.add_argument(
        "--keep-runs",
        type=int,
        metavar="N",
        help="remove reports and logs of all runs but the newest N",
    )
    command.add_argument(
        "--runs-older-than",
        type=float,
        metavar="DAYS",
        help="remove reports and logs of runs that are older",
    )
    command.add_argument(
        "--thumbnail-suffix", metavar="TEMPLATE", help="the dataset's, where it is not Lightly's"
    )
    command.add_argument("--list", action="store_true", help="print the path of every file")
    command.add_argument("--json", action="store_true", help="print the result as JSON only")
    command.set_defaults(command=_clean)


def _clean(options: argparse.Namespace, display: ProgressDisplay) -> int:
    from lightly_pipeline.datasources import datasource_from_url
    from lightly_pipeline.upkeep.cleaning import clean_store
    from lightly_pipeline.upkeep.survey import Retention

    retention = Retention(
        options.older_than, options.unused_for, options.keep_runs, options.runs_older_than
    )
    meter = ProgressMeter()
    with display.showing(meter):
        result = clean_store(
            datasource_from_url(options.lightly),
            source=_place(options.input),
            delete=options.delete,
            retention=retention,
            thumbnail_suffix=options.thumbnail_suffix,
            progress=meter,
            on_file=(lambda item: show(f"{item.kind}  {item.stored.path}"))
            if options.list and not options.json
            else (lambda _: None),
        )
    show(json.dumps(result.as_dict(), indent=1) if options.json else _described(result))
    return 1 if result.n_failed else 0


def _described(result: "CleanResult") -> str:
    verb = "removed" if result.is_deleted else "not needed:"
    lines = [f"{verb} {result.n_files} files, {amount(result.n_bytes)}, in {result.place}"]
    for kind, tally in result.kinds.items():
        title, noun = _TITLES[kind]
        of_groups = "" if noun == "files" else f"{tally.n_groups} {noun}, "
        lines += [
            f"  {title:<38} {of_groups}{tally.n_files} files, {amount(tally.n_bytes)}",
            *(f"    {path}" for path in tally.examples),
        ]
    lines += [f"  note: {note}" for note in result.notes]
    if result.n_failed:
        path, why = next(iter(result.failed.items()))
        lines += [f"  could not be removed: {result.n_failed} files, such as {path}: {why}"]
    if result.in_progress:
        lines += [f"  in progress: {', '.join(result.in_progress)}; nothing is removed meanwhile"]
    if result.n_files and not result.is_deleted:
        lines += ["  nothing was changed: run again with --delete to remove them"]
    return "\n".join(lines)


def _place(url: str | None) -> "Datasource | None":
    from lightly_pipeline.datasources import datasource_from_url

    return datasource_from_url(url) if url else None


def _verify(options: argparse.Namespace, display: ProgressDisplay) -> int:
    from lightly_pipeline.datasources import datasource_from_url
    from lightly_pipeline.runs.verification import verify_runs
    from lightly_pipeline.upkeep.checking import check_documents, check_tables

    store = datasource_from_url(options.lightly)
    meter = ProgressMeter()
    with display.showing(meter):
        faults = check_documents(store)
        tables = check_tables(store, progress=meter)
        checks = list(verify_runs(store, source=_place(options.input), progress=meter))
    faults += tables.faults
    n_true = sum(check.is_true for check in checks)
    if options.json:
        document = {
            "runs": [{**asdict(check), "is_true": check.is_true} for check in checks],
            "tables": tables.n_tables,
            "begun_tables": tables.n_begun,
            "outdated_tables": tables.n_outdated,
            "faults": [fault._asdict() for fault in faults],
        }
        show(json.dumps(document, indent=1))
    else:
        for check in checks:
            show(describe_check(check, store.location))
        for fault in faults:
            show(f"{store.location(fault.path)} {fault.problem}: {fault.next}")
        show(
            f"{tables.n_tables} tables are whole, {len(tables.faults)} are not, {tables.n_begun} "
            f"were only begun; {tables.n_outdated} are of another version of their video"
        )
        show(f"{n_true} of {len(checks)} runs are as they were")
    return 1 if faults or n_true < len(checks) else 0


def _rebuild(options: argparse.Namespace, display: ProgressDisplay) -> int:
    from lightly_pipeline.datasources import datasource_from_url
    from lightly_pipeline.upkeep.mending import rebuild_store

    meter = ProgressMeter()
    with display.showing(meter):
        result = rebuild_store(datasource_from_url(options.lightly), progress=meter)
    if options.json:
        show(json.dumps(result.as_dict(), indent=1))
        return 1 if result.notes else 0
    for path in result.made:
        show(f"made again: {path}")
    for folder in result.voided:
        show(f"damaged, so the next run makes it again: {folder}")
    for note in result.notes:
        show(f"note: {note}")
    show(f"{len(result.made)} documents made again, {len(result.voided)} damaged tables voided")
    return 1 if result.notes else 0
