"""The assets `selected_frames` and `uploaded_frames`: one selection with its images."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources.retries import Retries
from lightly_pipeline.defs.automation import selection_condition
from lightly_pipeline.defs.checks import (
    copies_check,
    image_check_specs,
    images_check,
    selection_check_specs,
    selection_checks,
)
from lightly_pipeline.defs.describing import described, freshness_policy
from lightly_pipeline.defs.events import last_figures
from lightly_pipeline.defs.launch import (
    LightlyLaunch,
    PipelineLaunch,
    SelectionLaunch,
    WorkerLaunch,
)
from lightly_pipeline.defs.metadata import record_metadata, run_metadata
from lightly_pipeline.defs.step import RETRIES, STORE_POOL, failing, launched_run, working
from lightly_pipeline.layout import FRAMES_FOLDER, RUNS_FOLDER
from lightly_pipeline.runs.marks import in_progress
from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.runs.verification import verify_run
from lightly_pipeline.steps.listing import stored_catalog
from lightly_pipeline.steps.processing import read_outcomes
from lightly_pipeline.steps.reporting import log_result, report_run
from lightly_pipeline.steps.selecting import select_frames
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.steps.uploading import UploadedRun, upload_frames


def selection_and_images(dataset: Dataset, others: Sequence[Dataset]) -> dg.AssetsDefinition:
    """One step for both: a run is one selection with its images, never one without the other."""
    selected, uploaded = (
        dg.AssetKey([dataset.name, name]) for name in ("selected_frames", "uploaded_frames")
    )

    @dg.multi_asset(
        name=f"{dataset.name}_selection_and_images",
        specs=_specs(dataset, selected, uploaded),
        check_specs=[*selection_check_specs(dataset, selected), *image_check_specs(uploaded)],
        retry_policy=RETRIES,
        pool=STORE_POOL,
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
        failing(context, lambda: (run.plan, run.own_vectors))
        with in_progress(run.dataset.lightly, run.run_id):
            processed = failing(context, lambda: read_outcomes(run, stored_catalog(dataset)))
            before = last_figures(context.instance, selected)
            seconds: dict[str, float] = {}
            step = partial(working, context, run, seconds=seconds, retries=(retries := Retries()))
            record = step("select", lambda: select_frames(run, processed))
            yield dg.MaterializeResult(
                asset_key=selected,
                metadata=record_metadata(record),
                check_results=selection_checks(dataset, selected, record, before),
            )
            uploaded_run = step("upload", lambda: upload_frames(run))
            result = step("report", lambda: _reported(run, uploaded_run, seconds, retries))
            yield dg.MaterializeResult(
                asset_key=uploaded,
                metadata=run_metadata(dataset, result),
                check_results=[
                    images_check(
                        uploaded,
                        verify_run(dataset.lightly, result.run_id, source=dataset.input),
                        result.missing_frames,
                    ),
                    copies_check(uploaded, dataset, result.run_id),
                ],
            )

    return selecting


def _reported(
    run: Run, uploaded: UploadedRun, seconds: dict[str, float], retries: Retries
) -> RunResult:
    result = replace(
        report_run(run, uploaded, seconds), retries=retries.causes, waited_s=retries.waited_s
    )
    log_result(result)
    return result


def _specs(dataset: Dataset, selected: dg.AssetKey, uploaded: dg.AssetKey) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            selected,
            deps=[dg.AssetKey([dataset.name, "frame_embeddings"])],
            description="The frames chosen from all embedded videos of the catalogue. One "
            "launch with its images; their settings are the launch's blocks.",
            code_version=_default_config_hash(dataset),
            automation_condition=selection_condition(
                of_batches=dataset.videos_per_partition is not None
            ),
            **described(dataset, "faiss", store=dataset.lightly, path=RUNS_FOLDER),
        ),
        dg.AssetSpec(
            uploaded,
            deps=[selected],
            description="The chosen frames as images in LIGHTLY; chosen images stay in INPUT. The "
            "metadata `manifest` names the file that lists them, for who goes on from here.",
            freshness_policy=freshness_policy(dataset.selection_freshness_hours),
            **described(dataset, "image", store=dataset.lightly, path=FRAMES_FOLDER),
        ),
    ]


def _default_config_hash(dataset: Dataset) -> str:
    blocks = [
        dataset.worker_config,
        dataset.lightly_config,
        dataset.selection_config,
        dataset.pipeline_config,
    ]
    return hashlib.sha256(json.dumps(blocks, sort_keys=True, default=str).encode()).hexdigest()[:16]
