"""The asset `video_catalog`: which videos the INPUT datasource holds."""

from collections.abc import Sequence

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.defs.checks import catalog_check_specs, catalog_checks
from lightly_pipeline.defs.describing import described, freshness_policy
from lightly_pipeline.defs.events import register
from lightly_pipeline.defs.launch import (
    LightlyLaunch,
    PipelineLaunch,
    SelectionLaunch,
    WorkerLaunch,
)
from lightly_pipeline.defs.metadata import catalog_metadata
from lightly_pipeline.defs.step import RETRIES, STORE_POOL, failing, launched_run, working
from lightly_pipeline.steps.listing import check_first, list_catalog
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import CATALOG_PATH, Catalog


def video_catalog(dataset: Dataset, others: Sequence[Dataset]) -> dg.AssetsDefinition:
    """Returns the asset that lists the videos."""
    key = dg.AssetKey([dataset.name, "video_catalog"])

    @dg.multi_asset(
        name=f"{dataset.name}__video_catalog",
        specs=[
            dg.AssetSpec(
                key,
                description="Lists the videos of the INPUT datasource and adds their "
                "partitions. Start here, or with the job that does everything, "
                f"`{dataset.name}_run_job`.",
                freshness_policy=freshness_policy(dataset.freshness_hours),
                **described(dataset, "python", store=dataset.lightly, path=CATALOG_PATH),
            )
        ],
        check_specs=catalog_check_specs(key),
        retry_policy=RETRIES,
        pool=STORE_POOL,
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
        catalog = working(context, run, "catalog", lambda: _listed(run))
        registered = failing(
            context, lambda: register(context.instance, context.log_event, dataset, catalog)
        )
        return dg.MaterializeResult(
            metadata=catalog_metadata(catalog, registered.n_changed, registered.n_partitions),
            data_version=dg.DataVersion(catalog.hash),
            check_results=catalog_checks(key, catalog),
        )

    return listing


def _listed(run: Run) -> Catalog:
    check_first(run)
    return list_catalog(run)
