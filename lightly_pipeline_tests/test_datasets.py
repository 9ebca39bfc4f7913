"""Datasets are declared in Python or YAML, and wrong declarations are answered."""

from pathlib import Path

import pytest

from lightly_pipeline import Dataset, DatasetType, LocalDatasource
from lightly_pipeline.datasets import load_datasets
from lightly_pipeline.errors import InvalidConfigurationError


def test_python(tmp_path: Path) -> None:
    store = LocalDatasource(tmp_path)
    dataset = Dataset("street", dataset_type=DatasetType.VIDEOS, input=store, lightly=store)
    assert dataset.name == "street"


def test_yaml_with_folders_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "datasets.yaml"
    file.write_text(
        "datasets:\n"
        "  street:\n"
        "    dataset_type: VIDEOS\n"
        "    input: videos\n"
        f"    lightly: {tmp_path}/out\n"
        "    selection_config: {n_samples: 5}\n"
        "  studio: {input: a, lightly: b, automation: true}\n"
    )
    street, studio = load_datasets(file)
    assert street.input.describe() == str(tmp_path / "videos")
    assert street.lightly.describe() == str(tmp_path / "out")
    assert street.selection_config == {"n_samples": 5}
    assert studio.automation


def test_yaml_with_s3_options(tmp_path: Path) -> None:
    file = tmp_path / "datasets.yaml"
    file.write_text(
        "datasets:\n  street:\n"
        "    input: {resource_path: 's3://bucket/in', region: eu-central-1, profile: video}\n"
        "    lightly: s3://bucket/out/\n"
    )
    (street,) = load_datasets(file)
    assert street.input.describe() == "s3://bucket/in/"
    assert street.lightly.describe() == "s3://bucket/out/"


@pytest.mark.parametrize("name", ["Street", "1a", "", "a-b", "a b"])
def test_names_are_restricted(tmp_path: Path, name: str) -> None:
    store = LocalDatasource(tmp_path)
    with pytest.raises(InvalidConfigurationError, match="lower-case letters"):
        Dataset(name, input=store, lightly=store)


def test_crops_are_not_supported(tmp_path: Path) -> None:
    store = LocalDatasource(tmp_path)
    with pytest.raises(InvalidConfigurationError, match=r"DatasetType\.IMAGES"):
        Dataset("a", dataset_type=DatasetType.CROPS, input=store, lightly=store)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("datasets: {a: {inputs: x, lightly: y}}", "did you mean input"),
        ("datasets: {a: {lightly: y}}", "input: missing"),
        ("datasets: {a: {input: 5, lightly: y}}", "input: expected a folder"),
        ("datasets: {a: {input: {resource_path: x, region: y}, lightly: y}}", "options of s3"),
        ("datasets: {a: {input: x, lightly: y}, a: {}}", "a is given twice"),
        ("datasets: {a: {input: x, lightly: y, automation: maybe}}", "automation"),
        ("datasets: {a: [x]}", "expected keys and values"),
        ("datasets: {a: {input: 'ftp://x', lightly: y}}", "ftp:// is not supported"),
        ("datasets: {a: {input: x, lightly: y, dataset_type: FILMS}}", "use VIDEOS"),
        (
            "datasets: {a: {input: {resource_path: 's3://b/', secret_access_key: x}, lightly: y}}",
            "secret_access_key: unknown option; it does not belong into a file",
        ),
        ("datasets: {a: {input: {resource_path: 's3://b/', regoin: x}, lightly: y}}", "region"),
        ("datasets: {a: {input: {region: x}, lightly: y}}", "resource_path: missing"),
        ("datasets: []", "expected `datasets:`"),
        ("datasets: {", "not valid YAML"),
    ],
)
def test_mistakes_in_yaml_name_the_file(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "datasets.yaml"
    file.write_text(text)
    with pytest.raises(InvalidConfigurationError, match=message):
        load_datasets(file)
