"""The whole report of a run: what was found of its choice, and what became of the images."""

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightly_pipeline
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.export.previews import FrameKey, Preview
from lightly_pipeline.layout import run_path
from lightly_pipeline.report.gather.material import ChoiceNumbers
from lightly_pipeline.report.numbers import ChosenPicture, Problem, Report, RunFacts, Sizes
from lightly_pipeline.runs.records import SelectionRecord, UploadedImage
from lightly_pipeline.video.versions import decoder_version

# By module: one that is not loaded had no part in the run.
_PACKAGES = {"numpy": "numpy", "faiss": "faiss", "pillow": "PIL", "torch": "torch"}


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a run's chosen frames.

    Attributes:
        record: The selection, as it is after frames were replaced.
        images: The stored images.
        previews: Small pictures by frame.
        corrupt_samples: Reason by place, of what is damaged, replaced or missing.
        missing: Reason by frame of what was chosen and is not stored.
    """

    record: SelectionRecord
    images: Sequence[UploadedImage]
    previews: Mapping[FrameKey, Preview]
    corrupt_samples: Mapping[str, str]
    missing: Mapping[str, str]


def whole_report(
    dataset: Dataset,
    choice: ChoiceNumbers,
    stored: Stored,
    seconds: Mapping[str, float],
    n_decoded_frames: int,
) -> Report:
    """Returns the report of a run.

    Args:
        dataset: Of the run.
        choice: What was found right after the selection.
        stored: What became of the images.
        seconds: Wall time by step, as far as it is known.
        n_decoded_frames: Frames that were decoded and embedded in this run.
    """
    return Report(
        facts=_facts(dataset, choice, stored, seconds, n_decoded_frames),
        sizes=_sizes(choice, stored),
        problems=tuple(_problems(stored)),
        coverage=choice.coverage,
        chosen=tuple(_chosen(choice, stored)),
        timelines=choice.timelines,
        map=choice.map,
        twins=tuple(
            replace(twin, preview=stored.previews.get((twin.video, twin.frame_index)))
            for twin in choice.twins
        ),
        balances=choice.balances,
        histograms=choice.histograms,
        distances=choice.distances,
    )


def _facts(
    dataset: Dataset,
    choice: ChoiceNumbers,
    stored: Stored,
    seconds: Mapping[str, float],
    n_decoded_frames: int,
) -> RunFacts:
    record = stored.record
    unit = "frames" if record.input is None else "images"
    counted = {
        "decode_and_embed": (n_decoded_frames, unit),
        "select": (choice.n_candidates, unit),
        "upload": (len(stored.images), "images"),
    }
    rates = {
        step: count / seconds[step]
        for step, (count, _) in counted.items()
        if count and seconds.get(step)
    }
    return RunFacts(
        run_id=record.run_id,
        dataset=record.dataset,
        created=record.created,
        seconds=dict(seconds),
        rates=rates,
        rate_units={step: counted[step][1] for step in rates},
        config=record.config,
        versions=_versions(record),
        dataset_id=dataset.dataset_id,
        folder=dataset.lightly.location(run_path(record.run_id, "").removesuffix("/")),
        of_images=record.input is not None,
    )


def _versions(record: SelectionRecord) -> dict[str, str]:
    found = {"lightly-pipeline": lightly_pipeline.__version__, "python": platform.python_version()}
    for name, module in _PACKAGES.items():
        if module in sys.modules:
            found[name] = sys.modules[module].__version__
    found |= {"decoder": decoder_version(), "embeddings": record.embedding_id}
    return found | _model(record.summary.get("trained_model"))


def _model(trained: Mapping[str, Any] | None) -> dict[str, str]:
    if trained is None:
        return {}
    told = (
        f"{trained['name']}, trained by run {trained['trained_by_run']} on "
        f"{trained['frames']:,} frames in {trained['epochs']} epochs: loss "
        f"{trained['first_loss']} to {trained['final_loss']}, sha256 {trained['sha256']}"
    )
    return {"trained model": told}


def _sizes(choice: ChoiceNumbers, stored: Stored) -> Sizes:
    record = stored.record
    summary = record.summary
    duplicates = summary.get("duplicates", {})
    n_copies = duplicates.get("n_duplicates", duplicates.get("equal_pixels", 0))
    removes = record.config["pipeline_config"]["remove_exact_duplicates"]
    return Sizes(
        n_input_videos=record.n_input_videos,
        n_corrupt_videos=record.n_broken_files,
        n_failed_videos=len(record.failed_videos),
        n_input_frames=choice.n_input_frames,
        n_damaged_frames=record.n_damaged_frames,
        n_duplicates=n_copies,
        n_removed_by_threshold=summary.get("n_removed_by_threshold", 0) * record.sequence_length,
        n_candidates=choice.n_candidates,
        n_preselected=summary.get("n_preselected", 0),
        n_selected=len(stored.images),
        n_replaced=sum(frame.by_video is not None for frame in record.replaced),
        n_missing=len(stored.missing),
        n_removed_duplicates=n_copies if removes else 0,
    )


def _problems(stored: Stored) -> Iterator[Problem]:
    record = stored.record
    replaced = dict(frame.describe() for frame in record.replaced)
    for kind, reasons in (
        ("video", record.corrupt_videos),
        ("left out", record.failed_videos),
        ("not stored", stored.missing),
        ("replaced", replaced),
        ("frame", stored.corrupt_samples),
    ):
        for place, reason in reasons.items():
            told_apart = kind == "frame" and (place in replaced or place in stored.missing)
            if not told_apart and not (kind == "replaced" and place in stored.missing):
                yield Problem(kind, place, reason)
    for video, lines in record.warnings.items():
        yield from (Problem("warning", video, line) for line in lines)


def _chosen(choice: ChoiceNumbers, stored: Stored) -> Iterator[ChosenPicture]:
    images = {image.rank: image for image in stored.images}
    for frame, time_s, nearest in zip(
        stored.record.frames, choice.times, choice.nearest_ranks, strict=True
    ):
        image = images.get(frame.rank)
        yield ChosenPicture(
            rank=frame.rank,
            video=frame.video,
            frame_index=frame.frame_index,
            time_s=time_s,
            image=image.image if image else None,
            decided_by=frame.decided_by,
            distance=frame.distance,
            nearest_rank=nearest,
            preview=stored.previews.get((frame.video, frame.frame_index)),
        )
