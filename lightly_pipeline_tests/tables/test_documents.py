"""What is empty or cut is made again, or named."""

import json
from pathlib import Path

import pytest

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.errors import DamagedDocumentError
from lightly_pipeline.runs.datapool import read_datapool
from lightly_pipeline.runs.records import read_selection
from lightly_pipeline.runs.tags import list_tags
from lightly_pipeline.runs.verification import verify_run
from lightly_pipeline.steps.listing import stored_catalog
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.tables.catalog import CATALOG_PATH, read_catalog
from lightly_pipeline_tests.support.faults import Fault, faulty
from lightly_pipeline_tests.support.s3_servers import make_bucket, store_at

DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
    "another document": lambda content: b'{"a": [1]}',
    "a list": lambda content: b"[]",
    "text": lambda content: b"<html></html>",
    "no text": lambda content: b"\xff\xfe\x00",
}
N = {"n_samples": 4}


@pytest.fixture
def dataset(prepared_folder: Path) -> Dataset:
    return Dataset(
        "a",
        input=LocalDatasource(prepared_folder / "in"),
        lightly=LocalDatasource(prepared_folder / "out"),
    )


def files(dataset: Dataset, name: str) -> list[Path]:
    return sorted(Path(dataset.lightly.describe()).glob(f".lightly/**/{name}"))


def spoil(paths: list[Path], damage: str) -> None:
    for path in paths:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))


@pytest.mark.parametrize("damage", DAMAGES)
def test_outcomes_images_and_catalogues_are_made_again(dataset: Dataset, damage: str) -> None:
    first = run(dataset, selection_config=N)
    outcomes = files(dataset, "outcome.json")
    spoil(outcomes[:1] + files(dataset, "images.json") + files(dataset, "catalog.json"), damage)
    assert read_catalog(dataset.lightly) is None
    again = run(dataset, selection_config=N)
    assert again.n_decoded_videos == 1
    assert [(f.video, f.frame_index) for f in again.selected] == [
        (f.video, f.frame_index) for f in first.selected
    ]
    assert stored_catalog(dataset).videos
    assert verify_run(dataset.lightly, again.run_id).is_true


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_made_again_is_named(dataset: Dataset, damage: str) -> None:
    result = run(dataset, {"use_datapool": True}, selection_config=N)
    store = dataset.lightly
    readers = {
        f"runs/{result.run_id}/selection.json": lambda: read_selection(store, result.run_id),
        "tags/initial-tag.json": lambda: list_tags(store),
        "datapool/00000001.json": lambda: read_datapool(store),
    }
    for name, reader in readers.items():
        reader()
        spoil([Path(store.describe(), ".lightly", name)], damage)
        with pytest.raises(DamagedDocumentError, match=name):
            reader()


def test_a_document_is_read_again_before_it_is_called_damaged(endpoint: str) -> None:
    make_bucket(endpoint, "documents")
    with faulty(endpoint) as proxy:
        store = store_at(proxy.url, "s3://documents/")
        document = {"videos": [["a.mp4", 5, "e"]]}
        store.write(CATALOG_PATH, json.dumps(document).encode())
        flip = Fault("flip", f"GET .*{CATALOG_PATH}", at=0)
        proxy.add(flip)
        catalog = read_catalog(store)
        assert not flip.times
        assert catalog is not None
        assert [video.path for video in catalog.videos] == ["a.mp4"]


def test_outcomes_are_asked_for_many_at_once(endpoint: str, prepared_folder: Path) -> None:
    make_bucket(endpoint, "documents")
    source = LocalDatasource(prepared_folder / "in")
    videos = [*source.list()] * 20
    with faulty(endpoint) as proxy:
        store = store_at(proxy.url, "s3://documents/many/")
        dataset = Dataset("a", input=source, lightly=store)
        proxy.add(Fault("slow", "GET", times=10_000, at=50))
        job = Run(dataset, resolve_config(dataset), "r")
        assert job.tables.existing_many(videos) == [None] * len(videos)
        assert proxy.count("GET") == len(videos)
        assert proxy.most_at_once >= 8
