"""What scripts of the original import and touch besides the client."""

import json
import subprocess
import sys

import pytest

import lightly_pipeline.api as api
from lightly_pipeline.api import ApiException, ApiWorkflowClient, InvalidConfigurationError

MODELS = api.SelectionConfigV4(
    n_samples=5,
    strategies=[
        api.SelectionConfigV4Entry(
            input=api.SelectionConfigV4EntryInput(
                type=api.SelectionInputType.METADATA, key="lightly.sharpness", task=None
            ),
            strategy=api.SelectionConfigV4EntryStrategy(
                type=api.SelectionStrategyType.THRESHOLD,
                threshold=20,
                operation=api.SelectionStrategyThresholdOperation.BIGGER,
                strength=None,
            ),
        )
    ],
)


@pytest.mark.parametrize("name", api.__all__)
def test_every_name_can_be_imported(name: str) -> None:
    assert getattr(api, name) is not None


def test_the_api_is_there_once_the_package_is() -> None:
    script = "import lightly_pipeline; print(lightly_pipeline.api.ApiWorkflowClient.__name__)"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "ApiWorkflowClient\n", ended.stderr


def test_states_and_kinds_are_the_original_s() -> None:
    assert api.DockerRunState.CHECKING_CORRUPTNESS == "CHECKING_CORRUPTNESS"
    assert api.DockerRunScheduledState.LOCKED == "LOCKED"
    assert api.DockerRunScheduledPriority.HIGH == "HIGH"
    assert api.DockerRunArtifactType.REPORT_V2_JSON == "REPORT_V2_JSON"
    assert api.STATE_SCHEDULED_ID_NOT_FOUND == "CANCELED_OR_NOT_EXISTING"


def test_a_selection_may_be_made_of_the_original_s_models(client: ApiWorkflowClient) -> None:
    as_models = client.schedule_compute_worker_run(selection_config=MODELS)
    as_dict = client.schedule_compute_worker_run(
        selection_config={"n_samples": 5, "strategies": [MODELS.strategies[0]]}
    )
    for run_id in (as_models, as_dict):
        run = client._deployment.queue.find(run_id)
        assert run is not None
        assert run.blocks["selection_config"] == {
            "n_samples": 5,
            "strategies": [
                {
                    "input": {"type": "METADATA", "key": "lightly.sharpness"},
                    "strategy": {"type": "THRESHOLD", "threshold": 20, "operation": "BIGGER"},
                }
            ],
        }


@pytest.mark.parametrize(
    ("key", "hint"), [("lightly.snr", "computed are"), ("lightly.sharpnes", "lightly.sharpness")]
)
def test_a_key_that_is_not_computed_is_refused_when_a_run_is_scheduled(
    client: ApiWorkflowClient, key: str, hint: str
) -> None:
    entry = {"input": {"type": "METADATA", "key": key}, "strategy": {"type": "WEIGHTS"}}
    with pytest.raises(InvalidConfigurationError, match=hint):
        client.schedule_compute_worker_run(selection_config={"strategies": [entry]})


def test_what_the_original_s_client_sends_for_nothing_is_nothing(client: ApiWorkflowClient) -> None:
    blank = dict.fromkeys(("crops", "checkpoint", "training", "embeddings", "num_threads"))
    run_id = client.schedule_compute_worker_run(worker_config=blank)
    assert client.get_scheduled_compute_worker_runs()[0].id == run_id


def test_errors_are_caught_as_those_of_the_original(client: ApiWorkflowClient) -> None:
    with pytest.raises(RuntimeError, match="num_thread"):
        client.schedule_compute_worker_run(worker_config={"num_thread": 1})
    with pytest.raises(ApiException) as caught:
        client.get_compute_worker_run("f" * 24)
    assert (caught.value.status, caught.value.reason) == (404, "Not Found")
    assert json.loads(caught.value.body)["error"] == str(caught.value)


def test_records_have_the_original_s_fields(client: ApiWorkflowClient) -> None:
    run_id = client.schedule_compute_worker_run()
    (scheduled,) = client.get_scheduled_compute_worker_runs()
    assert (scheduled.config_id, scheduled.owner, scheduled.user_id) == (run_id, None, None)
    client.wait_for_run(run_id, run_in_process=True)
    run = client.get_compute_worker_run(run_id)
    assert (run.config_id, run.archived, run.user_id) == (run_id, False, None)
    (tag,) = client.get_all_tags()
    assert (tag.query_tag_id, tag.preselected_tag_id, tag.changes) == (None, None, None)
    assert tag.last_modified_at == tag.created_at
    assert tag.to_dict()["last_modified_at"] == tag.created_at
    (ended,) = client.get_scheduled_compute_worker_runs("DONE")
    assert str(ended.owner).startswith("script ")
    assert client.get_dataset_by_id(client.dataset_id).user_id is None
