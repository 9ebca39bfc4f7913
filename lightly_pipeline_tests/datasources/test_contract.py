"""What every kind of datasource promises, tried on each: the suite a new store has to pass.

`make test-ceph` adds Ceph, and LIGHTLY_PIPELINE_TEST_BUCKET a bucket of one's own.
"""

import pickle
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.datasources import (
    Datasource,
    azure_requests,
    bucket,
    gcs_requests,
    traffic_of,
    verify_access,
)
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectChangedError,
    ObjectNotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)
from lightly_pipeline_tests.support import targets
from lightly_pipeline_tests.support.targets import SECRET, Target
from lightly_pipeline_tests.support.videos import RECIPES, make_video

pytestmark = pytest.mark.slow

MB = 1024 * 1024
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
KINDS = ["folder", "moto", "swift", "gcs", "azure", "ceph", "real"]
NAMES = [
    "a.b",
    "a/b",
    "a b+c%20&d.mp4",
    "quotes'\"`.mp4",
    "what?is#this=.mp4",
    "\u00e9.mp4",
    "e\u0301.mp4",
    "\u65e5\u672c/\uff21.mp4",
    "UPPER/upper",
    "upper/UPPER",
    "~tilde!*().mp4",
]


@pytest.fixture(scope="module", params=KINDS)
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    kind, folder = request.param, tmp_path_factory.mktemp("target")
    opened = {
        "folder": lambda: nullcontext(targets.folder_target(folder)),
        "moto": targets.moto_target,
        "swift": lambda: nullcontext(targets.swift_target(request.getfixturevalue("swift"))),
        "gcs": targets.gcs_target,
        "azure": targets.azure_target,
        "ceph": lambda: targets.ceph_target(folder),
        "real": targets.real_target,
    }[kind]()
    with opened as ready:
        yield ready


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails where it should not is not waited for."""
    monkeypatch.setattr(bucket, "DEFAULT_PATIENCE_S", 20)


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    return f"{request.node.originalname}/in"


@pytest.fixture
def store(target: Target, prefix: str) -> Datasource:
    return target.at(f"{prefix}/")


def test_any_name_is_kept_and_listed_in_byte_order(target: Target, store: Datasource) -> None:
    names = [*NAMES, *(["d//e", "/f"] if target.knows_double_slashes else [])]
    names += ["g/../h", "./i", "back\\slash.mp4"] if target.knows_dots else []
    for name in names:
        store.write(name, name.encode())
    listed = list(store.list())
    assert [item.path for item in listed] == sorted(names, key=str.encode)
    for item in listed:
        assert item.size_bytes == len(item.path.encode())
        assert store.read(item.path) == item.path.encode()
        assert store.stat(item.path) == item
        with store.open(item.path, etag=item.etag) as file:
            assert file.read() == item.path.encode()


def test_what_is_written_is_described_alike_by_write_stat_and_list(store: Datasource) -> None:
    written = store.write("sub/a.bin", b"content")
    assert (written.path, written.size_bytes) == ("sub/a.bin", 7)
    found = store.stat("sub/a.bin")
    assert found == written
    assert list(store.list()) == [written]
    assert found is not None
    assert found.modified_s
    assert store.stat("sub") is None
    assert store.location("sub/a.bin").endswith("sub/a.bin")


def test_only_what_begins_with_a_prefix_is_listed(
    target: Target, store: Datasource, prefix: str
) -> None:
    for name in ("a/1", "a/2", "ab", "b/a/3"):
        store.write(name, b"")
    target.at(f"{prefix}side/").write("a/4", b"")
    assert [item.path for item in store.list()] == ["a/1", "a/2", "ab", "b/a/3"]
    assert [item.path for item in store.list("a")] == ["a/1", "a/2", "ab"]
    assert [item.path for item in store.list("a/")] == ["a/1", "a/2"]
    assert list(store.list("c")) == []


def test_pages_of_a_listing_are_one_stream(
    store: Datasource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs_requests, "PAGE_OBJECTS", 4)
    monkeypatch.setattr(azure_requests, "PAGE_OBJECTS", 4)
    names = [f"{number:02}" for number in range(10)]
    for name in names:
        store.write(name, b"")
    listing = store.list()
    assert next(listing).path == "00"
    assert ["00", *[item.path for item in listing]] == names


@pytest.mark.parametrize("size", [0, 1, MB, 3 * MB + 7])
def test_any_range_gives_the_content(store: Datasource, size: int) -> None:
    content = random.Random(size).randbytes(size)
    record = store.write(f"{size}", content)
    assert store.read(f"{size}") == content
    with store.open(f"{size}", etag=record.etag) as file:
        assert file.read() == content
        for position in (0, size // 2, size, size // 3):
            file.seek(position)
            assert file.read(100_000) == content[position : position + 100_000]
        assert file.seek(0, 2) == size
        assert file.read(1) == b""
        assert traffic_of(file).n_requests <= 4
        assert traffic_of(file).n_bytes in (0, size)


def test_missing_things_are_named(store: Datasource) -> None:
    store.write("something", b"")
    for ask in (store.read, store.open):
        with pytest.raises(ObjectNotFoundError, match=r"nothing\.mp4 does not exist"):
            ask("nothing.mp4")
    assert store.stat("nothing.mp4") is None
    assert store.expiry("something") is None
    store.delete("nothing.mp4")


def test_a_reader_is_bound_to_its_version(store: Datasource) -> None:
    first = store.write("a", b"1" * 3 * MB)
    reader = store.open("a", etag=first.etag)
    assert reader.read(10) == b"1" * 10
    second = store.write("a", b"2" * 3 * MB + b"3")
    assert second.etag != first.etag
    with pytest.raises(ObjectChangedError, match="run again to take the new version"):
        store.open("a", etag=first.etag)
    try:
        rest = reader.read()
    except ObjectChangedError:
        return
    # A file that was opened keeps what it was.
    assert isinstance(store, LocalDatasource)
    assert rest == b"1" * (3 * MB - 10)


def test_create_only_writes_never_replace_anything(store: Datasource) -> None:
    first = store.write("tags/1.json", b"one", if_absent=True)
    assert store.stat("tags/1.json") == first
    for other in (b"two", b"one"):
        with pytest.raises(PreconditionFailedError, match=r"tags/1\.json exists already"):
            store.write("tags/1.json", other, if_absent=True)
    assert store.read("tags/1.json") == b"one"


def test_a_version_is_replaced_only_while_it_is_the_current_one(store: Datasource) -> None:
    first = store.write("a", b"1")
    second = store.write("a", b"22", if_match=first.etag)
    assert store.stat("a") == second
    with pytest.raises(PreconditionFailedError, match="another version by now"):
        store.write("a", b"333", if_match=first.etag)
    with pytest.raises(PreconditionFailedError):
        store.write("nothing", b"4", if_match=first.etag)
    assert store.read("a") == b"22"
    assert [item.path for item in store.list()] == ["a"]


def test_of_racing_writers_exactly_one_wins(target: Target, store: Datasource) -> None:
    if not target.one_creates:
        pytest.skip("check and write are two steps in this store, as docs/storage.md says")
    start = threading.Barrier(8)

    def write(number: int, etag: str | None) -> bool:
        start.wait()
        try:
            store.write("a", b"%d" % number, if_absent=etag is None, if_match=etag)
        except PreconditionFailedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8), [None] * 8)) == 1
        current = store.stat("a")
        assert current is not None
        if not target.one_replaces:
            return
        assert sum(pool.map(write, range(10, 18), [current.etag] * 8)) == 1


def test_streamed_writes_appear_whole_or_not_at_all(store: Datasource) -> None:
    part = random.Random(1).randbytes(5 * MB)
    with store.writer("a") as file:
        for _ in range(4):
            file.write(part)
        file.seek(0)
        file.write(b"head")
        assert store.stat("a") is None
    assert store.read("a") == b"head" + part[4:] + part * 3
    with store.writer("a") as file:
        file.write(b"replaced")
    assert store.read("a") == b"replaced"

    def die_halfway() -> None:
        with store.writer("b") as file:
            file.write(b"half")
            raise RuntimeError("died")

    with pytest.raises(RuntimeError):
        die_halfway()
    assert [item.path for item in store.list()] == ["a"]
    store.delete("a")
    assert list(store.list()) == []


def test_many_objects_are_removed_and_no_other_one(store: Datasource) -> None:
    names = [f"t/{number:04d}/a b+%20é.json" for number in range(40)]
    for name in (*names, "t/keep", "other/keep", "keep"):
        store.write(name, b"content")
    assert store.delete_many([*names[:30], "t/nothing", "keep/nothing"]) == {}
    assert {item.path for item in store.list()} == {*names[30:], "t/keep", "other/keep", "keep"}
    assert store.delete_many(names[30:]) == {}
    assert store.delete_many(names) == {}
    assert [item.path for item in store.list()] == ["keep", "other/keep", "t/keep"]


def test_threads_share_a_store(store: Datasource) -> None:
    content = random.Random(2).randbytes(2 * MB)
    record = store.write("a", content)

    def read(number: int) -> bool:
        store.write(f"own/{number}", b"%d" % number)
        with store.open("a", etag=record.etag) as file:
            file.seek(number * 100_000)
            return file.read(1000) == content[number * 100_000 :][:1000]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(16)))
    assert len(list(store.list("own/"))) == 16


def test_input_is_read_by_who_may_only_list_and_read(
    target: Target, store: Datasource, prefix: str
) -> None:
    if target.reading is None:
        pytest.skip("this store asks nobody who he is")
    store.write("v.mp4", b"x")
    verify_access(store, writable=True)
    reading = target.reading(f"{prefix}/")
    verify_access(reading, writable=False)
    with pytest.raises(DatasourceError, match=r"cannot write objects in .*: cannot write"):
        verify_access(reading, writable=True)
    with pytest.raises(PermissionDeniedError, match="the credentials do not allow it"):
        reading.write("v.mp4", b"y")


def test_credentials_that_are_not_known_are_told_and_never_shown(
    target: Target, prefix: str
) -> None:
    if target.denied is None:
        pytest.skip("this store asks nobody who he is")
    denied = target.denied(f"{prefix}/")
    with pytest.raises(PermissionDeniedError) as caught:
        next(denied.list(), None)
    for shown in (str(caught.value), repr(denied), str(denied), denied.describe()):
        assert SECRET not in shown
        assert "Y2FuYXJ5" not in shown
    with pytest.raises(TypeError, match="may hold credentials"):
        pickle.dumps(denied)


def test_the_same_frames_come_of_every_store(target: Target, prefix: str, tmp_path: Path) -> None:
    input_, lightly = target.at(f"{prefix}/"), target.at(f"{prefix}put/")
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(tmp_path / "in", BY_NAME["mpeg4.avi"], "sub dir/b,c.avi", seed=3)
    whole = (tmp_path / "in/a.mp4").read_bytes()
    (tmp_path / "in/cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    broken = bytearray((tmp_path / "in/sub dir/b,c.avi").read_bytes())
    middle = len(broken) // 2
    broken[middle : middle + 300] = bytes(300)
    (tmp_path / "in/broken.avi").write_bytes(broken)
    folder = LocalDatasource(tmp_path / "in")
    for item in folder.list():
        input_.write(item.path, folder.read(item.path))
    expected_in = LocalDatasource(tmp_path / "out")
    choice = {"n_samples": 5}
    expected = run(Dataset("a", input=folder, lightly=expected_in), selection_config=choice)
    result = run(Dataset("a", input=input_, lightly=lightly), selection_config=choice)
    assert result.selected == expected.selected
    assert result.corrupt_videos == expected.corrupt_videos
    assert result.corrupt_samples == expected.corrupt_samples
    assert result.n_input_frames == expected.n_input_frames
    for frame in expected.selected:
        assert lightly.read(frame.image) == expected_in.read(frame.image)
