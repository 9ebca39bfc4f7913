"""The command `partition`: which partition of a dataset in Dagster a video is in.

Arguments and what is printed; what batches are is in `tables/batches.py`.
"""

import argparse
import sys
from typing import Any

from lightly_pipeline.console import LIGHTLY_HELP, show
from lightly_pipeline.display import ProgressDisplay
from lightly_pipeline.layout import partition_key


def add_commands(commands: Any) -> None:
    """Adds the command to a parser's."""
    command = commands.add_parser(
        "partition", help="say which partition in Dagster, a batch maybe, a video is in"
    )
    command.add_argument(
        "videos", nargs="+", metavar="VIDEO", help="path of a video, relative to INPUT"
    )
    command.add_argument("--lightly", required=True, metavar="PATH", help=LIGHTLY_HELP)
    command.set_defaults(command=_partition)


def _partition(options: argparse.Namespace, _: ProgressDisplay) -> int:
    from lightly_pipeline.datasources import datasource_from_url
    from lightly_pipeline.tables.batches import read_batches

    batches = read_batches(datasource_from_url(options.lightly))
    wanted = set(options.videos)
    found = {
        video.path: batch.name
        for batch in reversed(batches)
        for video in batch.videos
        if video.path in wanted
    }
    if not batches:
        # Of a dataset without batches, or not listed yet: every video is a partition.
        found = {video: partition_key(video) for video in wanted}
    for video in options.videos:
        if video in found:
            show(f"{found[video]}\t{video}")
        else:
            show(f"no batch holds {video}, by the last listing in Dagster", sys.stderr)
    return 0 if wanted <= found.keys() else 1
