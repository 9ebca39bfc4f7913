"""The component `lightly_pipeline.VideoDataset`: a dataset in a user's own Dagster project.

Its fields are those of a declaration in a dataset file, and a name; what they mean, and the
definitions that they become, is said once, in `config.dataset`, `datasets` and `build`.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import dagster as dg
from pydantic import Field

from lightly_pipeline.config.base import without_secrets
from lightly_pipeline.config.dataset import DatasetDeclaration
from lightly_pipeline.datasets import declared_dataset
from lightly_pipeline.defs.build import component_definitions
from lightly_pipeline.defs.stores import s3_resource_of

_SCAFFOLDED = {
    "input": "s3://bucket/videos/",
    "lightly": "s3://bucket/lightly/",
    "selection_config": {"n_samples": 50},
}


class VideoDatasetScaffolder(dg.Scaffolder):
    """Writes a `defs.yaml` to be filled in."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """Writes it into the folder that was asked for."""
        dg.scaffold_component(request, _SCAFFOLDED)


def _field(name: str) -> Any:
    """Returns a field with the default and the description of the declaration's."""
    declared = DatasetDeclaration.model_fields[name]
    if declared.is_required():
        return Field(description=declared.description)
    return Field(declared.default, description=declared.description)


def _as_written(context: dg.ResolutionContext, value: Any) -> Any:
    return context.resolve_value(value)


_Place = Annotated[Any, dg.Resolver(_as_written, model_field_type=str | dict[str, Any])]
_Resource = Annotated[Any, dg.Resolver(_as_written, model_field_type=str | dict[str, Any] | None)]


@dg.scaffold_with(VideoDatasetScaffolder)
class VideoDataset(dg.Component, dg.Resolvable, dg.Model):
    """Videos in one place, the frames worth labelling in another.

    Makes the assets of a dataset (videos, video_catalog, video_frames, frame_embeddings,
    selected_frames, uploaded_frames), its jobs (NAME_run_job does everything), a sensor on new
    videos, the automation and an hourly schedule.
    """

    name: str | None = Field(None, description="Of the dataset; that of the folder by default.")
    input: _Place = _field("input")
    lightly: _Place = _field("lightly")
    dataset_type: str = Field("VIDEOS", description="What INPUT holds: VIDEOS or IMAGES.")
    worker_config: dict[str, Any] | None = _field("worker_config")
    lightly_config: dict[str, Any] | None = _field("lightly_config")
    selection_config: dict[str, Any] | None = _field("selection_config")
    pipeline_config: dict[str, Any] | None = _field("pipeline_config")
    automation: bool = _field("automation")
    videos_per_partition: int | None = _field("videos_per_partition")
    owners: list[str] = _field("owners")
    freshness_hours: float | None = _field("freshness_hours")
    selection_freshness_hours: float | None = _field("selection_freshness_hours")
    checks: dict[str, Any] = Field(
        {}, description=DatasetDeclaration.model_fields["checks"].description
    )
    run_tags: dict[str, Any] = _field("run_tags")
    dataset_id: str = _field("dataset_id")
    thumbnail_suffix: str | None = _field("thumbnail_suffix")
    s3: _Resource = Field(
        None,
        repr=False,
        description="In place of the datasources' own credentials: the fields of dagster-aws' "
        "S3Resource, or such a resource from a template variable.",
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Shows no secret, not even one where none belongs, before it is refused."""
        return [(name, without_secrets(value)) for name, value in super().__repr_args__()]

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Returns how the component is listed."""
        return dg.ComponentTypeSpec(
            description=cls.__doc__,
            tags=["video", "active learning"],
            produces=["asset", "asset_check", "job", "sensor", "schedule"],
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Returns the definitions of the dataset; relative folders start from the `defs.yaml`'s."""
        folder = context.path if context.path.is_dir() else context.path.parent
        name = self.name or folder.name
        fields: Mapping[str, Any] = self.model_dump(exclude={"name", "s3"}, exclude_unset=True)
        dataset = declared_dataset(name, fields, where=f"dataset {name}", base=folder)
        return component_definitions(dataset, s3_resource_of(self.s3))
