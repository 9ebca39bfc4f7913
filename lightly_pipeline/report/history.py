"""The runs of a dataset side by side: their key figures and what they chose, as one page.

The page is made of what is stored: the manifests of complete runs. What was read of them is kept
beside the page, so that a run reads none but its own; whatever is missing there or has changed is
read again, so no writer has to be right.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lightly_pipeline.datasources import Datasource, concurrently
from lightly_pipeline.errors import ObjectNotFoundError
from lightly_pipeline.layout import (
    MANIFEST_FILE,
    REPORT_FILE,
    RUNS_FOLDER,
    RUNS_PAGE,
    run_path,
    shown_path,
)
from lightly_pipeline.report.html.page import dataset_page
from lightly_pipeline.runs.finding import run_files

_KEPT = f"{RUNS_FOLDER}index.json"
_KEPT_VERSION = 1
_FIGURES = ("coverage_radius", "minimum_distance", "stopped_by")
_MAX_RUNS = 2000
_MAX_FRAMES = 50_000
_TRIES = 3

Entry = dict[str, Any]
"""What the page knows of a run, as JSON; `_entry` makes it."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """One complete run as it was listed."""

    run_id: str
    etag: str
    has_report: bool


def write_history(store: Datasource) -> str:
    """Writes the page of all complete runs; two runs that end together both end up on it.

    Args:
        store: The LIGHTLY datasource.

    Returns:
        The page's path.

    Raises:
        DatasourceError: The store failed.
    """
    stored = _stored_runs(store)
    for _ in range(_TRIES):
        entries = _entries(store, stored)
        kept = {"version": _KEPT_VERSION, "runs": entries}
        store.write(_KEPT, json.dumps(kept).encode())
        store.write(RUNS_PAGE, history_page(entries).encode())
        # Who wrote last may have looked first: it looks again, and sees who ended meanwhile.
        now = _stored_runs(store)
        if now == stored:
            break
        stored = now
    return RUNS_PAGE


def history_page(entries: Sequence[Mapping[str, Any]]) -> str:
    """Returns the page.

    Args:
        entries: Of runs, the newest first.
    """
    names = list(dict.fromkeys(entry["dataset"] for entry in entries))
    return dataset_page(f"Runs of {', '.join(names) or 'no dataset'}", {"runs": list(entries)})


def _stored_runs(store: Datasource) -> tuple[_Stored, ...]:
    manifests: dict[str, str] = {}
    reports: set[str] = set()
    for run_id, name, item in run_files(store):
        if name == MANIFEST_FILE:
            manifests[run_id] = item.etag
        if name == REPORT_FILE:
            reports.add(run_id)
    return tuple(_Stored(run_id, etag, run_id in reports) for run_id, etag in manifests.items())


def _entries(store: Datasource, stored: Iterable[_Stored]) -> list[Entry]:
    """Returns what is known of runs, the newest first; the oldest without their frames."""
    kept = _kept(store)
    wanted = list(stored)
    unknown = [run for run in wanted if kept.get(run.run_id, {}).get("etag") != run.etag]
    read = concurrently(lambda run: _read(store, run), unknown)
    found = {**kept, **{run.run_id: entry for run, entry in zip(unknown, read, strict=True)}}
    entries = [
        {**found[run.run_id], "report": _link(run.run_id) if run.has_report else None}
        for run in wanted
    ]
    entries.sort(key=lambda entry: (entry["created"], entry["run"]), reverse=True)
    n_frames = 0
    for entry in entries:
        n_frames += entry["n_selected"]
        if n_frames > _MAX_FRAMES:
            entry["frames"] = entry["config"] = None
    return entries[:_MAX_RUNS]


def _link(run_id: str) -> str:
    # A name is no address: what would be another scheme, or another folder, is escaped.
    return f"./{quote(run_id, safe='')}/{REPORT_FILE}"


def _kept(store: Datasource) -> dict[str, Entry]:
    """Returns what was read of runs before; nothing where that cannot be used."""
    try:
        document = json.loads(store.read(_KEPT))
        if document["version"] != _KEPT_VERSION:
            return {}
        return {entry["run"]: entry for entry in document["runs"]}
    except (ObjectNotFoundError, ValueError, KeyError, TypeError):
        return {}


def _read(store: Datasource, run: _Stored) -> Entry:
    try:
        return _entry(json.loads(store.read(run_path(run.run_id, MANIFEST_FILE))), run)
    except (ObjectNotFoundError, ValueError, KeyError, TypeError):
        return {**_NOTHING, "run": run.run_id, "etag": run.etag, "problem": "manifest unreadable"}


_NOTHING: Entry = {
    "dataset": "",
    "created": "",
    "n_videos": 0,
    "n_corrupt": 0,
    "n_failed": 0,
    "n_candidates": 0,
    "n_selected": 0,
    "n_replaced": 0,
    "figures": {},
    "frames": None,
    "config": None,
    "problem": None,
}


def _entry(manifest: Mapping[str, Any], run: _Stored) -> Entry:
    summary = manifest["summary"]
    return {
        **_NOTHING,
        "run": run.run_id,
        "etag": run.etag,
        "dataset": manifest["dataset"],
        "created": manifest["created"],
        "n_videos": manifest["n_input_videos"],
        "n_corrupt": len(manifest["corrupt_videos"]),
        "n_failed": len(manifest["failed_videos"]),
        "n_candidates": summary.get("n_candidates", manifest["n_input_frames"]),
        "n_selected": manifest["n_selected"],
        "n_replaced": len(manifest.get("replaced", ())),
        "figures": {name: summary[name] for name in _FIGURES if summary.get(name) is not None},
        "frames": _frames(manifest["images"]),
        "config": manifest["config"],
    }


def _frames(images: Iterable[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Returns the chosen frames by video, in their order of choice."""
    frames: dict[str, list[int]] = {}
    for image in images:
        frames.setdefault(shown_path(image["video"]), []).append(image["frame_index"])
    return frames
