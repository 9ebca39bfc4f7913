"""What a clean-up removes, and that it removes nothing else."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightly_pipeline import Dataset, LocalDatasource, clean, run
from lightly_pipeline.cli import main
from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.errors import (
    InvalidConfigurationError,
    PermissionDeniedError,
    RunInProgressError,
)
from lightly_pipeline.layout import (
    THUMBNAIL_SUFFIX,
    crop_path,
    frame_path,
    table_folder,
    thumbnail_path,
)
from lightly_pipeline.runs.marks import alone, in_progress, runs_in_progress
from lightly_pipeline.runs.verification import verify_runs
from lightly_pipeline.steps.listener import SilentListener
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.upkeep.cleaning import clean_store
from lightly_pipeline.upkeep.survey import Retention
from lightly_pipeline_tests.support.dead_attempts import dead_owner
from lightly_pipeline_tests.support.faults import Fault, faulty
from lightly_pipeline_tests.support.s3_servers import make_bucket, store_at
from lightly_pipeline_tests.support.selections import N_FRAMES, local_dataset
from lightly_pipeline_tests.upkeep.trees import age, tree

pytestmark = pytest.mark.slow
AT_ONCE = {"older_than_days": 0.0, "unused_days": 0.0}
N = {"n_samples": 4}
OTHER = {"frame_sampling": {"every_nth": 2}}


@pytest.fixture
def dataset(prepared_folder: Path) -> Dataset:
    """A dataset of three videos and a run, whose files are all two days old."""
    made = local_dataset(prepared_folder)
    run(made, selection_config=N, run_id="first")
    age(prepared_folder / "out", 2)
    return made


def folder_of(dataset: Dataset) -> Path:
    return Path(dataset.lightly.describe())


def table_id(dataset: Dataset, **pipeline: object) -> str:
    return Run(dataset, resolve_config(dataset, pipeline_config=pipeline), "any").table_id


def all_true(dataset: Dataset) -> bool:
    return all(check.is_true for check in verify_runs(dataset.lightly))


def test_what_a_run_left_is_all_needed(dataset: Dataset) -> None:
    before = tree(dataset.lightly)
    result = clean(dataset, delete=True, older_than_days=0)
    # Only the markers of attempts that succeeded, which say nothing any more.
    assert set(result.kinds) <= {"leftovers"}
    gone = before.keys() - tree(dataset.lightly).keys()
    assert {path.rpartition("/")[2] for path in gone} == {"attempt.json"}
    again = run(dataset, selection_config=N)
    assert again.n_decoded_videos == 0
    assert clean(dataset).in_progress == ()


def test_tables_of_videos_that_are_gone_are_found_and_only_then_removed(dataset: Dataset) -> None:
    (folder_of(dataset).parent / "in" / "a.mp4").unlink()
    before = tree(dataset.lightly)
    gone = table_folder(table_id(dataset), "a.mp4")
    found = clean(dataset)
    assert not found.is_deleted
    assert found.kinds["gone_videos"].n_groups == 1
    assert tree(dataset.lightly) == before
    done = clean(dataset, delete=True)
    assert done.is_deleted
    assert (done.n_files, done.n_bytes) == (found.n_files, found.n_bytes)
    left = tree(dataset.lightly)
    assert not any(path.startswith(gone) for path in left)
    lost = {path for path in before.keys() - left.keys() if not path.startswith(gone)}
    assert {path.rpartition("/")[2] for path in lost} <= {"attempt.json"}
    # The frames that were chosen of it are there, and count.
    assert all_true(dataset)
    assert run(dataset, selection_config=N).n_decoded_videos == 0
    assert not (folder_of(dataset) / gone).exists()
    assert clean(dataset).n_files == 0


def test_a_video_that_comes_back_is_decoded_again(dataset: Dataset, tmp_path: Path) -> None:
    video = folder_of(dataset).parent / "in" / "a.mp4"
    first = run(dataset, selection_config=N, run_id="b")
    shutil.move(video, tmp_path / "a.mp4")
    clean(dataset, delete=True, older_than_days=0)
    shutil.move(tmp_path / "a.mp4", video)
    again = run(dataset, selection_config=N, run_id="c")
    assert again.n_decoded_videos == 1
    assert again.selected == first.selected


def test_young_files_stay_whatever_they_are(dataset: Dataset) -> None:
    (folder_of(dataset).parent / "in" / "a.mp4").unlink()
    assert clean(dataset, older_than_days=3).n_files == 0
    folder = folder_of(dataset) / table_folder(table_id(dataset), "a.mp4")
    os.utime(folder / "attempt.json")
    # Somebody may be at work on it.
    assert "gone_videos" not in clean(dataset).kinds


def test_tables_of_an_old_embedding_are_removed_once_nobody_uses_them(dataset: Dataset) -> None:
    old, new = table_id(dataset), table_id(dataset, **OTHER)
    # Which of two runs of one second is the latest cannot be told.
    begun = int(time.time())
    while int(time.time()) == begun:
        time.sleep(0.05)
    run(dataset, selection_config=N, pipeline_config=OTHER, run_id="second")
    age(folder_of(dataset), 40)
    # A run used them today, whatever the age of their files.
    assert "old_embeddings" not in clean(dataset).kinds
    found = clean(dataset, unused_days=0)
    assert found.kinds["old_embeddings"].n_groups == 3
    done = clean(dataset, unused_days=0, delete=True)
    assert done.kinds["old_embeddings"].n_groups == 3
    left = {path.split("/")[2] for path in tree(dataset.lightly) if "/tables/" in path}
    assert left == {new, "catalog.json"}
    assert old != new
    assert all_true(dataset)
    assert run(dataset, selection_config=N, pipeline_config=OTHER).n_decoded_videos == 0
    assert run(dataset, selection_config=N).n_decoded_videos == 3


def test_the_tables_of_a_dataset_without_any_run_stay(prepared_folder: Path) -> None:
    dataset = local_dataset(prepared_folder)
    age(prepared_folder / "out", 400)
    assert set(clean(dataset).kinds) <= {"leftovers"}


def put_images(dataset: Dataset) -> dict[str, bool]:
    """Writes images, and says of each whether it is to be removed."""
    image = frame_path("a.mp4", 39, N_FRAMES, "png")
    marked = frame_path("sub/b.mp4", 38, N_FRAMES, "jpg", 32, "0123456789abcdef")
    files = {
        image: True,
        thumbnail_path(THUMBNAIL_SUFFIX, image): True,
        marked: True,
        crop_path("cars/v2", "a-39-mp4", 0, "png"): True,
        # Of a video that has never been here.
        frame_path("other.mp4", 3, N_FRAMES, "png"): False,
        crop_path("cars", "other-39-mp4", 0, "png"): False,
        ".lightly/frames/mine.png": False,
        ".lightly/frames/a-39.png": False,
        ".lightly/frames/a-39-mp4.txt": False,
        ".lightly/frames.mine/a-39-mp4.png": False,
        ".lightly/thumbnails/mine_thumb.png": False,
        "frames/a-39-mp4.png": False,
    }
    for path in files:
        dataset.lightly.write(path, b"image")
    return files


def test_images_that_no_document_names_are_removed_and_all_others_stay(dataset: Dataset) -> None:
    images = [f.image for f in run(dataset, selection_config=N, run_id="x").selected]
    for image in images:
        dataset.lightly.write(thumbnail_path(THUMBNAIL_SUFFIX, image), b"thumbnail")
    files = put_images(dataset)
    before = tree(dataset.lightly)
    result = clean(dataset, delete=True, older_than_days=0)
    gone = before.keys() - tree(dataset.lightly).keys()
    assert {path for path in gone if "/tables/" not in path} == {p for p in files if files[p]}
    assert result.kinds["unnamed_images"].n_files == sum(files.values())
    assert all_true(dataset)


@pytest.mark.parametrize("document", ["runs/first/manifest.json", "tags/initial-tag.json"])
def test_no_image_goes_while_a_document_cannot_be_read(dataset: Dataset, document: str) -> None:
    put_images(dataset)
    path = f".lightly/{document}"
    dataset.lightly.write(path, dataset.lightly.read(path)[:200])
    result = clean(dataset, delete=True, **AT_ONCE)
    assert "unnamed_images" not in result.kinds
    assert "killed_runs" not in result.kinds
    assert any(document in note and "no image is removed" in note for note in result.notes)


def test_a_tag_alone_keeps_its_images(dataset: Dataset) -> None:
    before = tree(dataset.lightly)
    shutil.rmtree(folder_of(dataset) / ".lightly" / "runs" / "first")
    clean(dataset, delete=True, **AT_ONCE)
    kept = {path for path in before if path.startswith(".lightly/frames/")}
    assert kept <= tree(dataset.lightly).keys()


def test_leftovers_of_killed_attempts_are_removed(dataset: Dataset) -> None:
    folder = folder_of(dataset)
    done = folder / table_folder(table_id(dataset), "a.mp4")
    begun = folder / table_folder(table_id(dataset), "sub/b.mp4")
    for table in (done, begun):
        (table / "segments").mkdir()
        (table / "segments" / "0001.zip").write_bytes(b"" if table == done else b"done")
        (table / "segments" / "mine.txt").write_bytes(b"")
    (begun / "outcome.json").unlink()
    dead = dead_owner()
    (done / f".lightly-partial-{dead}-1").write_bytes(b"half")
    (done / ".lightly-partial-elsewhere.1.1-1").write_bytes(b"half")
    age(folder, 2)
    clean(dataset, delete=True)
    assert {p.name for p in done.iterdir()} == {
        "outcome.json",
        "frames.parquet",
        "embeddings.npy",
        "images.json",
        "segments",
    } - ({"images.json"} - {p.name for p in done.iterdir()})
    assert [p.name for p in (done / "segments").iterdir()] == ["mine.txt"]
    # A run goes on with these.
    assert (begun / "segments" / "0001.zip").exists()
    assert (begun / "frames.parquet").exists()
    age(folder, 40)
    clean(dataset, delete=True)
    assert {p.name for p in begun.rglob("*")} - {"images.json"} == {
        "attempt.json",
        "segments",
        "mine.txt",
    }
    assert run(dataset, selection_config=N).n_decoded_videos == 1


def test_a_marker_that_is_newer_than_the_outcome_says_something(dataset: Dataset) -> None:
    table = folder_of(dataset) / table_folder(table_id(dataset), "a.mp4")
    times = (table / "outcome.json").stat().st_mtime + 60
    os.utime(table / "attempt.json", (times, times))
    clean(dataset, delete=True)
    assert (table / "attempt.json").exists()


def test_a_run_that_never_completed_is_given_up_after_a_month(dataset: Dataset) -> None:
    chosen = run(dataset, selection_config={"n_samples": 3}, run_id="killed")
    folder = folder_of(dataset) / ".lightly"
    (folder / "runs" / "killed" / "manifest.json").unlink()
    tags = [p for p in (folder / "tags").iterdir() if "killed" in p.read_text()]
    # Its tag names it, so it stays at any age.
    age(folder, 40)
    assert "killed_runs" not in clean(dataset).kinds
    for tag in tags:
        tag.unlink()
    age(folder, 40)
    (folder / "runs" / "killed" / "mine.txt").write_text("mine")
    named = {
        f["image"] for f in json.loads((folder / "runs/first/manifest.json").read_text())["images"]
    }
    own = {frame.image for frame in chosen.selected} - named
    result = clean(dataset, delete=True)
    assert result.kinds["killed_runs"].n_groups == 1
    assert [p.name for p in (folder / "runs" / "killed").iterdir()] == ["mine.txt"]
    # Its selection kept its images while it was there; now nothing does.
    assert own <= tree(dataset.lightly).keys()
    clean(dataset, delete=True)
    assert not own & tree(dataset.lightly).keys()
    assert all_true(dataset)


def test_reports_and_logs_of_old_runs_go_when_that_is_asked_for(dataset: Dataset) -> None:
    for run_id in ("second", "third"):
        run(dataset, selection_config=N, run_id=run_id)
    assert "old_runs" not in clean(dataset, **AT_ONCE).kinds
    runs = folder_of(dataset) / ".lightly" / "runs"
    found = clean(dataset, older_than_days=0, keep_runs=1)
    assert found.kinds["old_runs"].n_groups == 2
    assert clean(dataset, older_than_days=0, keep_runs=1, runs_older_than_days=1).n_files < 10
    clean(dataset, older_than_days=0, keep_runs=1, delete=True)
    kept = {"manifest.json", "embeddings.npy", "selection.json"}
    assert {p.name for p in (runs / "first").iterdir()} == kept
    assert (runs / "third" / "report.html").exists()
    page = (runs / "index.html").read_text()
    assert "./third/report.html" in page
    assert "./first/report.html" not in page
    assert all_true(dataset)
    pool = run(dataset, {"use_datapool": True}, selection_config=N)
    assert pool.n_selected == 4
    with pytest.raises(InvalidConfigurationError, match="keep_runs -1"):
        clean(dataset, keep_runs=-1)


class Waiting(SilentListener):
    """Holds a run between its steps."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def processed(self, *_: object) -> None:
        self.reached.set()
        self.go.wait(60)


def test_nothing_is_removed_while_a_run_is_on(dataset: Dataset) -> None:
    put_images(dataset)
    before = tree(dataset.lightly)
    waiting = Waiting()
    config = resolve_config(dataset, selection_config=N)
    from lightly_pipeline.pipeline import run_steps

    thread = threading.Thread(target=lambda: run_steps(Run(dataset, config, "busy"), waiting))
    thread.start()
    try:
        assert waiting.reached.wait(60)
        with pytest.raises(RunInProgressError, match="run busy is in progress"):
            clean(dataset, delete=True, **AT_ONCE)
        assert clean(dataset, **AT_ONCE).in_progress == ("busy",)
        assert before.items() <= tree(dataset.lightly).items()
    finally:
        waiting.go.set()
        thread.join()
    assert all_true(dataset)
    assert clean(dataset, delete=True, **AT_ONCE).n_files
    assert all_true(dataset)


def test_a_run_waits_for_the_end_of_a_clean_up(dataset: Dataset) -> None:
    begun = threading.Event()

    def begin() -> None:
        with in_progress(dataset.lightly, "late"):
            begun.set()

    with alone(dataset.lightly):
        thread = threading.Thread(target=begin)
        thread.start()
        assert not begun.wait(0.3)
    thread.join(30)
    assert begun.is_set()
    assert runs_in_progress(dataset.lightly) == []


def test_a_run_that_was_killed_holds_nobody_up(dataset: Dataset) -> None:
    program = (
        "import os, signal\n"
        "from lightly_pipeline.datasources import LocalDatasource\n"
        "from lightly_pipeline.runs.marks import alone, in_progress\n"
        f"store = LocalDatasource({str(folder_of(dataset))!r})\n"
        "with in_progress(store, 'a'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for code in (program, program.replace("in_progress(store, 'a')", "alone(store)")):
        killed = subprocess.run([sys.executable, "-c", code], check=False)
        assert killed.returncode == -signal.SIGKILL
    assert runs_in_progress(dataset.lightly) == []
    clean(dataset, delete=True)
    run(dataset, selection_config=N)


def test_a_run_of_another_machine_counts_for_as_long_as_it_is_heard_of(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = ".lightly/marks/runs/far"
    dataset.lightly.write(mark, json.dumps({"owner": "elsewhere.1.1", "beat": 0}).encode())
    # A clock that is ahead makes nobody silent.
    with monkeypatch.context() as ahead:
        now = time.time
        ahead.setattr("time.time", lambda: now() + 10_000)
        store = dataset.lightly
        ahead.setattr(LocalDatasource, "stat", lambda _, path: StoredObject(path, 1, "", now()))
        with pytest.raises(RunInProgressError, match="run far is in progress"):
            clean_store(store, delete=True)
    then = time.time() - 3600
    os.utime(folder_of(dataset) / mark, (then, then))
    assert clean(dataset, delete=True).in_progress == ()


def test_another_place_in_inputs_stead_removes_nothing(dataset: Dataset, tmp_path: Path) -> None:
    before = tree(dataset.lightly)
    (tmp_path / "not mounted").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.mp4").write_bytes(b"")
    for place in ("not mounted", "other"):
        wrong = replace(dataset, input=LocalDatasource(tmp_path / place))
        with pytest.raises(InvalidConfigurationError, match="is it the INPUT of this dataset"):
            clean(wrong, delete=True, **AT_ONCE)
    assert tree(dataset.lightly) == before


def test_input_and_lightly_in_one_place(prepared_folder: Path) -> None:
    place = prepared_folder / "in"
    shutil.move(prepared_folder / "out" / ".lightly", place / ".lightly")
    dataset = Dataset("one", input=LocalDatasource(place), lightly=LocalDatasource(place))
    run(dataset, selection_config=N)
    (place / "a.mp4").unlink()
    (place / "mine-07-mp4.png").write_bytes(b"")
    age(place / ".lightly", 40)
    before = tree(dataset.lightly)
    assert clean(dataset, delete=True, **AT_ONCE).kinds["gone_videos"].n_groups == 1
    outside = {path: etag for path, etag in before.items() if not path.startswith(".lightly/")}
    left = tree(dataset.lightly)
    assert {p: e for p, e in left.items() if not p.startswith(".lightly/")} == outside
    assert all_true(dataset)


WORDS = """a a-07-mp4.png outcome.json frames.parquet attempt.json report.html tables frames runs
first hsv-0123456789abcdef ab segments 0001.zip objects .hidden ü embeddings.npy catalog.json clean
manifest.json thumbnails crops"""
NAMES = st.sampled_from([*WORDS.split(), "ab" * 32])
FOREIGN = st.lists(st.lists(NAMES, min_size=1, max_size=5).map("/".join), max_size=12)


@settings(max_examples=25)
@given(foreign=FOREIGN, deep=FOREIGN, in_lightly=FOREIGN)
def test_foreign_files_stay_wherever_they_are(
    foreign: list[str],
    deep: list[str],
    in_lightly: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("foreign")
    store = LocalDatasource(root / "mine" / "lightly")
    others = [f"../{path}" for path in foreign] + deep
    others += [f".lightly/{path}" for path in in_lightly]
    ours = table_folder("hsv-" + "0" * 16, "a.mp4") + "/outcome.json"
    store.write(ours, b"{}")
    store.write(table_folder("hsv-" + "0" * 16, "there.mp4") + "/outcome.json", b"{}")
    written = []
    (root / "mine" / "lightly" / ".lightly" / "marks" / "clean").mkdir(parents=True)
    for path in others:
        place = root / "mine" / "lightly" / path
        # Such a path may be that of a file of ours by chance.
        is_ours = re.search(r"\.lightly/(runs/[^/]+/|tables/[^/]+-\w{16}/|marks/)", path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"mine")
        except OSError:
            continue
        written += [] if is_ours else [place]
    source = LocalDatasource(root / "in")
    (root / "in").mkdir()
    (root / "in" / "there.mp4").write_bytes(b"")
    age(root, 100)
    result = clean_store(
        store, source=source, delete=True, retention=Retention(0, 0, 0), on_file=lambda _: None
    )
    assert result.kinds["gone_videos"].n_groups >= 1
    assert not store.stat(ours)
    assert all(place.read_bytes() == b"mine" for place in written if place.is_file())
    assert all(place.exists() for place in written)


def bucket(url: str, prefix: str) -> Datasource:
    make_bucket(url, "cleaned")
    return store_at(url, f"s3://cleaned/{prefix}/")


def upload(folder: Path, store: Datasource) -> None:
    for item in LocalDatasource(folder).list():
        store.write(item.path, (folder / item.path).read_bytes())


def test_in_a_bucket_the_same_goes_and_other_prefixes_stay(dataset: Dataset, endpoint: str) -> None:
    put_images(dataset)
    (folder_of(dataset).parent / "in" / "a.mp4").unlink()
    local = tree(dataset.lightly)
    store, beside = bucket(endpoint, "data"), bucket(endpoint, "data-2")
    for place in (store, beside):
        upload(folder_of(dataset), place)
    expected = clean(dataset, delete=True, **AT_ONCE)
    result = clean(replace(dataset, lightly=store), delete=True, **AT_ONCE)
    assert result.kinds["gone_videos"].n_files == expected.kinds["gone_videos"].n_files
    assert result.kinds["unnamed_images"].n_files == expected.kinds["unnamed_images"].n_files
    left = tree(dataset.lightly)
    there = tree(store)
    # Uploading took the times away by which markers of attempts are told to be old.
    assert {p: v for p, v in there.items() if "attempt.json" not in p} == left
    assert tree(beside) == local
    assert all(check.is_true for check in verify_runs(store))


def test_who_may_not_delete_is_told_so(
    dataset: Dataset,
    endpoint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_images(dataset)
    with faulty(endpoint) as proxy:
        store = bucket(proxy.url, "locked")
        upload(folder_of(dataset), bucket(endpoint, "locked"))
        before = tree(store)
        for match in ("POST .*delete", "DELETE "):
            proxy.add(Fault("status", match, times=99, status=403, code="AccessDenied"))
        with pytest.raises(PermissionDeniedError, match="allow s3:DeleteObject on LIGHTLY"):
            clean(replace(dataset, lightly=store), delete=True, **AT_ONCE)
        assert tree(store) == before
        # A run is not kept waiting by the mark that could not be removed.
        with in_progress(store, "next"):
            pass
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test:admin")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "adminsecret")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
        command = ["clean", "--lightly", "s3://cleaned/locked/", "--older-than", "0"]
        assert main([*command, "--delete"]) == 1
        assert "s3:DeleteObject" in capsys.readouterr().err
        assert main(command) == 0


def test_a_table_whose_outcome_cannot_be_removed_stays_whole(dataset: Dataset) -> None:
    (folder_of(dataset).parent / "in" / "a.mp4").unlink()
    gone = table_folder(table_id(dataset), "a.mp4")

    class Locked(LocalDatasource):
        def delete_many(self, paths):  # type: ignore[no-untyped-def]
            locked = {
                p: PermissionDeniedError("a lock") for p in paths if p.endswith("outcome.json")
            }
            return {**super().delete_many([p for p in paths if p not in locked]), **locked}

    before = tree(dataset.lightly)
    result = clean(replace(dataset, lightly=Locked(folder_of(dataset))), delete=True)
    assert result.n_failed == len(result.failed) > 1
    assert "a lock" in result.failed[f"{gone}/outcome.json"]
    left = tree(dataset.lightly)
    assert {p for p in before if p.startswith(gone)} <= left.keys()


def test_the_command_line_says_what_and_changes_nothing_unless_told(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    files = put_images(dataset)
    before = tree(dataset.lightly)
    lightly, source = str(folder_of(dataset)), str(folder_of(dataset).parent / "in")
    command = ["clean", "--lightly", lightly, "--older-than", "0"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "images that no manifest names" in out
    assert "INPUT is not given" in out
    assert "run again with --delete" in out
    assert main([*command, "--list"]) == 0
    out = capsys.readouterr().out
    assert all(f"unnamed_images  {p}\n" in out for p, is_removed in files.items() if is_removed)
    assert tree(dataset.lightly) == before
    assert main([*command, "--input", source, "--json", "--delete"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["is_deleted"]
    assert result["kinds"]["unnamed_images"]["n_files"] == sum(files.values())
    assert main([*command, "--older-than", "-1"]) == 2
    assert "older_than_days -1" in capsys.readouterr().err
