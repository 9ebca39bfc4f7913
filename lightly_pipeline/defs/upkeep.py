"""The jobs that look after a dataset: `NAME_clean_job`, and `NAME_rebuild_job` for a new instance.

Thin: what is removed, and what is made again, is decided in `lightly_pipeline.upkeep`; what a
rebuilt instance is told, in `rebuilding.py`.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from lightly_pipeline.defs.assets import DatasetAssets
from lightly_pipeline.defs.rebuilding import report_stored
from lightly_pipeline.defs.step import STORE_POOL, failing, final_failure, run_id_of
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.upkeep.cleaning import clean
from lightly_pipeline.upkeep.mending import rebuild


class CleanLaunch(dg.Config):
    """What a clean-up removes; by default it only says what that would be."""

    delete: bool = Field(False, description="Remove it; otherwise nothing is changed.")
    older_than_days: float = Field(1.0, description="Nothing younger is removed.")
    unused_days: float = Field(
        30.0,
        description="After how long without a use tables of other embeddings are old, and runs and "
        "tables that were only begun are given up.",
    )
    keep_runs: int | None = Field(
        None, description="Of how many newest runs reports and logs are kept; all by default."
    )
    runs_older_than_days: float | None = Field(
        None, description="After how long reports and logs of runs are removed; never by default."
    )


def upkeep_jobs(owner: DatasetAssets) -> list[dg.JobDefinition]:
    """Returns the jobs that look after a dataset."""
    return [_clean_job(owner), _rebuild_job(owner)]


def _clean_job(owner: DatasetAssets) -> dg.JobDefinition:
    dataset = owner.dataset

    @dg.op(
        name=f"{dataset.name}_clean",
        description="Says which files in LIGHTLY nothing needs any more, or removes them.",
        pool=STORE_POOL,
    )
    def cleaning(context: dg.OpExecutionContext, config: CleanLaunch) -> None:
        result = failing(context, lambda: clean(dataset, **config.model_dump()))
        for line in (*result.notes, *map(str, result.failed.items())):
            context.log.warning(line)
        context.add_output_metadata(
            {
                "removed" if result.is_deleted else "not_needed": result.n_files,
                "bytes": result.n_bytes,
                "could_not_be_removed": result.n_failed,
                "details": dg.MetadataValue.json(result.as_dict()),
            }
        )
        if result.n_failed:
            raise final_failure(
                context,
                f"{result.n_failed} files could not be removed: "
                f"{next(iter(result.failed.values()))}",
            )

    @dg.job(
        name=f"{dataset.name}_clean_job",
        description="Finds what nothing in LIGHTLY needs any more; with `delete`, removes it.",
        executor_def=dg.in_process_executor,
        tags=dict(dataset.run_tags),
    )
    def clean_job() -> None:
        cleaning()

    return clean_job


def _rebuild_job(owner: DatasetAssets) -> dg.JobDefinition:
    dataset = owner.dataset

    @dg.op(
        name=f"{dataset.name}_rebuild",
        description="Tells a new instance what LIGHTLY holds; nothing is decoded.",
        pool=STORE_POOL,
    )
    def rebuilding(context: dg.OpExecutionContext) -> None:
        mended = failing(context, lambda: rebuild(dataset))
        for note in mended.notes:
            context.log.warning(note)
        log: Any = context.log_event
        run = failing(context, lambda: Run(dataset, resolve_config(dataset), run_id_of(context)))
        told = failing(context, lambda: report_stored(context.instance, log, run))
        context.add_output_metadata(
            {
                **told,
                "documents_made_again": len(mended.made),
                "damaged_tables": len(mended.voided),
            }
        )

    @dg.job(
        name=f"{dataset.name}_rebuild_job",
        description="For an instance that was lost: videos, their tables and earlier runs are "
        "registered from what LIGHTLY holds.",
        executor_def=dg.in_process_executor,
        tags=dict(dataset.run_tags),
    )
    def rebuild_job() -> None:
        rebuilding()

    return rebuild_job
