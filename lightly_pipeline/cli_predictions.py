"""The command `predictions import`: boxes of another tool's files become a prediction task.

Arguments and what is printed; files are read and written by `intake`.
"""

import argparse
from typing import Any

from lightly_pipeline.console import LIGHTLY_HELP, show

# Known without importing the formats, so that `--help` answers at once; a test compares them.
TOOLS = ("coco", "yolo", "pascal-voc", "label-studio")


def add_commands(commands: Any) -> None:
    """Adds the commands to a parser's subparsers."""
    predictions = commands.add_parser(
        "predictions", help="predictions that selections can be made by"
    )
    actions = predictions.add_subparsers(required=True, metavar="ACTION")
    command = actions.add_parser(
        "import", help="write boxes of another tool's files as a prediction task"
    )
    command.add_argument(
        "source",
        metavar="FILE",
        help="JSON file of coco or label-studio, data.yaml of yolo, folder of pascal-voc",
    )
    command.add_argument(
        "--from",
        dest="tool",
        required=True,
        choices=TOOLS,
        metavar="FORMAT",
        help=", ".join(TOOLS),
    )
    command.add_argument("--task", required=True, metavar="NAME", help="name of the task")
    command.add_argument("--lightly", required=True, metavar="PATH", help=LIGHTLY_HELP)
    command.add_argument(
        "--input",
        metavar="PATH",
        help="folder or s3://bucket/prefix/ of the videos, to compare names with; by default those "
        "that a run listed last",
    )
    command.set_defaults(command=_import)


def _import(options: argparse.Namespace, *_: object) -> int:
    from lightly_pipeline.intake.predictions import import_predictions

    result = import_predictions(
        options.lightly,
        options.source,
        tool=options.tool,
        task=options.task,
        videos=options.input,
    )
    show(_described(result))
    return 0


def _described(result: Any) -> str:
    lines = [
        f"{result.n_predictions} boxes of {result.n_frames} frames for task {result.task}",
        f"  categories   {', '.join(result.categories)}",
    ]
    if not result.knows_videos:
        lines += [
            "  unchecked    no videos are listed yet: give --input to compare names with them"
        ]
    for title, cases in (("no frames", result.unmatched), ("left out", result.left_out)):
        if cases.count:
            lines += [f"  {title:<12} {cases.count}", *(f"    {case}" for case in cases.first)]
    lines += [f"  in           {result.location}"]
    return "\n".join(lines)
