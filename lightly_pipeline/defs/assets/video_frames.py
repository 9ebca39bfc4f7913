"""The assets `video_frames` and `frame_embeddings`: tables of videos, both from one decode."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.assets.trained_model import trains
from lightly_pipeline.defs.automation import video_condition
from lightly_pipeline.defs.describing import described, frame_schema, needs_a_listing
from lightly_pipeline.defs.events import table_events
from lightly_pipeline.defs.launch import (
    LightlyLaunch,
    PipelineLaunch,
    SelectionLaunch,
    WorkerLaunch,
)
from lightly_pipeline.defs.partitions import VideosOfRun, videos_of_run
from lightly_pipeline.defs.step import DECODE_POOL, RETRIES, failing, launched_run, working
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.layout import TABLES_FOLDER
from lightly_pipeline.runs.marks import in_progress
from lightly_pipeline.steps.processing import ProcessResult, process_videos
from lightly_pipeline.tables.outcome import VideoOutcome

VIDEOS_PER_RUN = int(os.environ.get("LIGHTLY_PIPELINE_VIDEOS_PER_RUN", "50"))
"""Videos that one run of a backfill takes, but no less than a partition: enough to make starting it
worth while."""


def frames_and_embeddings(
    dataset: Dataset, others: Sequence[Dataset], partitions: dg.DynamicPartitionsDefinition
) -> dg.AssetsDefinition:
    """Returns the assets `video_frames` and `frame_embeddings`, which come from one decode."""

    @dg.multi_asset(
        name=f"{dataset.name}_frames_and_embeddings",
        specs=_specs(dataset),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(
            max(1, VIDEOS_PER_RUN // (dataset.videos_per_partition or 1))
        ),
        can_subset=True,
        retry_policy=RETRIES,
        pool=DECODE_POOL,
    )
    def processing(
        context: dg.AssetExecutionContext,
        worker_config: WorkerLaunch,  # type: ignore[valid-type]
        lightly_config: LightlyLaunch,  # type: ignore[valid-type]
        selection_config: SelectionLaunch,  # type: ignore[valid-type]
        pipeline_config: PipelineLaunch,  # type: ignore[valid-type]
    ) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        run = launched_run(
            context,
            dataset,
            worker_config,
            lightly_config,
            selection_config,
            pipeline_config,
            others=others,
        )
        # A mistake in what strategies read shows before hours of decoding, not after.
        failing(context, lambda: (run.plan, run.vector_file))
        videos = _videos(context, dataset)
        outcomes: list[VideoOutcome] = []
        all_done = False
        try:
            with in_progress(run.dataset.lightly, run.run_id):
                processed = working(
                    context,
                    run,
                    "decode_and_embed",
                    lambda: process_videos(run, videos.catalog, on_outcome=outcomes.append),
                )
            failing(context, lambda: _refuse_incomplete(processed))
            all_done = True
            for key in sorted(context.selected_asset_keys):
                yield dg.MaterializeResult(asset_key=key)
        finally:
            # The later event counts: it carries the version and the numbers of its own partition.
            done = videos.done(outcomes, all_done=all_done)
            for event in table_events(context.selected_asset_keys, done):
                context.log_event(event)

    return processing


def _specs(dataset: Dataset) -> list[dg.AssetSpec]:
    sources = ["videos", "trained_model"] if trains(dataset) else ["videos"]

    def spec(name: str, description: str, *kinds: str, **metadata: Any) -> dg.AssetSpec:
        return dg.AssetSpec(
            dg.AssetKey([dataset.name, name]),
            deps=[dg.AssetKey([dataset.name, source]) for source in sources],
            description=description + needs_a_listing(dataset),
            automation_condition=video_condition(),
            **described(
                dataset, *kinds, store=dataset.lightly, path=TABLES_FOLDER, metadata=metadata
            ),
        )

    return [
        spec(
            "video_frames",
            "One table per video: a row for every decoded frame, with its time, checksum and "
            "quality.",
            "ffmpeg",
            "parquet",
            **{"dagster/column_schema": frame_schema()},
        ),
        spec(
            "frame_embeddings",
            "One vector per frame, from the same decoding.",
            "ffmpeg",
            "numpy",
        ),
    ]


def _refuse_incomplete(processed: ProcessResult) -> None:
    """Raises if a store refused a video, whatever a selection may leave out.

    What a step yields counts for all of its partitions: without this, those of refused videos
    would be shown as materialized, and never be tried again.
    """
    refused = {p: why for p, why in processed.failed.items() if p not in processed.removed}
    if refused:
        shown = [f"{path}: {reason}" for path, reason in sorted(refused.items())]
        raise DatasourceError(
            f"a store refused {len(shown)} of the videos, all others are done: "
            + "; ".join(shown[:5])
            + ". Selections with allow_incomplete go on without them"
        )


def _videos(context: dg.AssetExecutionContext, dataset: Dataset) -> VideosOfRun:
    """Returns the videos of this run's partitions in the version that was last listed."""
    videos = failing(context, lambda: videos_of_run(dataset, context.partition_keys))
    if videos.gone:
        gone = videos.gone[:5]
        context.log.warning(f"{len(videos.gone)} partitions have no video any more: {gone}")
    return videos
