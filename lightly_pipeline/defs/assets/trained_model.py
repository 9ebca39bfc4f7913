"""The asset `trained_model`: a model of the dataset's own frames, where its declaration trains."""

from collections.abc import Sequence

import dagster as dg

from lightly_pipeline.config.base import snake_keys
from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.automation import model_condition
from lightly_pipeline.defs.describing import described
from lightly_pipeline.defs.launch import (
    LightlyLaunch,
    PipelineLaunch,
    SelectionLaunch,
    WorkerLaunch,
)
from lightly_pipeline.defs.metadata import model_metadata
from lightly_pipeline.defs.step import (
    DECODE_POOL,
    RETRIES,
    failing,
    final_failure,
    launched_run,
    working,
)
from lightly_pipeline.layout import TRAINING_FOLDER
from lightly_pipeline.runs.marks import in_progress
from lightly_pipeline.steps.listing import stored_catalog
from lightly_pipeline.steps.training import check_training, train_model


def trains(dataset: Dataset) -> bool:
    """Returns whether a dataset's declaration says that a model is trained."""
    return bool(snake_keys(dataset.worker_config or {}).get("enable_training"))


def trained_model(dataset: Dataset, others: Sequence[Dataset]) -> dg.AssetsDefinition:
    """Returns the asset that trains the model."""
    key = dg.AssetKey([dataset.name, "trained_model"])

    @dg.multi_asset(
        name=f"{dataset.name}__trained_model",
        specs=[
            dg.AssetSpec(
                key,
                deps=[dg.AssetKey([dataset.name, "video_catalog"])],
                description="A model trained on the frames of all listed videos, without labels. "
                "Materialized again it is trained anew where videos came or changed, and then all "
                "videos are embedded again.",
                automation_condition=model_condition(),
                **described(dataset, "pytorch", store=dataset.lightly, path=TRAINING_FOLDER),
            )
        ],
        retry_policy=RETRIES,
        pool=DECODE_POOL,
    )
    def training(
        context: dg.AssetExecutionContext,
        worker_config: WorkerLaunch,  # type: ignore[valid-type]
        lightly_config: LightlyLaunch,  # type: ignore[valid-type]
        selection_config: SelectionLaunch,  # type: ignore[valid-type]
        pipeline_config: PipelineLaunch,  # type: ignore[valid-type]
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        run = launched_run(
            context,
            dataset,
            worker_config,
            lightly_config,
            selection_config,
            pipeline_config,
            others=others,
        )
        if not run.config.worker.enable_training:
            raise final_failure(
                context,
                "worker_config.enable_training is off in this launch: there is nothing to train; "
                "leave it out, or on",
            )
        failing(context, lambda: check_training(run))
        catalog = failing(context, lambda: stored_catalog(dataset))
        with in_progress(run.dataset.lightly, run.run_id):
            model = working(context, run, "train", lambda: train_model(run, catalog))
        assert model is not None, "it trains"
        return dg.MaterializeResult(
            metadata=model_metadata(model), data_version=dg.DataVersion(model.sha256)
        )

    return training
