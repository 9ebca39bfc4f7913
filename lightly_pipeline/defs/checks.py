"""Asset checks: what a person should look at, none of which stops anything.

A warning asks for a look, an error says that the result is hardly what was wanted; from when on is
the dataset's to say (`config.checks`). Evaluated from what runs have written down; nothing is
decoded or measured here. What depends on the time, not on a run, is in `overdue.py`.
"""

import json
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

import dagster as dg

from lightly_pipeline.config.checks import GrowthLimits, Limits, ShareLimits
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.layout import MANIFEST_FILE, run_path, shown_path
from lightly_pipeline.runs.records import SelectionRecord
from lightly_pipeline.runs.verification import RunCheck
from lightly_pipeline.tables.catalog import Catalog

_MAX_NAMED = 20
_NOT_COVERED = ": videos of a new kind, or too few frames for what there is"


def catalog_check_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Returns the checks of `video_catalog`."""
    return [dg.AssetCheckSpec("not_empty", asset=key, description="There is a video.")]


def selection_check_specs(dataset: Dataset, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Returns the checks of `selected_frames`."""
    described = {
        "right_size": "As many as asked for, none twice. If not: two runs of one id, report it.",
        "few_broken_videos": "Videos that gave no frame, or that a store refused. If there are "
        "many: their reasons are in the run's report and in the metadata here.",
        "few_damaged_frames": "Frames that show or refer to concealed parts. If there are many: "
        "recordings are cut off, or lose data on their way.",
        "coverage_kept": "The candidate farthest from every chosen frame is about as near as in "
        "the run before. If not: there are videos of a new kind; choose more frames.",
    }
    if dataset.limits.coverage_radius.are_set:
        described["coverage_reached"] = (
            "No candidate is farther from every chosen frame than the dataset allows. If one is: "
            "choose more frames, or raise checks.coverage_radius."
        )
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
    dataset: Dataset, key: dg.AssetKey, record: SelectionRecord, before: Mapping[str, Any]
) -> list[dg.AssetCheckResult]:
    """Returns what there is to say of a selection.

    Args:
        dataset: Whose; it says from when on a check fails.
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
    limits = dataset.limits
    checks = [
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
            limits.corrupt_share,
            examples={**record.failed_videos, **record.corrupt_videos, **record.corrupt_samples},
        ),
        _share_check(
            key, "few_damaged_frames", n_damaged, n_frames, "frames", limits.damaged_share
        ),
        _growth_check(key, record.summary, before, limits.coverage_growth),
    ]
    if limits.coverage_radius.are_set:
        checks.append(_radius_check(key, record.summary, limits.coverage_radius))
    return checks


def copies_check(key: dg.AssetKey, dataset: Dataset, run_id: str) -> dg.AssetCheckResult:
    """Returns whether any two images of a run's manifest have the same content."""
    manifest = json.loads(dataset.lightly.read(run_path(run_id, MANIFEST_FILE)))
    hashes = [image["sha256"] for image in manifest["images"]]
    n_copies = len(hashes) - len(set(hashes))
    none = ShareLimits(warn=0.0)
    return _share_check(key, "no_exact_copies", n_copies, len(hashes), "images", none)


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


def severity(value: float, error: float | None) -> dg.AssetCheckSeverity:
    """Returns how bad it is that a check with this value fails."""
    is_error = error is not None and value > error
    return dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN


def passes(value: float, limits: Limits | GrowthLimits | ShareLimits) -> bool:
    """Returns whether a value is beyond none of its limits."""
    return all(limit is None or value <= limit for limit in (limits.warn, limits.error))


def _share_check(
    key: dg.AssetKey,
    name: str,
    n_bad: int,
    n_all: int,
    unit: str,
    limits: ShareLimits,
    examples: Mapping[str, str] | None = None,
) -> dg.AssetCheckResult:
    share = n_bad / n_all if n_all else 0.0
    metadata: dict[str, Any] = {unit: n_bad, "of": n_all, "share": share, **_limits(limits)}
    if examples:
        shown = dict(islice(examples.items(), _MAX_NAMED))
        metadata["examples"] = dg.MetadataValue.json({shown_path(k): v for k, v in shown.items()})
    return dg.AssetCheckResult(
        passed=passes(share, limits),
        asset_key=key,
        check_name=name,
        severity=severity(share, limits.error),
        description=f"{n_bad} of {n_all} {unit}",
        metadata=metadata,
    )


def _growth_check(
    key: dg.AssetKey, summary: Mapping[str, Any], before: Mapping[str, Any], limits: GrowthLimits
) -> dg.AssetCheckResult:
    """Compares coverage radii, where at least as many frames were chosen as before."""
    now, earlier = summary.get("coverage_radius"), before.get("coverage_radius")
    radii = {"radius": now, "radius_before": earlier}
    figures = {name: value for name, value in radii.items() if value is not None}
    growth, text = 1.0, "no earlier run to compare with"
    if now is None:
        text = "nothing was chosen, or nothing is left to be covered"
    elif earlier is not None and summary["n_selected"] < before.get("n_selected", 0):
        text = "fewer frames were chosen than in the run before: not compared"
    elif earlier is not None:
        growth = now / earlier if earlier else (1.0 if not now else float("inf"))
        text = f"coverage radius {now:.3g}, {earlier:.3g} in the run before"
        text += "" if passes(growth, limits) else _NOT_COVERED
    return dg.AssetCheckResult(
        passed=passes(growth, limits),
        asset_key=key,
        check_name="coverage_kept",
        severity=severity(growth, limits.error),
        description=text,
        metadata={**figures, **_limits(limits)},
    )


def _radius_check(
    key: dg.AssetKey, summary: Mapping[str, Any], limits: Limits
) -> dg.AssetCheckResult:
    radius = summary.get("coverage_radius")
    if radius is None:
        return dg.AssetCheckResult(
            passed=True,
            asset_key=key,
            check_name="coverage_reached",
            description="nothing was chosen, or nothing is left to be covered",
        )
    is_good = passes(radius, limits)
    return dg.AssetCheckResult(
        passed=is_good,
        asset_key=key,
        check_name="coverage_reached",
        severity=severity(radius, limits.error),
        description=f"coverage radius {radius:.3g}" + ("" if is_good else _NOT_COVERED),
        metadata={"radius": radius, **_limits(limits)},
    )


def _limits(limits: Limits | GrowthLimits | ShareLimits) -> dict[str, float]:
    known = {"warn_above": limits.warn, "error_above": limits.error}
    return {name: value for name, value in known.items() if value is not None}
