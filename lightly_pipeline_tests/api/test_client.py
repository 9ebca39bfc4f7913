"""What a user of the client sees, with datasets in folders and runs executed by the script."""

import json
import sqlite3
import stat
import warnings
from pathlib import Path

import pytest

from lightly_pipeline.api import (
    ApiException,
    ApiWorkflowClient,
    ArtifactNotExist,
    DatasetType,
    DatasourcePurpose,
    InvalidConfigurationError,
    RunState,
    TagDoesNotExistError,
)
from lightly_pipeline.datasources import AzureDatasource, GCSDatasource, S3Datasource
from lightly_pipeline_tests.support.clients import add_dataset

pytestmark = pytest.mark.slow

SECRET = "canary-secret-5b1e"
TEN = {"n_samples": 10}


@pytest.mark.usefixtures("state")
def test_datasets_are_created_found_and_deleted(client: ApiWorkflowClient) -> None:
    first = client.dataset_id
    assert client.dataset_type == "Videos"
    assert client.dataset_exists(first)
    client.create_new_dataset_with_unique_name("dataset-name", DatasetType.VIDEOS)
    client.create_new_dataset_with_unique_name("dataset-name", DatasetType.VIDEOS)
    names = [dataset.name for dataset in client.get_datasets()]
    assert names == ["dataset-name", "dataset-name_1", "dataset-name_2"]
    again = ApiWorkflowClient(token="another")
    again.set_dataset_id_by_name("dataset-name")
    assert again.dataset_id == first
    assert again.get_datasets_by_name("dataset-name_1")[0].type == "Videos"
    assert again.get_datasets(shared=True) == []
    again.delete_dataset_by_id(first)
    assert not client.dataset_exists(first)
    with pytest.raises(InvalidConfigurationError, match="dataset-name_2"):
        again.set_dataset_id_by_name("dataset-name")
    with pytest.raises(ApiException):
        again.get_dataset_by_id(first)
    assert ApiWorkflowClient(dataset_id=again.get_datasets()[0].id).dataset_type == "Videos"
    with pytest.raises(ValueError, match="no dataset with the id"):
        ApiWorkflowClient(dataset_id=first)


def test_without_a_dataset_the_last_changed_one_is_taken_with_a_warning(
    client: ApiWorkflowClient,
) -> None:
    with pytest.warns(UserWarning, match="'dataset-name'"):
        assert ApiWorkflowClient().dataset_id == client.dataset_id


@pytest.mark.usefixtures("state")
def test_wrong_datasets_are_refused(client: ApiWorkflowClient) -> None:
    with pytest.raises(ValueError, match=r"already exists.*create_new_dataset_with_unique_name"):
        client.create_dataset("dataset-name", DatasetType.VIDEOS)
    with pytest.raises(InvalidConfigurationError, match=r"DatasetType\.VIDEOS"):
        client.create_dataset("crops", DatasetType.CROPS)
    with pytest.raises(InvalidConfigurationError, match="three letters"):
        client.create_dataset("a/b", DatasetType.VIDEOS)


def test_a_missing_datasource_is_named_when_a_run_is_scheduled(
    client: ApiWorkflowClient, videos: Path
) -> None:
    client.create_dataset("incomplete", DatasetType.VIDEOS)
    client.set_local_config(str(videos), purpose=DatasourcePurpose.INPUT)
    with pytest.raises(InvalidConfigurationError, match="'incomplete' has no LIGHTLY datasource"):
        client.schedule_compute_worker_run()
    with pytest.raises(InvalidConfigurationError, match="purpose 'OUTPUT'"):
        client.set_local_config(str(videos), purpose="OUTPUT")
    with pytest.raises(InvalidConfigurationError, match="s3://bucket/prefix/"):
        client.set_s3_config("bucket/input", "eu-central-1", "key", "secret")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"selection_config": {"n_sample": 5}}, "did you mean n_samples"),
        ({"worker_config": {"outputImageFromat": "png"}}, "did you mean output_image_format"),
        ({"lightly_config": {"loader": {"batch": 1}}}, "did you mean batch_size"),
        ({"priority": "URGENT"}, "LOW, MID, HIGH, CRITICAL"),
        ({"runs_on": "gpu"}, "list of labels"),
    ],
)
def test_a_wrong_option_is_refused_with_what_may_have_been_meant(
    client: ApiWorkflowClient, given: dict, message: str
) -> None:
    with pytest.raises(InvalidConfigurationError, match=message):
        client.schedule_compute_worker_run(**given)
    assert client.get_scheduled_compute_worker_runs() == []


def test_a_state_that_no_run_can_have_is_refused(client: ApiWorkflowClient) -> None:
    with pytest.raises(InvalidConfigurationError, match=r"'FINISHED' is no state.*known are OPEN"):
        client.get_scheduled_compute_worker_runs("FINISHED")
    with pytest.raises(InvalidConfigurationError, match="did you mean CANCELED"):
        client.get_scheduled_compute_worker_runs("CANCELLED")


def test_a_run_from_schedule_to_results(client: ApiWorkflowClient, tmp_path: Path) -> None:
    run_id = client.schedule_compute_worker_run(
        worker_config={"outputImageFormat": "jpg"}, selection_config=TEN
    )
    info = client.get_compute_worker_run_info(run_id)
    assert (info.state, info.in_end_state()) == ("OPEN", False)
    assert str(tmp_path / "home") in info.message
    assert [run.id for run in client.get_scheduled_compute_worker_runs()] == [run_id]
    assert client.get_compute_worker_runs() == []
    with pytest.raises(ApiException):
        client.get_compute_worker_run_from_scheduled_run(run_id)
    with pytest.raises(TagDoesNotExistError):
        client.get_tag_by_name("initial-tag")

    watching = client.compute_worker_run_info_generator(run_id)
    states = [next(watching).state]
    info = client.wait_for_run(run_id, run_in_process=True)
    assert info.ended_successfully()
    states += [info.state for info in watching]
    assert states == [
        "OPEN",
        "STARTED",
        "LOADING_DATASET",
        "EMBEDDING",
        "SAMPLING",
        "UPLOADING_DATASET",
        "GENERATING_REPORT",
        "UPLOADING_REPORT",
        "COMPLETED",
    ]

    run = client.get_compute_worker_run_from_scheduled_run(run_id)
    assert client.get_compute_worker_runs(client.dataset_id) == [run]
    assert client.get_scheduled_compute_worker_runs() == []
    assert [r.state for r in client.get_scheduled_compute_worker_runs("DONE")] == ["DONE"]
    client.download_compute_worker_run_artifacts(run, str(tmp_path / "all"))
    assert {a.file_name for a in run.artifacts} == {p.name for p in (tmp_path / "all").iterdir()}
    client.download_compute_worker_run_log(run, str(tmp_path / "a" / "log.txt"))
    assert "chose 10 of 80 frames" in (tmp_path / "a" / "log.txt").read_text()
    client.download_compute_worker_run_corruptness_check_information(run, tmp_path / "c.json")
    assert json.loads((tmp_path / "c.json").read_text())["corrupt_videos"] == {}
    with pytest.raises(ArtifactNotExist, match="CHECKPOINT"):
        client.download_compute_worker_run_checkpoint(run, str(tmp_path / "no"))

    tag = client.get_tag_by_name("initial-tag")
    assert (tag.run_id, tag.tot_size, tag.prev_tag_id) == (run_id, 10, None)
    assert client.get_tag_by_id(tag.id) == tag
    assert client.get_compute_worker_run_tags(run_id) == [tag]
    names = client.export_filenames_by_tag_name("initial-tag").split("\n")
    frames = tmp_path / "out" / ".lightly" / "frames"
    assert {frames / name for name in names} == set(frames.rglob("*.jpg"))
    assert client.get_filenames_in_tag(tag) == names
    first = client.export_filenames_and_read_urls_by_tag_name("initial-tag")[0]
    assert first["fileName"] == names[0]
    assert first["readUrl"] == (frames / names[0]).as_uri()
    assert first["datasourceUrl"] == str(frames / names[0])


def test_tags_are_listed_newest_first(client: ApiWorkflowClient) -> None:
    for _ in range(2):
        run_id = client.schedule_compute_worker_run(selection_config=TEN)
        assert client.wait_for_run(run_id, run_in_process=True).ended_successfully()
    newer, initial = client.get_all_tags()
    assert initial.name == "initial-tag"
    assert newer.prev_tag_id == initial.id
    assert client.get_filenames_in_tag(newer, exclude_parent_tag=True) == []


@pytest.mark.usefixtures("state")
def test_a_failed_run_gives_its_reason(client: ApiWorkflowClient, tmp_path: Path) -> None:
    client.set_local_config(str(tmp_path / "nothing"), purpose=DatasourcePurpose.INPUT)
    run_id = client.schedule_compute_worker_run()
    info = client.wait_for_run(run_id, run_in_process=True)
    assert (info.state, info.ended_successfully()) == (RunState.FAILED, False)
    assert f"the folder {tmp_path / 'nothing'} does not exist" in info.message
    assert [i.state for i in client.compute_worker_run_info_generator(run_id)] == ["FAILED"]
    permissions = client.list_datasource_permissions()
    assert (permissions["can_list"], permissions["can_write"]) == (False, True)
    assert "does not exist" in permissions["errors"]["can_list"]


@pytest.mark.usefixtures("state")
def test_a_run_of_a_deleted_dataset_is_canceled(client: ApiWorkflowClient) -> None:
    run_id = client.schedule_compute_worker_run()
    client.delete_dataset_by_id(client.dataset_id)
    for wanted in (run_id, "0" * 24):
        info = client.wait_for_run(wanted, run_in_process=True)
        assert info.state == "CANCELED_OR_NOT_EXISTING"
        assert info.in_end_state()


def test_waiting_can_end_before_the_run_does(client: ApiWorkflowClient) -> None:
    run_id = client.schedule_compute_worker_run()
    assert client.wait_for_run(run_id, timeout_s=0).state is RunState.OPEN


@pytest.mark.usefixtures("state")
def test_input_and_output_can_be_one_datasource(client: ApiWorkflowClient, videos: Path) -> None:
    client.create_dataset("one place", DatasetType.VIDEOS)
    client.set_local_config(str(videos))
    run_id = client.schedule_compute_worker_run(selection_config=TEN)
    assert client.wait_for_run(run_id, run_in_process=True).ended_successfully()
    assert len(list((videos / ".lightly" / "frames").rglob("*.png"))) == 10


def test_secrets_lie_in_files_of_their_owner_alone(client: ApiWorkflowClient, home: Path) -> None:
    def files_with_it() -> list[Path]:
        return [f for f in home.rglob("*") if f.is_file() and SECRET.encode() in f.read_bytes()]

    purpose = DatasourcePurpose.INPUT
    bucket, region = "s3://bucket/input/", "eu-central-1"
    for set_config in (
        lambda: client.set_s3_config(bucket, region, "KEY", SECRET, purpose=purpose),
        lambda: client.set_obs_config(
            "obs://bucket/input/", "http://127.0.0.1:1", "KEY", SECRET, purpose=purpose
        ),
        lambda: client.set_s3_delegated_access_config(
            bucket, region, "arn:aws:iam::123456789012:role/r", SECRET, purpose=purpose
        ),
        lambda: client.set_azure_config("container/input", "account", SECRET, purpose=purpose),
        lambda: client.set_gcs_config(
            "gs://bucket/input",
            "project",
            json.dumps({"type": "service_account", "private_key": SECRET}),
            purpose=purpose,
        ),
    ):
        set_config()
        (file,) = files_with_it()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert SECRET not in repr(client.get_datasource())
        assert SECRET not in repr(client._deployment.dataset(client.dataset_id))
    file.chmod(0o644)
    permissions = client.list_datasource_permissions()
    assert "chmod 600" in permissions["errors"]["can_list"]
    client.delete_dataset_by_id(client.dataset_id)
    assert files_with_it() == []


def test_options_of_a_datasource_reach_the_store(client: ApiWorkflowClient) -> None:
    role = "arn:aws:iam::123456789012:role/reader"
    client.set_s3_delegated_access_config(
        "s3://videos/in", "eu-west-1", role, "external-id", purpose=DatasourcePurpose.INPUT
    )
    client.set_obs_config(
        "obs://images/out", "https://store.example", "KEY", SECRET, purpose="LIGHTLY"
    )
    dataset = client._deployment.dataset(client.dataset_id)
    assert dataset.input == S3Datasource(
        "s3://videos/in", region="eu-west-1", role_arn=role, external_id="external-id"
    )
    assert dataset.lightly == S3Datasource(
        "s3://images/out",
        endpoint_url="https://store.example",
        access_key_id="KEY",
        secret_access_key=SECRET,
    )


def test_google_and_azure_are_set_as_in_the_original(client: ApiWorkflowClient) -> None:
    key_file = json.dumps({"type": "service_account", "private_key": SECRET})
    client.set_gcs_config("gs://videos/in/", "project", key_file, purpose="INPUT")
    client.set_azure_config("images/out", "account", SECRET, purpose="LIGHTLY")
    dataset = client._deployment.dataset(client.dataset_id)
    assert dataset.input == GCSDatasource(
        "gs://videos/in/", project_id="project", credentials=key_file
    )
    assert dataset.lightly == AzureDatasource(
        "az://images/out", account_name="account", sas_token=SECRET
    )
    assert SECRET not in repr(dataset)
    client.set_gcs_config("gs://videos/in/", "project", purpose="INPUT")
    assert client._deployment.dataset(client.dataset_id).input == GCSDatasource(
        "gs://videos/in/", project_id="project"
    )


def test_without_keys_the_environment_of_the_executor_counts(client: ApiWorkflowClient) -> None:
    client.set_s3_config("s3://videos/in", "eu-west-1", purpose=DatasourcePurpose.INPUT)
    dataset = client._deployment.dataset(client.dataset_id)
    assert dataset.input == S3Datasource("s3://videos/in", region="eu-west-1")


def test_the_token_is_kept_nowhere(client: ApiWorkflowClient, home: Path) -> None:
    assert "MY_LIGHTLY_TOKEN" not in repr(vars(client)) + repr(client)
    assert not any(
        b"MY_LIGHTLY_TOKEN" in file.read_bytes() for file in home.rglob("*") if file.is_file()
    )


def test_a_state_of_a_newer_release_is_left_alone(client: ApiWorkflowClient, home: Path) -> None:
    with sqlite3.connect(home / "state.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(Exception, match="newer release"):
        ApiWorkflowClient()


def test_a_state_folder_that_cannot_be_made_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(tmp_path / "file"))
    with pytest.raises(Exception, match="LIGHTLY_PIPELINE_HOME"):
        ApiWorkflowClient()


def test_two_datasets_do_not_warn_about_each_other(client: ApiWorkflowClient, videos: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        add_dataset(client, "another one", videos, videos.parent / "other")
        assert client.get_dataset_by_id(client.dataset_id).name == "another one"
