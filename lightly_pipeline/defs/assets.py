"""The assets of one dataset: catalogue, frame tables with embeddings, selection, images.

Each calls one function of `lightly_pipeline.pipeline` and reports what came out. When they run by
themselves is in `automation.py`.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from lightly_pipeline import pipeline
from lightly_pipeline.config import RunConfig
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.defs.automation import selection_condition, video_condition
from lightly_pipeline.defs.launch import (
    LightlyLaunch,
    PipelineLaunch,
    SelectionLaunch,
    WorkerLaunch,
    block_of,
)
from lightly_pipeline.defs.metadata import outcome_metadata, run_metadata, selection_metadata
from lightly_pipeline.errors import DatasourceError, LightlyPipelineError
from lightly_pipeline.layout import partition_key, video_path
from lightly_pipeline.progress import Progress
from lightly_pipeline.runs.records import SelectionRecord
from lightly_pipeline.tables.catalog import Catalog, read_catalog
from lightly_pipeline.tables.outcome import VideoOutcome

_MAX_ADDED = 5000
_PROGRESS_S = 10.0
_RETRIES = dg.RetryPolicy(
    max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
VIDEOS_PER_RUN = int(os.environ.get("LIGHTLY_PIPELINE_VIDEOS_PER_RUN", "50"))
"""Videos that one run of a backfill takes: enough to make starting it worth while."""


@dataclass(frozen=True)
class DatasetAssets:
    """The assets of a dataset, and what they share.

    Attributes:
        dataset: The dataset.
        others: Datasets whose tags may be queries of its selections.
        partitions: Its videos.
        assets: All asset definitions.
    """

    dataset: Dataset
    others: Sequence[Dataset]
    partitions: dg.DynamicPartitionsDefinition
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec]

    def key(self, name: str) -> dg.AssetKey:
        """Returns the key of one of the dataset's assets."""
        return dg.AssetKey([self.dataset.name, name])


def dataset_assets(dataset: Dataset, others: Sequence[Dataset] = ()) -> DatasetAssets:
    """Returns the assets of a dataset, whose selections may ask for tags of the others."""
    partitions = dg.DynamicPartitionsDefinition(name=f"{dataset.name}_videos")
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
        _videos(dataset, partitions),
        _video_catalog(dataset),
        _frames_and_embeddings(dataset, partitions),
        _selection_and_images(dataset, others),
    ]
    return DatasetAssets(dataset, others, partitions, assets)


def resolve(dataset: Dataset, worker: Any, lightly: Any, selection: Any, own: Any) -> RunConfig:
    """Validates what a launch says, all blocks together, before any work.

    Raises:
        Failure: Names what is wrong; never retried.
    """
    blocks = [block_of(resource) for resource in (worker, lightly, selection, own)]
    with_failures: RunConfig = failing(lambda: pipeline.resolve_config(dataset, *blocks))
    return with_failures


def failing(call: Callable[[], Any]) -> Any:
    """Calls, and turns what no retry can mend into a failure with our message."""
    try:
        return call()
    except DatasourceError:
        raise
    except LightlyPipelineError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def log_progress(context: Any) -> Progress:
    """Returns a progress callback that logs a line every ten seconds."""
    last = [time.monotonic()]

    def report(step: str, done: int, total: int | None, unit: str) -> None:
        now = time.monotonic()
        if now - last[0] >= _PROGRESS_S:
            last[0] = now
            context.log.info(f"{step}: {done}{f' of about {total}' if total else ''} {unit}")

    return report


def register(context: Any, dataset: Dataset, before: Catalog | None, catalog: Catalog) -> int:
    """Adds partitions for new videos and reports new versions of the INPUT videos.

    Returns:
        How many videos are new or changed.
    """
    known = set(context.instance.get_dynamic_partitions(f"{dataset.name}_videos"))
    keys = [partition_key(video.path) for video in catalog.videos]
    added = [key for key in keys if key not in known]
    for start in range(0, len(added), _MAX_ADDED):
        context.instance.add_dynamic_partitions(
            f"{dataset.name}_videos", added[start : start + _MAX_ADDED]
        )
    seen = {video.path: video.etag for video in before.videos} if before else {}
    fresh = set(added)
    changed = [
        (key, video)
        for key, video in zip(keys, catalog.videos, strict=True)
        if key in fresh or seen.get(video.path) != video.etag
    ]
    for key, video in changed:
        context.log_event(_version_event(dataset, key, video))
    return len(changed)


def _version_event(dataset: Dataset, key: str, video: StoredObject) -> dg.AssetMaterialization:
    version = hashlib.sha256(f"{video.etag} {video.size_bytes}".encode()).hexdigest()[:16]
    return dg.AssetMaterialization(
        asset_key=dg.AssetKey([dataset.name, "videos"]),
        partition=key,
        tags={"dagster/data_version": version},
        metadata={"path": video.path, "size_bytes": video.size_bytes, "etag": video.etag},
    )


def _videos(dataset: Dataset, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=[dataset.name, "videos"],
        description=f"The videos in {dataset.input.describe()}, as they were last listed.",
        partitions_def=partitions,
        group_name=dataset.name,
        kinds={"video"},
    )


def _video_catalog(dataset: Dataset) -> dg.AssetsDefinition:
    @dg.asset(
        key_prefix=dataset.name,
        group_name=dataset.name,
        name="video_catalog",
        description="Lists the videos of the INPUT datasource and adds a partition for each.",
        retry_policy=_RETRIES,
        check_specs=[
            dg.AssetCheckSpec(
                "not_empty", asset=[dataset.name, "video_catalog"], description="There is a video."
            )
        ],
    )
    def video_catalog(
        context: dg.AssetExecutionContext,
        worker_config: WorkerLaunch,  # type: ignore[valid-type]
        lightly_config: LightlyLaunch,  # type: ignore[valid-type]
        selection_config: SelectionLaunch,  # type: ignore[valid-type]
        pipeline_config: PipelineLaunch,  # type: ignore[valid-type]
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        config = resolve(dataset, worker_config, lightly_config, selection_config, pipeline_config)
        before = read_catalog(dataset.lightly)
        pipeline.check_access(dataset, config)
        catalog = failing(lambda: pipeline.list_catalog(dataset, progress=log_progress(context)))
        n_changed = register(context, dataset, before, catalog)
        return dg.MaterializeResult(
            metadata={"videos": len(catalog.videos), "new_or_changed": n_changed},
            data_version=dg.DataVersion(catalog.hash),
            check_results=[
                dg.AssetCheckResult(
                    passed=bool(catalog.videos),
                    check_name="not_empty",
                    metadata={"videos": len(catalog.videos)},
                )
            ],
        )

    return video_catalog


def _frames_and_embeddings(
    dataset: Dataset, partitions: dg.DynamicPartitionsDefinition
) -> dg.AssetsDefinition:
    keys = {
        name: dg.AssetKey([dataset.name, name]) for name in ("video_frames", "frame_embeddings")
    }
    videos = dg.AssetKey([dataset.name, "videos"])

    def spec(name: str, deps: list[dg.AssetKey], description: str) -> dg.AssetSpec:
        return dg.AssetSpec(
            keys[name],
            deps=deps,
            description=description,
            group_name=dataset.name,
            automation_condition=video_condition(),
        )

    @dg.multi_asset(
        name=f"{dataset.name}_frames_and_embeddings",
        specs=[
            spec("video_frames", [videos], "One table per video: a row for every decoded frame."),
            spec("frame_embeddings", [videos], "One vector per frame, from the same decoding."),
        ],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(VIDEOS_PER_RUN),
        can_subset=True,
        retry_policy=_RETRIES,
    )
    def frames_and_embeddings(
        context: dg.AssetExecutionContext,
        worker_config: WorkerLaunch,  # type: ignore[valid-type]
        lightly_config: LightlyLaunch,  # type: ignore[valid-type]
        selection_config: SelectionLaunch,  # type: ignore[valid-type]
        pipeline_config: PipelineLaunch,  # type: ignore[valid-type]
    ) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        config = resolve(dataset, worker_config, lightly_config, selection_config, pipeline_config)
        outcomes: dict[str, VideoOutcome] = {}
        try:
            pipeline.process_videos(
                dataset,
                config,
                _chunk(context, dataset),
                progress=log_progress(context),
                on_outcome=lambda outcome: outcomes.update({outcome.video: outcome}),
            )
        except BaseException:
            _report(context, context.selected_asset_keys, outcomes)
            raise
        for key in sorted(context.selected_asset_keys):
            yield dg.MaterializeResult(asset_key=key)
        # The later event counts: it carries the version and the numbers of its own video.
        _report(context, context.selected_asset_keys, outcomes)

    return frames_and_embeddings


def _chunk(context: dg.AssetExecutionContext, dataset: Dataset) -> Catalog:
    """Returns the videos of this run's partitions in the version that was last listed."""
    catalog = failing(lambda: pipeline.stored_catalog(dataset))
    listed = {video.path: video for video in catalog.videos}
    wanted = [video_path(key) for key in context.partition_keys]
    gone = [path for path in wanted if path not in listed]
    if gone:
        context.log.warning(f"{len(gone)} videos are not in the catalogue any more: {gone[:5]}")
    return Catalog(tuple(listed[path] for path in wanted if path in listed))


def _report(
    context: dg.AssetExecutionContext,
    keys: Any,
    outcomes: dict[str, VideoOutcome],
) -> None:
    for outcome in list(outcomes.values()):
        for key in sorted(keys):
            context.log_event(outcome_event(key, outcome))


def outcome_event(key: dg.AssetKey, outcome: VideoOutcome) -> dg.AssetMaterialization:
    """Returns the event that says a video's table is there, in which version, with its numbers."""
    return dg.AssetMaterialization(
        asset_key=key,
        partition=partition_key(outcome.video),
        tags={"dagster/data_version": outcome.fingerprint},
        metadata=outcome_metadata(outcome),
    )


def run_id_of(context: Any) -> str:
    """Returns the id under which a run keeps its files: that of the first attempt."""
    run: dg.DagsterRun = context.run
    return run.root_run_id or run.run_id


def _selection_and_images(dataset: Dataset, others: Sequence[Dataset]) -> dg.AssetsDefinition:
    """One step for both: a run is one selection with its images, never one without the other."""
    selected, uploaded = (
        dg.AssetKey([dataset.name, name]) for name in ("selected_frames", "uploaded_frames")
    )

    @dg.multi_asset(
        name=f"{dataset.name}_selection_and_images",
        specs=[
            dg.AssetSpec(
                selected,
                deps=[dg.AssetKey([dataset.name, "frame_embeddings"])],
                group_name=dataset.name,
                description="The frames chosen from all embedded videos of the catalogue.",
                code_version=_default_config_hash(dataset),
                automation_condition=selection_condition(),
            ),
            dg.AssetSpec(
                uploaded,
                deps=[selected],
                group_name=dataset.name,
                description="The chosen frames as images in LIGHTLY, and their manifest.",
            ),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                "right_size", asset=selected, description="As many as asked for, none twice."
            ),
            dg.AssetCheckSpec(
                "all_images_present", asset=uploaded, description="Each image has its hash."
            ),
        ],
        retry_policy=_RETRIES,
    )
    def selection_and_images(
        context: dg.AssetExecutionContext,
        worker_config: WorkerLaunch,  # type: ignore[valid-type]
        lightly_config: LightlyLaunch,  # type: ignore[valid-type]
        selection_config: SelectionLaunch,  # type: ignore[valid-type]
        pipeline_config: PipelineLaunch,  # type: ignore[valid-type]
    ) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        config = resolve(dataset, worker_config, lightly_config, selection_config, pipeline_config)
        run_id, progress = run_id_of(context), log_progress(context)

        def choose() -> SelectionRecord:
            processed = pipeline.read_outcomes(dataset, config, pipeline.stored_catalog(dataset))
            return pipeline.select_frames(
                dataset, config, processed, run_id=run_id, others=others, progress=progress
            )

        record = failing(choose)
        yield _selected(selected, record)
        result = failing(
            lambda: pipeline.upload_frames(dataset, run_id, config=config, progress=progress)
        )
        yield _uploaded(uploaded, dataset, result)

    return selection_and_images


def _selected(key: dg.AssetKey, record: SelectionRecord) -> dg.MaterializeResult:  # type: ignore[type-arg]
    frames = [(frame.video, frame.frame_index) for frame in record.frames]
    return dg.MaterializeResult(
        asset_key=key,
        metadata={
            "chosen": len(frames),
            "candidates": record.n_input_frames,
            "corrupt_videos": len(record.corrupt_videos),
            **selection_metadata(record.summary),
        },
        check_results=[
            dg.AssetCheckResult(
                passed=bool(frames)
                and len(set(frames)) == len(frames) == record.summary["n_selected"],
                asset_key=key,
                check_name="right_size",
                metadata={"frames": len(frames), "distinct": len(set(frames))},
            )
        ],
    )


def _uploaded(
    key: dg.AssetKey, dataset: Dataset, result: pipeline.RunResult
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    missing = pipeline.missing_images(dataset, result.run_id)
    return dg.MaterializeResult(
        asset_key=key,
        metadata=run_metadata(dataset, result),
        check_results=[
            dg.AssetCheckResult(
                passed=not missing,
                asset_key=key,
                check_name="all_images_present",
                metadata={"images": result.n_selected, "missing": missing[:20]},
            )
        ],
    )


def _default_config_hash(dataset: Dataset) -> str:
    blocks = [dataset.worker_config, dataset.lightly_config, dataset.selection_config]
    return hashlib.sha256(json.dumps(blocks, sort_keys=True, default=str).encode()).hexdigest()[:16]
