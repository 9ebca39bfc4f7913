"""The asset `video_catalog`: which videos the INPUT datasource holds."""

from collections.abc import Sequence

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.events import register
from lightly_pipeline.defs.launch import (
    LightlyLaunch,
    PipelineLaunch,
    SelectionLaunch,
    WorkerLaunch,
)
from lightly_pipeline.defs.step import RETRIES, failing, launched_run
from lightly_pipeline.steps.listing import check_first, list_catalog
from lightly_pipeline.tables.catalog import read_catalog


def video_catalog(dataset: Dataset, others: Sequence[Dataset]) -> dg.AssetsDefinition:
    """Returns the asset that lists the videos."""

    @dg.asset(
        key_prefix=dataset.name,
        group_name=dataset.name,
        name="video_catalog",
        description="Lists the videos of the INPUT datasource and adds a partition for each.",
        retry_policy=RETRIES,
        check_specs=[
            dg.AssetCheckSpec(
                "not_empty", asset=[dataset.name, "video_catalog"], description="There is a video."
            )
        ],
    )
    def listing(
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
        before = read_catalog(dataset.lightly)
        failing(lambda: check_first(run))
        catalog = failing(lambda: list_catalog(run))
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

    return listing
