"""The configuration blocks as resources that are filled in at launch.

Their fields are those of `lightly_pipeline.config`, all optional, so that the launchpad shows and
describes them; validation and defaults stay where they are defined. Nothing is decided here.
"""

from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import dagster as dg
from pydantic import BaseModel, Field, create_model

from lightly_pipeline.config import LightlyConfig, PipelineConfig, SelectionConfig, WorkerConfig

_SCALARS = (bool, int, float, str)


def _launch_model(model: type[BaseModel], name: str, base: type[Any]) -> type[Any]:
    """Returns a Dagster configuration class with the fields of a model, all of them optional."""
    fields: dict[str, Any] = {}
    for field_name, info in model.model_fields.items():
        annotation = _launch_type(info.annotation, f"{name}_{field_name}")
        default: Any = [] if get_origin(annotation) is list else None
        optional = annotation if default == [] or annotation is Any else annotation | None
        fields[field_name] = (optional, Field(default, description=info.description))
    built: type[Any] = create_model(name, __base__=base, __doc__=model.__doc__, **fields)
    return built


def _launch_type(annotation: Any, name: str) -> Any:
    """Returns what the launchpad takes for a field: Dagster knows fewer types than pydantic."""
    annotation = _bare(annotation)
    if get_origin(annotation) is list:
        item = _launch_type(get_args(annotation)[0], name)
        # Built at run time, where mypy expects a name.
        return list[item]  # type: ignore[valid-type]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _launch_model(annotation, name, dg.Config)
    if annotation in _SCALARS:
        return annotation
    if get_origin(annotation) is Literal and all(isinstance(v, str) for v in get_args(annotation)):
        return str
    return Any


def _bare(annotation: Any) -> Any:
    """Strips constraints and `| None` off an annotation; other unions stay."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    members = [_bare(a) for a in get_args(annotation) if a is not type(None)]
    is_union = get_origin(annotation) in (Union, UnionType)
    return members[0] if is_union and len(members) == 1 else annotation


WorkerLaunch = _launch_model(WorkerConfig, "worker_config", dg.ConfigurableResource)
LightlyLaunch = _launch_model(LightlyConfig, "lightly_config", dg.ConfigurableResource)
SelectionLaunch = _launch_model(SelectionConfig, "selection_config", dg.ConfigurableResource)
PipelineLaunch = _launch_model(PipelineConfig, "pipeline_config", dg.ConfigurableResource)


@cache
def launch_resources() -> Mapping[str, Any]:
    """Returns the resources that every launch may fill in; the same ones for all datasets."""
    return {
        "worker_config": WorkerLaunch.configure_at_launch(),
        "lightly_config": LightlyLaunch.configure_at_launch(),
        "selection_config": SelectionLaunch.configure_at_launch(),
        "pipeline_config": PipelineLaunch.configure_at_launch(),
    }


def block_of(resource: Any) -> dict[str, Any]:
    """Returns what was written at launch, without what was left open."""
    block: dict[str, Any] = _without_blanks(resource.model_dump())
    return block


def _without_blanks(value: Any) -> Any:
    if isinstance(value, Mapping):
        filled = {key: _without_blanks(item) for key, item in value.items()}
        return {key: item for key, item in filled.items() if item not in (None, [], {})}
    return [_without_blanks(item) for item in value] if isinstance(value, list) else value
