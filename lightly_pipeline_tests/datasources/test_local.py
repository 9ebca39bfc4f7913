"""A folder behaves as a store of objects."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightly_pipeline.datasources import LocalDatasource, list_videos, verify_access
from lightly_pipeline.datasources.local_files import PARTIAL_PREFIX
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectChangedError,
    ObjectNotFoundError,
)
from lightly_pipeline_tests.support.dead_attempts import dead_owner


@pytest.fixture
def store(tmp_path: Path) -> LocalDatasource:
    return LocalDatasource(tmp_path)


NAMES = st.lists(
    st.lists(
        st.text("ab.!/ é-", min_size=1, max_size=4).filter(lambda s: s.strip(".") and "/" not in s),
        min_size=1,
        max_size=3,
    ).map("/".join),
    max_size=8,
    unique=True,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
)
@given(names=NAMES)
def test_listing_is_in_byte_order_of_the_whole_path(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    store = LocalDatasource(tmp_path_factory.mktemp("store"))
    written = []
    for name in names:
        try:
            store.write(name, b"x")
        except (OSError, DatasourceError):
            continue
        written.append(name)
    listed = [item.path for item in store.list()]
    assert listed == sorted(written, key=lambda path: path.encode())
    for prefix in ("a", "a/", "b.", "é"):
        expected = [path for path in listed if path.startswith(prefix)]
        assert [item.path for item in store.list(prefix)] == expected


def test_what_is_written_is_read_and_described(store: LocalDatasource) -> None:
    record = store.write("sub/a.bin", b"content")
    assert store.read("sub/a.bin") == b"content"
    assert store.stat("sub/a.bin") == record
    assert record.size_bytes == 7
    assert list(store.list()) == [record]
    assert store.stat("sub") is None
    assert store.stat("nothing") is None


def test_another_content_has_another_etag_and_old_readers_are_told(store: LocalDatasource) -> None:
    first = store.write("a", b"one")
    second = store.write("a", b"two!")
    assert first.etag != second.etag
    with pytest.raises(ObjectChangedError, match="changed since it was listed"):
        store.open("a", etag=first.etag)
    with store.open("a", etag=second.etag) as file:
        file.seek(1)
        assert file.read(2) == b"wo"


def test_an_unfinished_write_leaves_nothing(store: LocalDatasource) -> None:
    def die_halfway() -> None:
        with store.writer("a") as file:
            file.write(b"half")
            raise RuntimeError("the process died, so to say")

    with pytest.raises(RuntimeError):
        die_halfway()
    assert list(store.list()) == []
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a//b", "", ".", "a\0b"])
def test_paths_cannot_leave_the_folder(store: LocalDatasource, path: str) -> None:
    for operation in (store.read, store.stat, store.delete, store.open):
        with pytest.raises(DatasourceError, match="not a path inside"):
            operation(path)
    with pytest.raises(DatasourceError, match="not a path inside"):
        store.write(path, b"")


def test_missing_things_are_named(store: LocalDatasource, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match="nothing does not exist"):
        store.read("nothing")
    with pytest.raises(DatasourceError, match=r"absent does not exist"):
        list(LocalDatasource(tmp_path / "absent").list())
    store.delete("nothing")


def test_loops_of_links_end(store: LocalDatasource) -> None:
    store.write("a/b/c", b"x")
    (store.root / "a" / "b" / "loop").symlink_to(store.root / "a")
    (store.root / "file").symlink_to(store.root / "a" / "b" / "c")
    assert [item.path for item in store.list()] == ["a/b/c", "file"]


def test_videos_are_the_eight_extensions_whatever_their_case(store: LocalDatasource) -> None:
    good = ["a.mp4", "b.M4V", "c.hevc", "d.mpg", "e.MPEG", "f.avi", "g.Mov", "h.webm", "s/i.mp4"]
    for name in [*good, "x.mkv", "x.mp4.txt", ".mp4", "mp4", "y.png", ".lightly/frames/z.mp4"]:
        store.write(name, b"")
    assert [video.path for video in list_videos(store)] == sorted(good)


def test_apple_double_twins_are_no_videos_and_videos_named_like_them_are(
    store: LocalDatasource,
) -> None:
    twin = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(4000)
    for path in ("._a.mp4", "sub/._b.MOV", "sub/deep/._c.mpeg", "._.mp4"):
        store.write(path, twin)
    good = ["a.mp4", "._real.mp4", "sub/._.avi", "sub/._empty.mov", "twin.mp4"]
    for path in good:
        store.write(path, b"" if "empty" in path else b"RIFF")
    # Only what is named so is looked into.
    store.write("twin.mp4", twin)
    assert [video.path for video in list_videos(store)] == sorted(good)


def test_a_file_in_place_of_a_folder_is_told_so(tmp_path: Path) -> None:
    for name in ("clip.mp4", "no extension", "a.b/c.mov"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"video")
        with pytest.raises(DatasourceError, match="is a file: name its folder") as caught:
            list(LocalDatasource(path).list())
        assert str(path.parent) in str(caught.value)
        with pytest.raises(DatasourceError, match="is a file: name its folder"):
            verify_access(LocalDatasource(path), writable=False)


def test_access_is_tried_before_work(store: LocalDatasource, tmp_path: Path) -> None:
    verify_access(store, writable=True)
    verify_access(store, writable=False)
    with pytest.raises(DatasourceError, match=r"cannot list objects in .*absent"):
        verify_access(LocalDatasource(tmp_path / "absent"), writable=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasourceError, match="cannot write objects in"):
        verify_access(LocalDatasource(tmp_path / "file"), writable=True)


def test_a_folder_loses_the_folders_that_become_empty_but_not_itself(tmp_path: Path) -> None:
    store = LocalDatasource(tmp_path / "root")
    store.write("a/b/c/d", b"")
    store.write("a/x", b"")
    (tmp_path / "root" / "mine").mkdir()
    store.delete_many(["a/b/c/d"])
    assert sorted(p.name for p in (tmp_path / "root" / "a").iterdir()) == ["x"]
    store.delete_many(["a/x"])
    assert [p.name for p in (tmp_path / "root").iterdir()] == ["mine"]


@pytest.mark.parametrize("n_writers", [1, 4])
@pytest.mark.parametrize("folder", ["a", "a/b", "a/b/c/d/e"])
def test_a_folder_may_vanish_while_another_process_writes_to_it(
    tmp_path: Path, folder: str, n_writers: int
) -> None:
    store = LocalDatasource(tmp_path)
    stop = threading.Event()

    def remove() -> None:
        while not stop.is_set():
            store.delete_many([f"{folder}/gone"])

    def write(writer: int) -> None:
        for number in range(50):
            name = f"{folder}/{writer}-{number}"
            store.write(name, b"content")
            assert store.read(name) == b"content"
            store.delete_many([name])

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        with ThreadPoolExecutor(n_writers) as pool:
            list(pool.map(write, range(n_writers)))
    finally:
        stop.set()
        thread.join()
    assert not list(tmp_path.rglob(".lightly-partial-*"))


def test_what_a_writer_left_when_it_was_killed_goes_with_its_folder(store: LocalDatasource) -> None:
    dead = dead_owner()
    unnamed = store.root / ".lightly" / f"{PARTIAL_PREFIX}{dead}-1"
    (unnamed / "sub").mkdir(parents=True)
    (unnamed / "sub" / f"{PARTIAL_PREFIX}{dead}-2").write_bytes(b"half")
    assert list(store.list()) == []
    store.prepare_writing()
    assert list((store.root / ".lightly").iterdir()) == []
