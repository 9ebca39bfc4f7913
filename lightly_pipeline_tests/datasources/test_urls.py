"""What a person writes for a place names a store, or is refused with what to write."""

import sys
from pathlib import Path

import pytest

from lightly_pipeline.datasets import load_datasets
from lightly_pipeline.datasources import (
    AzureDatasource,
    GCSDatasource,
    LocalDatasource,
    datasource_from_url,
)
from lightly_pipeline.errors import InvalidConfigurationError, MissingExtraError


@pytest.mark.parametrize("url", ["s3:/bucket/x", "s3:bucket", "S3:/bucket"])
def test_an_s3_url_that_lacks_a_slash_is_no_folder(url: str) -> None:
    with pytest.raises(InvalidConfigurationError, match="give s3://bucket/prefix/"):
        datasource_from_url(url)


def test_a_folder_of_any_name_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "s3:" / "x").mkdir(parents=True)
    assert isinstance(datasource_from_url("./s3:/x", tmp_path), LocalDatasource)


def test_a_file_of_datasets_names_stores_of_every_kind(tmp_path: Path) -> None:
    file = tmp_path / "datasets.yaml"
    file.write_text(
        "datasets:\n  a:\n    input: {resource_path: gs://bucket/in, project_id: mine}\n"
        "    lightly: {resource_path: az://container/out, account_name: account}\n"
    )
    (dataset,) = load_datasets(file)
    assert dataset.input == GCSDatasource("gs://bucket/in", project_id="mine")
    assert dataset.lightly == AzureDatasource("az://container/out", account_name="account")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("{resource_path: gs://b/, region: x}", "region: no option of gs://"),
        ("{resource_path: az://c/, sas_token: canary}", "AZURE_STORAGE_SAS_TOKEN"),
        ("{resource_path: gs://b/, credentials: canary}", "GOOGLE_APPLICATION_CREDENTIALS"),
    ],
)
def test_options_of_other_stores_and_secrets_in_a_file_are_refused(
    tmp_path: Path, place: str, message: str
) -> None:
    file = tmp_path / "datasets.yaml"
    file.write_text(f"datasets:\n  a:\n    input: {place}\n    lightly: out\n")
    with pytest.raises(InvalidConfigurationError, match=message) as caught:
        load_datasets(file)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(("url", "extra"), [("gs://b/", "gcs"), ("az://c/", "azure")])
def test_a_missing_library_is_told_with_what_to_install(
    url: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("google.cloud.storage", "azure.storage.blob"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"lightly-pipeline\[{extra}\]"):
        next(datasource_from_url(url).list(), None)
