"""The commands `encoder list` and `encoder fetch`: what there is of weights on this machine.

Arguments and what is printed; where weights lie is in `embedding/weights.py`.
"""

import argparse
from typing import Any

from lightly_pipeline.console import show

_ROW = "{:32} {:>5} {:>9} {:>8}  {:22} {}"


def add_commands(commands: Any) -> None:
    """Adds the commands to a parser's subparsers."""
    encoder = commands.add_parser("encoder", help="weights of encoders on this machine")
    actions = encoder.add_subparsers(required=True, metavar="ACTION")

    listing = actions.add_parser("list", help="encoders that can be used without a download")
    listing.set_defaults(command=_list)

    fetch = actions.add_parser("fetch", help="download an encoder's pretrained weights")
    fetch.add_argument(
        "name",
        metavar="NAME",
        help="torchvision network, timm/NAME or open_clip/NAME/PRETRAINED",
    )
    fetch.add_argument(
        "--lightly",
        metavar="PATH",
        help="folder or s3://bucket/prefix/ of results, where every worker finds them then",
    )
    fetch.set_defaults(command=_fetch)


def _list(*_: object) -> int:
    from lightly_pipeline.embedding.listing import encoders_here
    from lightly_pipeline.embedding.weights import weights_folder

    show(_ROW.format("NAME", "DIM", "INPUT", "MB", "LICENCE", "FROM"))
    for known in encoders_here():
        size = f"{known.size_bytes / 1e6:.1f}"
        wanted = f"{known.width}x{known.height}"
        show(
            _ROW.format(known.name, known.dim, wanted, size, known.licence[:22], known.source)
            if known.is_here
            else _ROW.format(known.name, "", "", "", known.licence[:22], known.source)
        )
    show(f"\nfetched weights lie in {weights_folder()}")
    return 0


def _fetch(options: argparse.Namespace, *_: object) -> int:
    from lightly_pipeline.datasources import datasource_from_url
    from lightly_pipeline.embedding.names import fetch_weights
    from lightly_pipeline.embedding.weights import publish, weights_file

    known = fetch_weights(options.name)
    show(f"{known.name}: {known.size_bytes / 1e6:.1f} MB in {weights_file(known.name)}")
    if options.lightly:
        store = datasource_from_url(options.lightly)
        publish(store, known)
        show(f"copied to {store.describe()}: every run of its datasets finds them")
    return 0
