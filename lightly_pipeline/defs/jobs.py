"""Jobs: everything in one launch, and the parts."""

from typing import Any

import dagster as dg

from lightly_pipeline.config import DEFAULT_SELECTION
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.assets import DatasetAssets
from lightly_pipeline.defs.assets.trained_model import trains
from lightly_pipeline.defs.following import following
from lightly_pipeline.defs.launch import (
    LightlyLaunch,
    PipelineLaunch,
    SelectionLaunch,
    WorkerLaunch,
)
from lightly_pipeline.defs.reports import AssetReports
from lightly_pipeline.defs.step import DECODE_POOL, failing, launched_run
from lightly_pipeline.pipeline import run_steps
from lightly_pipeline.steps.setup import Run

PRESET: dict[str, Any] = {
    "worker_config": {"output_image_format": "png"},
    "selection_config": DEFAULT_SELECTION,
}
"""The documentation page's own configuration by block, shown in the launchpad."""


def launch_preset(dataset: Dataset) -> dict[str, Any]:
    """Returns what the launchpad shows at first: blocks that the dataset has not set itself.

    What is shown there is what a schedule launches, and it would win over the dataset's own.
    """
    own = {"worker_config": dataset.worker_config, "selection_config": dataset.selection_config}
    blocks = {name: block for name, block in PRESET.items() if not own[name]}
    return {"resources": {name: {"config": block} for name, block in blocks.items()}}


def dataset_jobs(owner: DatasetAssets) -> list[Any]:
    """Returns the jobs of a dataset: one that does everything, one per part."""

    def part(name: str, description: str, *assets: str, **options: Any) -> Any:
        return dg.define_asset_job(
            f"{owner.dataset.name}_{name}_job",
            selection=[owner.key(asset) for asset in assets],
            description=description,
            executor_def=dg.in_process_executor,
            tags=dict(owner.dataset.run_tags),
            **options,
        )

    jobs = [
        _run_job(owner),
        part("catalog", "Lists the videos.", "video_catalog"),
        part("videos", "Decodes and embeds videos.", "video_frames", "frame_embeddings"),
        part(
            "selection",
            "Chooses frames and writes their images.",
            "selected_frames",
            "uploaded_frames",
            config=launch_preset(owner.dataset),
        ),
    ]
    if trains(owner.dataset):
        description = "Trains a model on the frames of the videos."
        jobs.append(part("training", description, "trained_model"))
    return jobs


def _run_job(owner: DatasetAssets) -> dg.JobDefinition:
    dataset = owner.dataset

    @dg.op(
        name=f"{dataset.name}_run",
        description="Lists, decodes what is new, selects, and writes the images.",
        pool=DECODE_POOL,
    )
    def run_everything(
        context: dg.OpExecutionContext,
        worker_config: WorkerLaunch,  # type: ignore[valid-type]
        lightly_config: LightlyLaunch,  # type: ignore[valid-type]
        selection_config: SelectionLaunch,  # type: ignore[valid-type]
        pipeline_config: PipelineLaunch,  # type: ignore[valid-type]
    ) -> None:
        run = launched_run(
            context,
            dataset,
            worker_config,
            lightly_config,
            selection_config,
            pipeline_config,
            others=owner.others,
        )
        failing(context, lambda: run_and_report(context, run))

    @dg.job(
        name=f"{dataset.name}_run_job",
        description="Everything in one launch: list, decode what is new, select, write images.",
        config=launch_preset(dataset),
        executor_def=dg.in_process_executor,
        tags=dict(dataset.run_tags),
    )
    def run_job() -> None:
        run_everything()

    return run_job


def run_and_report(context: Any, run: Run) -> None:
    """Does everything, and reports every asset of the dataset and every video.

    Args:
        context: Of the step that does it.
        run: The run.

    Raises:
        LightlyPipelineError: As the pipeline does.
    """
    with following(context, run.progress):
        run_steps(run, AssetReports(context.instance, context.log_event))
