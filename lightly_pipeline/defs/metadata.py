"""What a person sees in the Dagster UI: numbers per video, a contact sheet per run."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources.retries import described_retries
from lightly_pipeline.layout import shown_path
from lightly_pipeline.runs.records import SelectionRecord
from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.tables.outcome import VideoOutcome
from lightly_pipeline.training.models import TrainedModel

_COLUMNS, _THUMBNAIL, _MAX_THUMBNAILS = 8, (112, 84), 48
_MAX_SHEET_BYTES = 75_000
_MAX_NAMED = 20


def outcome_metadata(outcome: VideoOutcome) -> dict[str, Any]:
    """Returns a video's numbers, which the UI plots over partitions."""
    numbers: dict[str, Any] = {
        "frames": outcome.n_frames,
        "frames_per_s": round(outcome.n_frames / outcome.seconds, 1) if outcome.seconds else 0.0,
        "corrupt_frames": len(outcome.corrupt_samples),
        "damaged_frames": outcome.n_damaged,
        "embedded_frames": outcome.n_embedded,
        "seconds": outcome.seconds,
        "dagster/partition_row_count": outcome.n_rows,
        "requests": outcome.requests,
        "bytes_read": outcome.bytes_read,
        "retries": sum(outcome.retries.values()),
        "waited_s": outcome.waited_s,
    }
    if outcome.retries:
        numbers["retry_causes"] = described_retries(outcome.retries, outcome.waited_s)
    if outcome.corrupt_reason:
        numbers["corrupt_video"] = outcome.corrupt_reason
    return numbers


def batch_metadata(outcomes: Sequence[VideoOutcome]) -> dict[str, Any]:
    """Returns the numbers of the videos of a batch: their sums, and which are corrupt."""
    corrupt = [outcome.video for outcome in outcomes if outcome.is_corrupt]
    n_frames = sum(outcome.n_frames for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    numbers: dict[str, Any] = {
        "videos": len(outcomes),
        "corrupt_videos": len(corrupt),
        "frames": n_frames,
        "frames_per_s": round(n_frames / seconds, 1) if seconds else 0.0,
        "corrupt_frames": sum(len(outcome.corrupt_samples) for outcome in outcomes),
        "damaged_frames": sum(outcome.n_damaged for outcome in outcomes),
        "embedded_frames": sum(outcome.n_embedded for outcome in outcomes),
        "seconds": seconds,
        "dagster/partition_row_count": sum(outcome.n_rows for outcome in outcomes),
        "requests": sum(outcome.requests for outcome in outcomes),
        "bytes_read": sum(outcome.bytes_read for outcome in outcomes),
    }
    if corrupt:
        numbers["corrupt"] = [shown_path(path) for path in sorted(corrupt)[:_MAX_NAMED]]
    return numbers


def catalog_metadata(catalog: Catalog, n_changed: int, n_partitions: int) -> dict[str, Any]:
    """Returns what a listing found."""
    n_videos = catalog.n_files
    return {
        "videos": n_videos,
        "partitions": n_partitions,
        "new_or_changed": n_changed,
        "size_bytes": sum(video.size_bytes for video in catalog.videos),
        "dagster/row_count": n_videos,
    }


def model_metadata(model: TrainedModel) -> dict[str, Any]:
    """Returns what training gave: single figures, and the loss of every epoch."""
    rows = "".join(f"| {n} | {loss:.4f} |\n" for n, loss in enumerate(model.losses, 1))
    return {
        "network": model.name,
        "epochs": model.epochs,
        "final_loss": round(model.losses[-1], 4),
        "loss": dg.MetadataValue.md(f"| epoch | loss |\n|---|---|\n{rows}"),
        "videos": model.n_videos,
        "frames": model.n_frames,
        "seconds": model.seconds,
        "checkpoint": dg.MetadataValue.path(model.checkpoint),
        "trained_by_run": model.run_id,
    }


def record_metadata(record: SelectionRecord) -> dict[str, Any]:
    """Returns what a selection achieved: single figures, and tables as JSON."""
    n_chosen = len(record.frames)
    return {
        "chosen": n_chosen,
        "candidates": record.n_input_frames,
        "corrupt_videos": len(record.corrupt_videos),
        "dagster/row_count": n_chosen,
        **_figures(record.summary),
    }


def _figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    figures = {k: v for k, v in summary.items() if isinstance(v, int | float | str)}
    nested = {k: v for k, v in summary.items() if isinstance(v, dict | list) and v}
    return figures | {key: dg.MetadataValue.json(value) for key, value in nested.items()}


def run_metadata(dataset: Dataset, result: RunResult) -> dict[str, Any]:
    """Returns a run's numbers, where its files are, and a contact sheet of the chosen frames."""
    metadata: dict[str, Any] = {
        "images": result.n_selected,
        "dagster/row_count": result.n_selected,
        "manifest": dg.MetadataValue.path(result.manifest),
        "folder": dg.MetadataValue.path(result.images),
        "corrupt_videos": len(result.corrupt_videos),
        "damaged_frames": result.n_damaged_frames,
        "missing_frames": len(result.missing_frames),
        "failed_videos": len(result.failed_videos),
        "tag": result.tag or "",
        "retries": sum(result.retries.values()),
        "waited_s": result.waited_s,
    }
    if result.retries:
        metadata["retry_causes"] = described_retries(result.retries, result.waited_s)
    if result.report:
        metadata["report"] = dg.MetadataValue.path(result.report)
    if result.coverage:
        metadata["coverage"] = dg.MetadataValue.md(_coverage_table(result))
        metadata["coverage_median"] = result.coverage["this choice"]["median"]
        metadata["coverage_largest"] = result.coverage["this choice"]["largest"]
    sheet = _contact_sheet(dataset, [frame.image for frame in result.selected])
    if sheet:
        picture = base64.b64encode(sheet).decode()
        metadata["chosen_frames"] = dg.MetadataValue.md(
            f"![chosen frames](data:image/jpeg;base64,{picture})"
        )
    return metadata


def _coverage_table(result: RunResult) -> str:
    """Returns how well this choice covers the candidates, beside others of the same size."""
    rows = "".join(
        f"| {name} | {figures['median']:.4g} | {figures['largest']:.4g} |\n"
        for name, figures in result.coverage.items()
    )
    return (
        f"Distance of a candidate to the nearest of {result.n_selected} frames:\n\n"
        f"| choice | median | largest |\n|---|---|---|\n{rows}"
    )


def _contact_sheet(dataset: Dataset, images: list[str]) -> bytes:
    """Returns a JPEG small enough for the event log, of the first chosen frames."""
    from PIL import Image

    from lightly_pipeline.images.decoding import read_rgb

    store = dataset.input if dataset.of_images else dataset.lightly
    shown = images[:_MAX_THUMBNAILS]
    if not shown:
        return b""
    width, height = _THUMBNAIL
    rows = -(-len(shown) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * width, rows * height), "white")
    for i, path in enumerate(shown):
        thumbnail = Image.fromarray(read_rgb(store.read(path)))
        thumbnail.thumbnail((width - 2, height - 2))
        sheet.paste(thumbnail, (i % _COLUMNS * width, i // _COLUMNS * height))
    for quality in (80, 60, 40, 20):
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= _MAX_SHEET_BYTES:
            break
    return buffer.getvalue()
