"""Asset checks: what a person should look at, none of which stops anything.

A warning asks for a look, an error says that the result is hardly what was wanted. Evaluated from
what runs have written down; nothing is decoded or measured here.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.layout import MANIFEST_FILE, run_path
from lightly_pipeline.runs.records import SelectionRecord
from lightly_pipeline.runs.verification import RunCheck
from lightly_pipeline.tables.catalog import Catalog

WARNING_SHARE, ERROR_SHARE = 0.01, 0.2
"""Of videos, frames or images: one in a hundred happens, one in five means something is broken."""
RADIUS_GROWTH = 1.25
"""Times the coverage radius of the run before that is worth a look."""

_MAX_NAMED = 20
_WARN, _ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def catalog_check_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Returns the checks of `video_catalog`."""
    return [dg.AssetCheckSpec("not_empty", asset=key, description="There is a video.")]


def selection_check_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Returns the checks of `selected_frames`."""
    described = {
        "right_size": "As many as asked for, none twice.",
        "few_broken_videos": "Videos that gave no frame, or that a store refused.",
        "few_damaged_frames": "Frames that show or refer to concealed parts.",
        "coverage_kept": "The candidate farthest from every chosen frame is about as near as in "
        "the run before.",
    }
    return [
        dg.AssetCheckSpec(name, asset=key, description=text) for name, text in described.items()
    ]


def image_check_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Returns the checks of `uploaded_frames`."""
    return [
        dg.AssetCheckSpec("all_images_present", asset=key, description="Each image has its hash."),
        dg.AssetCheckSpec("no_exact_copies", asset=key, description="No two images are the same."),
    ]


def catalog_checks(key: dg.AssetKey, catalog: Catalog) -> list[dg.AssetCheckResult]:
    """Returns what there is to say of a listing."""
    n_videos = catalog.n_files
    return [
        dg.AssetCheckResult(
            passed=n_videos > 0,
            asset_key=key,
            check_name="not_empty",
            metadata={"videos": n_videos},
        )
    ]


def selection_checks(
    key: dg.AssetKey, record: SelectionRecord, before: Mapping[str, Any]
) -> list[dg.AssetCheckResult]:
    """Returns what there is to say of a selection.

    Args:
        key: Of `selected_frames`.
        record: The selection.
        before: Figures of the selection before, by name; empty for the first one.
    """
    frames = [(frame.video, frame.frame_index) for frame in record.frames]
    # Who asked for it finds nothing wrong with videos that are left out because they expire.
    n_expiring = record.summary.get("input_expiration", {}).get("n_skipped", 0)
    n_broken = record.n_broken_files + len(record.failed_videos) - n_expiring
    # Those that are left out are not among the frames that took part.
    n_damaged = record.n_damaged_frames
    takes_damaged = record.config["pipeline_config"].get("damaged_frames") == "include"
    n_frames = record.n_input_frames + (0 if takes_damaged else n_damaged)
    return [
        dg.AssetCheckResult(
            passed=bool(frames) and len(set(frames)) == len(frames) == record.summary["n_selected"],
            asset_key=key,
            check_name="right_size",
            metadata={"frames": len(frames), "distinct": len(set(frames))},
        ),
        _share_check(
            key,
            "few_broken_videos",
            n_broken,
            record.n_input_videos,
            "videos" if record.input is None else "images",
        ),
        _share_check(key, "few_damaged_frames", n_damaged, n_frames, "frames"),
        _coverage_check(key, record.summary, before),
    ]


def copies_check(key: dg.AssetKey, dataset: Dataset, run_id: str) -> dg.AssetCheckResult:
    """Returns whether any two images of a run's manifest have the same content."""
    manifest = json.loads(dataset.lightly.read(run_path(run_id, MANIFEST_FILE)))
    hashes = [image["sha256"] for image in manifest["images"]]
    n_copies = len(hashes) - len(set(hashes))
    return _share_check(key, "no_exact_copies", n_copies, len(hashes), "images", tolerated=0.0)


def images_check(
    key: dg.AssetKey, check: RunCheck, missing_frames: Collection[str]
) -> dg.AssetCheckResult:
    """Returns whether every chosen frame has its image, with the hash that the manifest names."""
    missing = [*check.missing, *missing_frames]
    return dg.AssetCheckResult(
        passed=check.is_true and not missing_frames,
        asset_key=key,
        check_name="all_images_present",
        description=check.problem,
        metadata={
            "images": check.n_images,
            "missing": missing[:_MAX_NAMED],
            "changed": list(check.changed[:_MAX_NAMED]),
        },
    )


def evaluation(key: dg.AssetKey, result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """Returns a result as the event that stands for it outside of an asset's own step."""
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=str(result.check_name),
        passed=result.passed,
        metadata=result.metadata,
        severity=result.severity,
        description=result.description,
    )


def _share_check(
    key: dg.AssetKey,
    name: str,
    n_bad: int,
    n_all: int,
    unit: str,
    tolerated: float = WARNING_SHARE,
) -> dg.AssetCheckResult:
    share = n_bad / n_all if n_all else 0.0
    return dg.AssetCheckResult(
        passed=share <= tolerated,
        asset_key=key,
        check_name=name,
        severity=_ERROR if share > ERROR_SHARE else _WARN,
        description=f"{n_bad} of {n_all} {unit}",
        metadata={unit: n_bad, "of": n_all, "share": share},
    )


def _coverage_check(
    key: dg.AssetKey, summary: Mapping[str, Any], before: Mapping[str, Any]
) -> dg.AssetCheckResult:
    """Compares coverage radii, where at least as many frames were chosen as before."""
    now, earlier = summary.get("coverage_radius"), before.get("coverage_radius")
    figures = {
        name: value
        for name, value in (("radius", now), ("radius_before", earlier))
        if value is not None
    }
    passed, text = True, "no earlier run to compare with"
    if now is None:
        text = "nothing was chosen, or nothing is left to be covered"
    elif earlier is not None and summary["n_selected"] < before.get("n_selected", 0):
        text = "fewer frames were chosen than in the run before: not compared"
    elif earlier is not None:
        passed = now <= RADIUS_GROWTH * earlier
        text = f"coverage radius {now:.3g}, {earlier:.3g} in the run before"
        text += "" if passed else ": videos of a new kind, or too few frames for what there is"
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=key,
        check_name="coverage_kept",
        severity=_WARN,
        description=text,
        metadata=figures,
    )
