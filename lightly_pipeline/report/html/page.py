"""One file of a title, values and the assets that show them.

No template language: everything that comes from data is in one JSON block, and the scripts put it
on the page as text, so there is one place to escape. What belongs on the page is in `assets/`.
"""

import html
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

_ASSETS = files("lightly_pipeline.report.html") / "assets"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BASE = ("dom.js",)
_RUN_SCRIPTS = (
    "order.js",
    "charts.js",
    "overview.js",
    "frames.js",
    "frame_dialog.js",
    "timelines.js",
    "map.js",
    "distributions.js",
    "records.js",
    "run.js",
)
_DATASET_SCRIPTS = ("dataset.js",)


def run_page(title: str, payload: Mapping[str, Any]) -> str:
    """Returns the page of a run.

    Args:
        title: Of the window.
        payload: What JSON can say, without NaN.
    """
    return _page(title, payload, [*_BASE, *_RUN_SCRIPTS], ["plotly-basic.min.js"])


def dataset_page(title: str, payload: Mapping[str, Any]) -> str:
    """Returns the page of a dataset; its arguments are those of `run_page`."""
    return _page(title, payload, [*_BASE, *_DATASET_SCRIPTS], [])


def _page(
    title: str, payload: Mapping[str, Any], scripts: Sequence[str], libraries: Sequence[str]
) -> str:
    parts = {
        "TITLE": html.escape(_text(title)),
        "STYLE": _asset("page.css"),
        "DATA": _json(payload),
        "LIBRARIES": "".join(f"<script>{_asset(name)}</script>" for name in libraries),
        # One module: the scripts share their names with each other and with nothing else.
        "SCRIPT": "\n".join(_asset(name) for name in scripts),
    }
    return "".join(
        parts[part] if place % 2 else part
        for place, part in enumerate(_asset("page.html").split("%%"))
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _json(payload: Mapping[str, Any]) -> str:
    """Returns JSON that ends no script element, of text that UTF-8 can say."""
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _text(text, escape="\\\\u").replace("<", "\\u003c")


def _text(text: str, escape: str = "\\u") -> str:
    """Escapes bytes of file names that are no text, as `layout.shown_path` does."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _LONE_SURROGATE.sub(lambda found: f"{escape}{ord(found[0]):04x}", text)
    return text
