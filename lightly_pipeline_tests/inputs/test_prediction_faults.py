"""A store that does not give a file of predictions ends the work; a wrong file is left out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline import Dataset, LocalDatasource, export_run, run
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline_tests.support.faults import Fault, FaultyStore, faulty
from lightly_pipeline_tests.support.objects import (
    BLUE,
    PLACES,
    RED,
    TASK,
    compared_by_objects,
    make_rectangles,
    put_boxes,
    put_task,
)
from lightly_pipeline_tests.support.s3_servers import make_bucket, store_at

pytestmark = pytest.mark.slow

_N = 8
_COUNTED = {"type": "PREDICTIONS", "task": TASK, "name": "CATEGORY_COUNT"}
BY_COUNTS = {"n_samples": 2, "strategies": [{"input": _COUNTED, "strategy": {"type": "WEIGHTS"}}]}


@pytest.fixture
def store(endpoint: str) -> Iterator[FaultyStore]:
    make_bucket(endpoint, "predicted")
    with faulty(endpoint) as proxy:
        yield proxy


@pytest.fixture
def dataset(tmp_path: Path, store: FaultyStore) -> Dataset:
    make_rectangles(tmp_path / "in" / "a.mp4", [(RED, BLUE)] * _N)
    lightly = store_at(store.url, f"s3://predicted/{tmp_path.name}/")
    put_task(lightly)
    put_boxes(lightly, "a.mp4", dict.fromkeys(range(_N), PLACES), _N)
    return Dataset("predicted", input=LocalDatasource(tmp_path / "in"), lightly=lightly)


def refuse(store: FaultyStore) -> None:
    """Lets the store refuse one of the files for ever."""
    fault = Fault("status", f"GET .*{TASK}/a-3-mp4.json", 10**6, status=403, code="AccessDenied")
    store.add(fault)


@pytest.mark.parametrize("selection", [BY_COUNTS, compared_by_objects(2)], ids=["counts", "boxes"])
def test_a_run_does_not_choose_without_what_the_store_keeps_back(
    dataset: Dataset, store: FaultyStore, selection: dict[str, Any]
) -> None:
    refuse(store)
    with pytest.raises(DatasourceError, match=r"a-3-mp4\.json"):
        run(dataset, selection_config=selection)
    store.clear()
    assert run(dataset, selection_config=selection).n_selected == 2


def test_an_export_does_not_leave_out_what_the_store_keeps_back(
    dataset: Dataset, store: FaultyStore, tmp_path: Path
) -> None:
    everything = {**BY_COUNTS, "n_samples": _N}
    run(dataset, selection_config=everything)
    refuse(store)
    with pytest.raises(DatasourceError, match=r"a-3-mp4\.json"):
        export_run(dataset.lightly, to="coco", out=tmp_path / "refused")
    store.clear()
    exported = export_run(dataset.lightly, to="coco", out=tmp_path / "coco")
    assert exported.n_predictions == _N * len(PLACES)
