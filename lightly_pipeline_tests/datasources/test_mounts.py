"""File systems as they are: mounts that refuse things, folders one may not read, full disks."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightly_pipeline.datasources import LocalDatasource, list_videos, verify_access
from lightly_pipeline.errors import DatasourceError, StoreFullError

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static int no(const char *name) {
  const char *value = getenv(name);
  if (!value) return 0;
  errno = atoi(value);
  return 1;
}
int chmod(const char *p, mode_t m) {
  return no("NO_CHMOD") ? -1 : ((int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "chmod"))(p, m);
}
int fchmod(int f, mode_t m) {
  return no("NO_CHMOD") ? -1 : ((int (*)(int, mode_t))dlsym(RTLD_NEXT, "fchmod"))(f, m);
}
int fchmodat(int d, const char *p, mode_t m, int l) {
  if (no("NO_CHMOD")) return -1;
  return ((int (*)(int, const char *, mode_t, int))dlsym(RTLD_NEXT, "fchmodat"))(d, p, m, l);
}
int flock(int f, int o) {
  return no("NO_FLOCK") ? -1 : ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(f, o);
}
int link(const char *a, const char *b) {
  if (no("NO_LINK")) return -1;
  return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link"))(a, b);
}
int linkat(int a, const char *b, int c, const char *d, int e) {
  if (no("NO_LINK")) return -1;
  return ((int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat"))(
      a, b, c, d, e);
}
"""

WRITING = """
import sys
from lightly_pipeline.datasources import LocalDatasource, verify_access
from lightly_pipeline.errors import LightlyPipelineError, PreconditionFailedError
store = LocalDatasource(sys.argv[1])
try:
    verify_access(store, writable=True)
    store.write("plain", b"1")
    store.write("once", b"1", if_absent=True)
    try:
        store.write("once", b"2", if_absent=True)
    except PreconditionFailedError:
        print("created once")
    with store.writer("streamed") as file:
        file.write(b"3")
except LightlyPipelineError as error:
    print("refused:", error)
"""
EPERM, ENOSYS, ENOLCK, EOPNOTSUPP = 1, 38, 37, 95


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes system calls fail as mounts do."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and LD_PRELOAD")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    built = folder / "shim.so"
    arguments = ["-shared", "-fPIC", "-o", str(built), str(folder / "shim.c"), "-ldl"]
    subprocess.run([compiler, *arguments], check=True)
    return built


def write_behind(shim: Path, folder: Path, **refused: int) -> str:
    environment = {**os.environ, "LD_PRELOAD": str(shim)}
    environment |= {name: str(value) for name, value in refused.items()}
    done = subprocess.run(
        [sys.executable, "-c", WRITING, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    "refused",
    [
        {"NO_CHMOD": EPERM},
        {"NO_CHMOD": EOPNOTSUPP},
        {"NO_FLOCK": ENOSYS},
        {"NO_FLOCK": ENOLCK},
        {"NO_FLOCK": EOPNOTSUPP},
        {"NO_LINK": EPERM},
        {"NO_LINK": EOPNOTSUPP},
        {"NO_CHMOD": EPERM, "NO_FLOCK": ENOSYS},
        {"NO_CHMOD": EPERM, "NO_LINK": EPERM},
    ],
    ids=str,
)
def test_a_mount_that_refuses_chmod_or_locks_or_links_is_written_to(
    shim: Path, tmp_path: Path, refused: dict[str, int]
) -> None:
    assert write_behind(shim, tmp_path, **refused) == "created once\n"
    assert sorted(item.path for item in LocalDatasource(tmp_path).list()) == [
        ".lightly/access-check",
        "once",
        "plain",
        "streamed",
    ]
    assert (tmp_path / "once").read_bytes() == b"1"


def test_a_mount_with_neither_links_nor_locks_is_told_before_the_work(
    shim: Path, tmp_path: Path
) -> None:
    said = write_behind(shim, tmp_path, NO_LINK=EPERM, NO_FLOCK=ENOLCK)
    assert said.startswith("refused: cannot write objects in")
    assert str(tmp_path / ".lightly") in said
    assert "neither hard links nor locks" in said
    assert not list(LocalDatasource(tmp_path).list())


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_mode_that_the_umask_leaves_also_from_many_threads(
    tmp_path: Path, mask: int
) -> None:
    code = (
        "import os, sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from lightly_pipeline.datasources import LocalDatasource\n"
        f"os.umask({mask})\n"
        "store = LocalDatasource(sys.argv[1])\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    list(pool.map(lambda i: store.write(str(i), b'x'), range(400)))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    modes = {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {0o666 & ~mask}


def test_files_that_vanish_while_they_are_listed_are_left_out(tmp_path: Path) -> None:
    store = LocalDatasource(tmp_path)
    for number in range(300):
        store.write(f"{number % 7}/{number:03}.mp4", b"x")
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            shutil.rmtree(tmp_path / "3", ignore_errors=True)
            for number in range(0, 300, 5):
                (tmp_path / str(number % 7) / f"{number:03}.mp4").unlink(missing_ok=True)
            for number in range(0, 300, 5):
                store.write(f"{number % 7}/{number:03}.mp4", b"x")

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(40):
            paths = [video.path for video in list_videos(store)]
            assert paths == sorted(paths)
    finally:
        done.set()
        thread.join()


def test_one_that_vanishes_between_its_folder_and_its_size(tmp_path: Path) -> None:
    store = LocalDatasource(tmp_path)
    for name in ("a.mp4", "b.mp4", "c/d.mp4", "e.mp4"):
        store.write(name, b"x")
    listing = list_videos(store)
    assert next(listing).path == "a.mp4"
    (tmp_path / "b.mp4").unlink()
    shutil.rmtree(tmp_path / "c")
    assert [video.path for video in listing] == ["e.mp4"]


LISTING = """
import logging, os, sys
logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)
from lightly_pipeline.datasources import LocalDatasource, list_videos
from lightly_pipeline.errors import DatasourceError
store = LocalDatasource(sys.argv[1])
list(store.list("warm"))
os.setgid(65534); os.setuid(65534)
try:
    for _ in range(2):
        print([video.path for video in list_videos(store)])
except DatasourceError as error:
    print("refused:", error)
"""


def listed_by_nobody(folder: Path) -> str:
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    for place in (folder, *folder.parents):
        if not place.stat().st_mode & 0o001:
            place.chmod(place.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-c", LISTING, str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_folders_and_files_one_may_not_read_are_passed_over_and_named_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    store = LocalDatasource(tmp_path)
    for name in ("a.mp4", "lost+found/b.mp4", "sub/secret/c.mp4", "z.mp4", "hidden/d.mp4"):
        store.write(name, b"x")
    (tmp_path / "lost+found").chmod(0o700)
    (tmp_path / "sub/secret").chmod(0o000)
    # It may be listed, but what is in it may not be looked at.
    (tmp_path / "hidden").chmod(0o744)
    said = listed_by_nobody(tmp_path)
    assert said.count("['a.mp4', 'z.mp4']") == 2
    for name in ("lost+found", "sub/secret", "hidden/d.mp4"):
        assert said.count(f"WARNING {tmp_path / name} may not be read") == 1


def test_a_root_one_may_not_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir(mode=0o700)
    assert f"refused: the folder {tmp_path / 'in'} cannot be read" in listed_by_nobody(
        tmp_path / "in"
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 256 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("needs root to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_named_with_the_file(small_disk: Path) -> None:
    store = LocalDatasource(small_disk)
    expected = f"cannot write {small_disk / 'sub/a'}: No space left on device: make room"
    with pytest.raises(StoreFullError) as caught:
        store.write("sub/a", bytes(1_000_000))
    assert str(caught.value).startswith(expected)

    def stream() -> None:
        with store.writer("sub/a") as file:
            for _ in range(100):
                file.write(bytes(10_000))

    with pytest.raises(StoreFullError) as caught:
        stream()
    assert str(caught.value).startswith(expected)
    assert not list(store.list())
    store.write("sub/a", bytes(1000))


def test_a_full_disk_of_temporary_files_is_named(
    small_disk: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    from lightly_pipeline.datasources import S3Datasource, bucket

    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    monkeypatch.setattr(bucket, "_SPOOL_BYTES", 1000)
    store = S3Datasource("s3://b/", endpoint_url=endpoint, access_key_id="a", secret_access_key="b")

    def stream() -> None:
        with store.writer("a") as file:
            file.write(bytes(1_000_000))

    with pytest.raises(StoreFullError, match=f"temporary files, {small_disk}"):
        stream()


def test_what_killed_writers_left_is_removed_and_what_living_ones_write_is_not(
    tmp_path: Path,
) -> None:
    code = (
        "import os, signal, sys\n"
        "from lightly_pipeline.datasources import LocalDatasource\n"
        "store = LocalDatasource(sys.argv[1])\n"
        "with store.writer('.lightly/tables/a/b') as file:\n"
        "    file.write(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    store = LocalDatasource(tmp_path)
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = (tmp_path / ".lightly/tables/a").iterdir()
    elsewhere = left.with_name(".lightly-partial-0123456789abcdef.7.5-aa")
    earlier_release = left.with_name(".lightly-partial-abcdefgh")
    old = left.with_name(".lightly-partial-fedcba9876543210.7.5-aa")
    foreign = left.with_name(".other-partial")
    for file in (elsewhere, earlier_release, old, foreign):
        file.write_bytes(b"x")
    yesterday = time.time() - 25 * 3600
    for file in (old, foreign):
        os.utime(file, (yesterday, yesterday))
    with store.writer(".lightly/tables/a/c") as file:
        file.write(b"living")
        verify_access(LocalDatasource(tmp_path), writable=True)
    names = {file.name for file in left.parent.iterdir()}
    assert names == {elsewhere.name, earlier_release.name, foreign.name, "c"}


def test_a_name_that_a_file_system_refuses_is_named(tmp_path: Path) -> None:
    name = "x" * 300 + ".png"
    with pytest.raises(DatasourceError, match=r"does not take this name.*rename the video"):
        LocalDatasource(tmp_path).write(f".lightly/frames/{name}", b"")


def test_names_that_are_no_text_are_read_written_and_shown(
    tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder to a bucket and to a folder, on a terminal that takes UTF-8 only."""
    from lightly_pipeline_tests.support.s3_servers import emptied_bucket
    from lightly_pipeline_tests.support.videos import RECIPES, make_video

    recipe = {recipe.name: recipe for recipe in RECIPES}["h264.mp4"]
    names = [b"caf\xe9.mp4", b"\xff\xfe.mp4", b"d\xfcr/a.mp4", b"g\xc3\xa9n\xe9.mp4"]
    source = tmp_path / "in"
    for seed, name in enumerate(names):
        made = make_video(tmp_path, recipe, "plain.mp4", seed=seed)
        target = source / os.fsdecode(name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(made, target)
        except OSError:
            pytest.skip("this file system takes UTF-8 only")
    (source / os.fsdecode(b"bro\xe7.mp4")).write_bytes(b"no video")
    environment = {
        **os.environ,
        "PYTHONIOENCODING": "utf-8:strict",
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = emptied_bucket(endpoint, "names")
    images = []
    for target in (str(tmp_path / "out"), "s3://names/out/"):
        for more in ([], ["--json"]):
            places = ["--input", str(source), "--lightly", target]
            done = subprocess.run(
                [sys.executable, "-m", "lightly_pipeline", "run", *places, *more],
                env=environment,
                capture_output=True,
            )
            assert done.returncode == 0, done.stderr.decode(errors="replace")
            done.stdout.decode("utf-8", "strict")
        result = json.loads(done.stdout)
        assert len(result["corrupt_videos"]) == 1
        images.append([frame["image"] for frame in result["selected"]])
    assert images[0] == images[1]
    assert {image.split("/")[2].split("-")[0] for image in images[0]} == {
        "%caf%E9",
        "%%FF%FE",
        "%d%FCr",
        "%g%C3%A9n%E9",
    }
    for image in images[0]:
        assert (tmp_path / "out" / image).is_file()
    stored = {item.key.removeprefix("out/") for item in bucket.objects.all()}
    assert set(images[1]) <= stored
