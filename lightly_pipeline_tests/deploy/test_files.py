"""The files in `deploy/` are what Dagster, Celery and Compose take."""

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import validate_config
from dagster._core.instance.config import dagster_instance_config

from lightly_pipeline_tests.support.dagster_server import ROOT

DEPLOY = ROOT / "deploy"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DEPLOY.exists(), reason="not in a checkout"),
]


def loaded(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def test_the_celery_instance_configuration_is_valid_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dagster_celery")
    shutil.copy(DEPLOY / "dagster-celery.yaml", tmp_path / "dagster.yaml")
    config, _ = dagster_instance_config(str(tmp_path))
    from lightly_pipeline.defs.celery_launcher import WatchfulCeleryRunLauncher

    monkeypatch.setenv("DAGSTER_BROKER_URL", "redis://:secret@localhost:1/0")
    launcher = config["run_launcher"]["config"]
    checked = validate_config(WatchfulCeleryRunLauncher.config_type(), launcher)
    assert checked.success, checked.errors
    secrets = re.findall(r"password: (.*)|(?:broker|backend): (.*)", json.dumps(config))
    assert all("env" in value for pair in secrets for value in pair if value)


def test_helm_values_fit_the_launcher_s_own_schema() -> None:
    launcher_module = pytest.importorskip("dagster_k8s.launcher")
    values = loaded("helm-values.yaml")
    written = values["runLauncher"]["config"]["k8sRunLauncher"]
    config = {snake_case(key): value for key, value in written.items()}
    config["run_k8s_config"] = {
        snake_case(key): value for key, value in written["runK8sConfig"].items()
    }
    # What the chart adds.
    config |= {"service_account_name": "dagster", "instance_config_map": "dagster-instance"}
    checked = validate_config(launcher_module.K8sRunLauncher.config_type(), config)
    assert checked.success, checked.errors
    from dagster_k8s.job import UserDefinedDagsterK8sConfig

    # Says which field of a pod Kubernetes does not know.
    UserDefinedDagsterK8sConfig.from_dict(config["run_k8s_config"])
    assert_known_fields(config["run_k8s_config"])


def assert_known_fields(config: dict[str, Any]) -> None:
    import kubernetes.client.models as models
    from dagster_k8s.models import k8s_model_from_dict

    k8s_model_from_dict(models.V1PodSpec, {"containers": [], **config["pod_spec_config"]})
    k8s_model_from_dict(models.V1Container, {"name": "run", **config["container_config"]})


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0].lower()}", name)


def test_the_image_has_what_its_files_name() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = [
        part
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)
        for part in line.split()[:-1]
        if not part.startswith("--")
    ]
    assert all((ROOT / part).exists() for part in copied), copied
    allowed = (ROOT / ".dockerignore").read_text()
    assert all(f"!{part}\n" in allowed for part in copied)
    assert re.search(r"^USER (?!root)", text, re.MULTILINE)
    assert (DEPLOY / "entrypoint.sh").stat().st_mode & stat.S_IXUSR


def test_the_entrypoint_turns_secret_files_into_variables(tmp_path: Path) -> None:
    (tmp_path / "ONE").write_text("first secret\n")
    (tmp_path / "TWO").write_text("$(touch nothing) 'quoted'")
    script = (DEPLOY / "entrypoint.sh").read_text().replace("/run/secrets", str(tmp_path))
    done = subprocess.run(
        ["sh", "-c", script, "entrypoint", "sh", "-c", 'echo "$ONE|$TWO"; umask'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "first secret|$(touch nothing) 'quoted'\n0077\n"


def test_compose_has_no_secret_and_names_those_that_it_needs() -> None:
    compose = loaded("compose.yaml")
    declared = set(compose["secrets"])
    for name, service in compose["services"].items():
        assert set(service.get("secrets", [])) <= declared, name
        variables = service.get("environment", {})
        assert not [k for k in variables if "PASSWORD" in k and not k.endswith("_FILE")], name
        assert all("127.0.0.1:" in port for port in service.get("ports", [])), name
    text = (DEPLOY / "dagster-celery.yaml").read_text()
    needed = set(re.findall(r"env: (\w+)", text))
    worker = compose["services"]["worker"]
    assert needed <= set(worker["environment"]) | set(worker["secrets"])


def test_compose_takes_its_file(tmp_path: Path) -> None:
    if shutil.which("docker-compose"):
        command = ["docker-compose"]
    elif (
        shutil.which("docker")
        and not subprocess.run(
            ["docker", "compose", "version"], capture_output=True, check=False
        ).returncode
    ):
        command = ["docker", "compose"]
    else:
        pytest.skip("no docker compose")
    environment = {**os.environ, "LIGHTLY_PIPELINE_DATASETS_FILE": "/somewhere/datasets.yaml"}
    done = subprocess.run(
        [*command, "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_gpu_dataset_s_tags_are_what_dagster_k8s_takes(tmp_path: Path) -> None:
    job_module = pytest.importorskip("dagster_k8s.job")
    page = (ROOT / "docs" / "how-to" / "several-machines.md").read_text()
    declared = next(
        block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "run_tags" in block
    )
    (tmp_path / "datasets.yaml").write_text(declared)
    from lightly_pipeline import build_definitions
    from lightly_pipeline.datasets import load_datasets

    (dataset,) = load_datasets(tmp_path / "datasets.yaml")
    definitions = build_definitions(dataset)
    repository = definitions.get_repository_def()
    own_jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    tags = [dict(job.tags) for job in own_jobs]
    automation = repository.get_sensor_def(f"{dataset.name}_automation")
    assert isinstance(automation, dg.AutomationConditionSensorDefinition)
    for each in [*tags, dict(automation.run_tags)]:
        config = job_module.get_user_defined_k8s_config(each)
        assert config.pod_spec_config["node_selector"]
        assert config.container_config["resources"]["limits"]["nvidia.com/gpu"]
        assert each["dagster-celery/queue"] == "gpu"
