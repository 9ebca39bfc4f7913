"""The assets `selected_frames` and `uploaded_frames`: one selection with its images."""

import hashlib
import json
from collections.abc import Iterator, Sequence

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.automation import selection_condition
from lightly_pipeline.defs.launch import (
    LightlyLaunch,
    PipelineLaunch,
    SelectionLaunch,
    WorkerLaunch,
)
from lightly_pipeline.defs.metadata import run_metadata, selection_metadata
from lightly_pipeline.defs.step import RETRIES, failing, launched_run
from lightly_pipeline.runs.records import SelectionRecord
from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.runs.verification import verify_run
from lightly_pipeline.steps.listing import stored_catalog
from lightly_pipeline.steps.processing import read_outcomes
from lightly_pipeline.steps.selecting import select_frames
from lightly_pipeline.steps.uploading import upload_frames


def selection_and_images(dataset: Dataset, others: Sequence[Dataset]) -> dg.AssetsDefinition:
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
        retry_policy=RETRIES,
    )
    def selecting(
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
        failing(lambda: run.plan)
        processed = failing(lambda: read_outcomes(run, stored_catalog(dataset)))
        record = failing(lambda: select_frames(run, processed))
        yield _selected(selected, record)
        result = failing(lambda: upload_frames(run))
        yield _uploaded(uploaded, dataset, result)

    return selecting


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


def _uploaded(key: dg.AssetKey, dataset: Dataset, result: RunResult) -> dg.MaterializeResult:  # type: ignore[type-arg]
    check = verify_run(dataset.lightly, result.run_id)
    wrong = [*check.missing, *check.changed, *result.missing_frames][:20]
    return dg.MaterializeResult(
        asset_key=key,
        metadata=run_metadata(dataset, result),
        check_results=[
            dg.AssetCheckResult(
                passed=check.is_true and not result.missing_frames,
                asset_key=key,
                check_name="all_images_present",
                metadata={
                    "images": result.n_selected,
                    "missing": wrong,
                },
            )
        ],
    )


def _default_config_hash(dataset: Dataset) -> str:
    blocks = [
        dataset.worker_config,
        dataset.lightly_config,
        dataset.selection_config,
        dataset.pipeline_config,
    ]
    return hashlib.sha256(json.dumps(blocks, sort_keys=True, default=str).encode()).hexdigest()[:16]
