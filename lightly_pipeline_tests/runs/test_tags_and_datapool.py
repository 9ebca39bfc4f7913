"""Tags and the datapool on real stores, with several writers at once."""

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import numpy as np
import pytest

from lightly_pipeline import LocalDatasource, S3Datasource
from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.errors import DatapoolChangedError, DatasourceError, LightlyPipelineError
from lightly_pipeline.runs.chosen import (
    ChosenSet,
    SourceVideo,
    StoredFrame,
    read_embeddings,
    write_embeddings,
)
from lightly_pipeline.runs.datapool import PoolClaim, add_entry, chosen_before, read_datapool
from lightly_pipeline.runs.own_tags import all_tags, create_tag, delete_tag
from lightly_pipeline.runs.tags import add_tag, list_tags, read_tag, tag_names
from lightly_pipeline_tests.support.s3_servers import ACCESS_KEY, SECRET_KEY

pytestmark = pytest.mark.slow

TIME = "2026-01-01T00:00:00+00:00"


@pytest.fixture(params=["folder", "moto", "swift"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Datasource:
    if request.param == "folder":
        return LocalDatasource(tmp_path)
    is_swift = request.param == "swift"
    url = request.getfixturevalue("swift" if is_swift else "endpoint")
    keys = {
        "access_key_id": ACCESS_KEY if is_swift else "a",
        "secret_access_key": SECRET_KEY if is_swift else "b",
    }
    session = boto3.Session(*keys.values(), region_name="us-east-1")
    bucket = session.resource("s3", endpoint_url=url).Bucket("memory")
    if bucket.creation_date is None:
        bucket.create()
    for item in bucket.objects.all():
        item.delete()
    return S3Datasource("s3://memory/lightly/", region="us-east-1", endpoint_url=url, **keys)


def frames(run_id: str, *indices: int, video: str = "a.mp4") -> ChosenSet:
    return ChosenSet(
        run_id,
        "default-1",
        1,
        {video: SourceVideo(10, "e", 50)},
        tuple(
            StoredFrame(video, index, f".lightly/frames/a-{index:02d}-mp4.png", row)
            for row, index in enumerate(indices)
        ),
    )


def test_the_first_tag_is_initial_tag_and_the_newest_is_listed_first(store: Datasource) -> None:
    assert tag_names(store) == []
    assert add_tag(store, TIME, frames("no frames")) is None
    for number, run_id in enumerate(("one", "two", "three")):
        add_tag(store, TIME, frames(run_id, number, number + 1))
    tags = list_tags(store)
    assert [tag.name for tag in tags] == ["tag-0003", "tag-0002", "initial-tag"]
    assert [tag.parent for tag in tags] == ["tag-0002", "initial-tag", None]
    assert [tag.run_id for tag in tags] == ["three", "two", "one"]
    assert read_tag(store, "tag-0002").filenames == ["a-01-mp4.png", "a-02-mp4.png"]


def test_a_run_has_one_tag_however_often_it_is_tried(store: Datasource) -> None:
    first = add_tag(store, TIME, frames("one", 1, 2))
    add_tag(store, TIME, frames("two", 2, 1))
    assert add_tag(store, TIME, frames("one", 1, 2)) == first
    assert tag_names(store) == ["tag-0002", "initial-tag"]


def test_a_run_that_was_slow_to_upload_has_one_tag_still(store: Datasource) -> None:
    """Tags are numbered when they are written, not when their selection was made."""
    earlier, later = "2026-01-02T10:00:00+00:00", "2026-01-02T10:05:00+00:00"
    first = add_tag(store, later, frames("fast to choose last", 1))
    add_tag(store, earlier, frames("slow to upload", 2))
    assert add_tag(store, later, frames("fast to choose last", 1)) == first
    assert len(tag_names(store)) == 2


def test_an_unknown_tag_names_those_that_there_are(store: Datasource) -> None:
    with pytest.raises(LightlyPipelineError, match="there are none yet"):
        read_tag(store, "initial-tag")
    add_tag(store, TIME, frames("one", 1))
    with pytest.raises(LightlyPipelineError, match=r"no tag 'tag-7' .*there are initial-tag"):
        read_tag(store, "tag-7")


def test_a_datapool_starts_with_what_earlier_runs_chose(store: Datasource) -> None:
    add_tag(store, TIME, frames("one", 1, 2))
    pool = read_datapool(store)
    assert (pool.number, pool.n_frames, pool.adopted) == (0, 2, ("initial-tag",))
    add_entry(store, PoolClaim(1, pool.adopted, {"a.mp4": (10, "e")}), TIME, frames("two", 3))
    add_tag(store, TIME, frames("three", 4))
    pool = read_datapool(store)
    assert (pool.number, pool.run_ids, pool.adopted) == (1, ("two",), ())
    assert [c.run_id for c in pool.chosen] == ["one", "two"]
    assert pool.is_processed(StoredObject("a.mp4", 10, "e"))
    assert not pool.is_processed(StoredObject("a.mp4", 10, "another version"))


def test_a_tag_of_file_names_points_at_the_newest_runs_that_chose_them(store: Datasource) -> None:
    add_tag(store, TIME, frames("one", 1, 2, 3))
    add_tag(store, TIME, frames("two", 3, 4))
    names = [f"a-{index:02d}-mp4.png" for index in (4, 3, 1)]
    made = create_tag(store, "my frames", names)
    assert read_tag(store, "my frames") == made
    assert [(part.run_id, [f.frame_index for f in part.frames]) for part in made.parts] == [
        ("one", [1]),
        ("two", [3, 4]),
    ]
    assert made.filenames == names[::-1]
    assert [part.frames[-1].embedding_row for part in made.parts] == [0, 1]
    # Runs and datapools see nothing of it.
    assert tag_names(store) == ["tag-0002", "initial-tag"]
    assert read_datapool(store).adopted == ("initial-tag", "tag-0002")
    assert {tag.name for tag in all_tags(store)} == {"my frames", "tag-0002", "initial-tag"}
    assert all_tags(store)[0].name == "my frames"
    delete_tag(store, made)
    assert len(all_tags(store)) == 2


def test_what_a_run_found_in_the_datapool_is_known_afterwards(store: Datasource) -> None:
    add_tag(store, TIME, frames("one", 1))
    add_entry(store, PoolClaim(1, ("initial-tag",), {}), TIME, frames("two", 2, 3))
    add_entry(store, PoolClaim(2, (), {}), TIME, frames("three", 3, 4))

    def found(n_frames: int) -> list[str]:
        return [chosen.run_id for chosen in chosen_before(store, n_frames)]

    assert found(0) == []
    assert found(1) == ["one"]
    assert found(3) == ["one", "two"]
    assert found(4) == ["one", "two", "three"]


def test_a_selection_against_an_old_datapool_cannot_enter(store: Datasource) -> None:
    claim = PoolClaim(1, (), {})
    add_entry(store, claim, TIME, frames("first", 1))
    add_entry(store, claim, TIME, frames("first", 1))
    with pytest.raises(DatapoolChangedError, match=r"run first added frames .* run again"):
        add_entry(store, claim, TIME, frames("second", 1))
    assert read_datapool(store).run_ids == ("first",)


def test_embeddings_of_chosen_frames_are_kept(store: Datasource) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    write_embeddings(store, "one", rows)
    assert np.array_equal(read_embeddings(store, frames("one", 5, 7)), rows[:2])
    with pytest.raises(DatasourceError, match="does not hold the embeddings of run one"):
        read_embeddings(store, frames("one", *range(5)))


def at_once(calls: list[Callable[[], object]]) -> list[object]:
    start = threading.Barrier(len(calls))

    def call(function: Callable[[], object]) -> object:
        start.wait()
        try:
            return function()
        except DatapoolChangedError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


@pytest.mark.parametrize("store", ["folder", "moto"], indirect=True)
def test_of_many_runs_at_once_each_gets_a_tag_of_its_own_on_top_of_the_others(
    store: Datasource,
) -> None:
    at_once([lambda i=i: add_tag(store, TIME, frames(f"run {i}", i)) for i in range(8)])
    tags = list_tags(store)
    assert {tag.run_id for tag in tags} == {f"run {i}" for i in range(8)}
    assert [tag.parent for tag in tags] == [tag.name for tag in tags[1:]] + [None]


@pytest.mark.parametrize("store", ["folder", "moto"], indirect=True)
def test_of_many_runs_at_once_one_enters_the_datapool(store: Datasource) -> None:
    claim = PoolClaim(1, (), {})
    results = at_once(
        [lambda i=i: add_entry(store, claim, TIME, frames(f"run {i}", i)) for i in range(8)]
    )
    assert results.count(None) == 1
    assert read_datapool(store).run_ids == (f"run {results.index(None)}",)


def _tag_in_a_process(folder: Path, i: int) -> None:
    for j in range(5):
        add_tag(LocalDatasource(folder), TIME, frames(f"run {i} {j}", i, j))


def test_processes_that_share_a_folder_lose_no_tag(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_tag_in_a_process, args=(tmp_path, i)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    tags = list_tags(LocalDatasource(tmp_path))
    assert sorted(tag.run_id for tag in tags) == [
        f"run {i} {j}" for i in range(2) for j in range(5)
    ]
    assert [tag.parent for tag in tags] == [tag.name for tag in tags[1:]] + [None]
