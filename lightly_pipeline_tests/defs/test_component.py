"""A dataset in a user's own Dagster project is the same as one in a file or in Python."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox

from lightly_pipeline import VideoDataset, build_definitions
from lightly_pipeline.config import DatasetDeclaration
from lightly_pipeline.datasets import load_datasets
from lightly_pipeline.errors import InvalidConfigurationError

FIELDS: dict[str, Any] = {
    "input": {"resource_path": "s3://bucket/videos/", "region": "eu-central-1"},
    "lightly": "results",
    "dataset_type": "Videos",
    "worker_config": {"output_image_format": "jpg"},
    "selection_config": {"n_samples": 7},
    "automation": True,
    "videos_per_partition": 500,
    "owners": ["team:perception", "jane@example.com"],
    "freshness_hours": 12,
    "selection_freshness_hours": 48,
    "checks": {"corrupt_share": {"warn": 0.1}, "waiting_hours": {"error": 24}},
    "run_tags": {"dagster-celery/queue": "gpu", "dagster-k8s/config": {"pod_spec_config": {}}},
}


pytestmark = pytest.mark.slow


def facts(definitions: dg.Definitions) -> dict[str, Any]:
    """What can be seen of definitions, code references aside: those name where each was written."""
    graph = definitions.resolve_asset_graph()
    assets = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        metadata = {k: v for k, v in node.metadata.items() if k.split("/")[0] != "dagster"}
        standard = {k: node.metadata.get(k) for k in ("dagster/uri", "dagster/column_schema")}
        assets[key.to_user_string()] = (
            node.description,
            node.group_name,
            sorted(node.owners),
            dict(node.tags),
            sorted(node.kinds),
            sorted(node.parent_keys),
            node.partitions_def,
            node.code_version,
            node.automation_condition,
            node.freshness_policy_or_from_metadata,
            [c.name for c in sorted(node.check_keys)],
            metadata,
            standard,
        )
    repository = definitions.get_repository_def()
    jobs = {
        job.name: (job.description, job.run_config, dict(job.tags))
        for job in repository.get_all_jobs()
        if not job.name.startswith("__")
    }
    sensors = {
        sensor.name: (
            sensor.description,
            sensor.default_status,
            sensor.minimum_interval_seconds,
            dict(getattr(sensor, "run_tags", {})),
        )
        for sensor in repository.sensor_defs
    }
    schedules = {s.name: (s.cron_schedule, s.job_name) for s in repository.schedule_defs}
    return {"assets": assets, "jobs": jobs, "sensors": sensors, "schedules": schedules}


def test_component_file_and_python_make_the_same_definitions(tmp_path: Path) -> None:
    file = tmp_path / "datasets.yaml"
    with create_defs_folder_sandbox() as sandbox:
        defs_path = sandbox.scaffold_component(VideoDataset, defs_path="street")
        (defs_path / "defs.yaml").write_text(
            yaml.dump({"type": "lightly_pipeline.VideoDataset", "attributes": FIELDS})
        )
        declared = {**FIELDS, "lightly": str(defs_path / "results")}
        file.write_text(yaml.dump({"datasets": {"street": declared}}))
        with sandbox.load_component_and_build_defs(defs_path=defs_path) as (
            component,
            by_component,
        ):
            assert isinstance(component, VideoDataset)
            from_component = facts(by_component)
        (dataset,) = load_datasets(file)
    from_python = facts(build_definitions(dataset))
    assert from_component == from_python
    assert set(from_python["jobs"]) >= {"street_run_job", "street_selection_job"}


def test_the_component_has_every_field_of_a_declaration() -> None:
    assert set(VideoDataset.model_fields) == {*DatasetDeclaration.model_fields, "name", "s3"}
    for name, declared in DatasetDeclaration.model_fields.items():
        own = VideoDataset.model_fields[name]
        assert own.description == declared.description, name
        assert own.is_required() == declared.is_required(), name


def test_two_components_stand_side_by_side_with_the_executor_of_their_project() -> None:
    one, other = (
        VideoDataset(name=name, input="in", lightly=f"out_{name}").build_defs(
            dg.ComponentTree.for_test().load_context
        )
        for name in ("street", "studio")
    )
    merged = dg.Definitions.merge(
        one, other, dg.Definitions(executor=dg.multiprocess_executor, resources={"s3": object()})
    )
    names = {job.name for job in merged.resolve_all_job_defs()}
    assert {"street_run_job", "studio_run_job"} <= names
    dg.Definitions.validate_loadable(merged)


def test_a_wrong_field_names_what_was_meant() -> None:
    component = VideoDataset(input={"resource_path": "s3://b/", "regoin": "eu"}, lightly="out")
    with pytest.raises(
        InvalidConfigurationError, match="regoin: unknown option; did you mean region"
    ):
        component.build_defs(dg.ComponentTree.for_test().load_context)
    component = VideoDataset(name="a", input="in", lightly="out", s3={"endpoint": "http://x"})
    with pytest.raises(
        InvalidConfigurationError, match=r"s3\.endpoint: unknown field.*endpoint_url"
    ):
        component.build_defs(dg.ComponentTree.for_test().load_context)


def test_scaffolding_writes_a_file_that_loads() -> None:
    with create_defs_folder_sandbox() as sandbox:
        defs_path = sandbox.scaffold_component(VideoDataset, defs_path="street")
        written = yaml.safe_load((defs_path / "defs.yaml").read_text())
        assert written["type"].endswith("VideoDataset")
        assert written["attributes"]["input"] == "s3://bucket/videos/"
        with sandbox.load_component_and_build_defs(defs_path=defs_path) as (_, definitions):
            assert definitions.get_job_def("street_run_job")


def test_owners_are_addresses_or_teams() -> None:
    component = VideoDataset(name="a", input="in", lightly="out", owners=["jane"])
    with pytest.raises(InvalidConfigurationError, match="owner 'jane' is neither"):
        component.build_defs(dg.ComponentTree.for_test().load_context)
