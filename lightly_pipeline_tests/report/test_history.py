"""The page of a dataset: its runs, what two of them chose, and writers that meet."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline.datasources import LocalDatasource
from lightly_pipeline.layout import RUNS_PAGE, run_path
from lightly_pipeline.report.history import write_history
from lightly_pipeline_tests.support.browser import NARROW, Browser, chromium, needs_browser


@pytest.fixture
def store(tmp_path: Path) -> LocalDatasource:
    return LocalDatasource(tmp_path)


def complete_run(
    store: LocalDatasource, run_id: str, minute: int, frames: dict[str, list[int]], **other: Any
) -> None:
    """Stores the manifest of a run as an upload does."""
    images = [{"video": v, "frame_index": i} for v, indices in frames.items() for i in indices]
    manifest = {
        "dataset": "street",
        "created": f"2026-03-14T09:{minute:02}:00+00:00",
        "config": {"selection_config": {"n_samples": len(images), "strategies": []}},
        "n_input_videos": 6,
        "n_input_frames": 1500,
        "n_selected": len(images),
        "corrupt_videos": {"broken.mp4": "no moov"},
        "failed_videos": {},
        "summary": {"n_candidates": 1400, "coverage_radius": 0.29},
        "images": images,
        **other,
    }
    store.write(run_path(run_id, "manifest.json"), json.dumps(manifest).encode())


def listed(store: LocalDatasource) -> list[dict[str, Any]]:
    """Returns what the page has of runs."""
    page = store.read(RUNS_PAGE).decode()
    start = page.index('id="data">') + len('id="data">')
    found: list[dict[str, Any]] = json.loads(page[start : page.index("</script>", start)])["runs"]
    return found


def test_the_newest_run_comes_first_with_its_figures(store: LocalDatasource) -> None:
    complete_run(store, "aaaa", 1, {"a.mp4": [1, 2]})
    complete_run(store, "bbbb", 2, {"a.mp4": [2], "b.mp4": [7, 8]})
    store.write(run_path("bbbb", "report.html"), b"<html>")
    store.write(run_path("cccc", "log.txt"), b"a run that has not ended")
    write_history(store)
    newest, oldest = listed(store)
    assert (newest["run"], oldest["run"]) == ("bbbb", "aaaa")
    assert (newest["n_selected"], newest["n_candidates"], newest["n_corrupt"]) == (3, 1400, 1)
    assert newest["frames"] == {"a.mp4": [2], "b.mp4": [7, 8]}
    assert (newest["report"], oldest["report"]) == ("./bbbb/report.html", None)


def test_only_what_is_new_is_read(store: LocalDatasource) -> None:
    complete_run(store, "aaaa", 1, {"a.mp4": [1]})
    write_history(store)
    reads: list[str] = []

    class Watched(LocalDatasource):
        def read(self, path: str) -> bytes:
            reads.append(path)
            return super().read(path)

    complete_run(store, "bbbb", 2, {"a.mp4": [2]})
    write_history(Watched(store.root))
    assert [path for path in reads if "manifest" in path] == [run_path("bbbb", "manifest.json")]
    assert len(listed(store)) == 2


def test_what_was_kept_is_made_again_when_it_cannot_be_read(store: LocalDatasource) -> None:
    complete_run(store, "aaaa", 1, {"a.mp4": [1]})
    write_history(store)
    for damaged in (b"", b"[]", b'{"version": 99}', b'{"version": 1, "runs": [3]}'):
        store.write(".lightly/runs/index.json", damaged)
        write_history(store)
        assert [run["run"] for run in listed(store)] == ["aaaa"]


def test_a_manifest_that_cannot_be_read_is_listed_as_such(store: LocalDatasource) -> None:
    complete_run(store, "aaaa", 1, {"a.mp4": [1]})
    store.write(run_path("bbbb", "manifest.json"), b"{cut")
    write_history(store)
    assert {run["run"]: run["problem"] for run in listed(store)} == {
        "aaaa": None,
        "bbbb": "manifest unreadable",
    }


def test_runs_that_end_together_are_all_on_the_page(store: LocalDatasource) -> None:
    barrier = threading.Barrier(4)

    def end(number: int) -> None:
        barrier.wait()
        complete_run(store, f"run{number}", number, {"a.mp4": [number]})
        write_history(store)

    threads = [threading.Thread(target=end, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listed(store)) == 4


def test_an_earlier_look_does_not_hide_a_run_that_ended_meanwhile(store: LocalDatasource) -> None:
    complete_run(store, "aaaa", 1, {"a.mp4": [1]})
    others = iter(["bbbb"])

    class Slow(LocalDatasource):
        def write(self, path: str, data: bytes, **conditions: Any) -> Any:
            if path == RUNS_PAGE and (other := next(others, None)):
                complete_run(store, other, 2, {"a.mp4": [2]})
                write_history(store)
            return super().write(path, data, **conditions)

    write_history(Slow(store.root))
    assert [run["run"] for run in listed(store)] == ["bbbb", "aaaa"]


def test_hundreds_of_runs_have_a_page_that_can_be_sent(store: LocalDatasource) -> None:
    videos = [f"day {i}/camera-{i:03}.mp4" for i in range(100)]
    for number in range(300):
        frames = {video: [number + 7 * i for i in range(5)] for video in videos}
        complete_run(store, f"run{number:04}", number % 60, frames)
    write_history(store)
    runs = listed(store)
    assert len(runs) == 300
    assert sum(run["frames"] is not None for run in runs) == 100
    stat = store.stat(RUNS_PAGE)
    assert stat is not None
    assert stat.size_bytes < 2_000_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@needs_browser
@pytest.mark.integration
def test_two_runs_are_compared(store: LocalDatasource, browser: Browser, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=alert(1)>\udcff.mp4"
    complete_run(store, "aaaa1111", 1, {"a.mp4": [1, 2, 3], hostile: [5]})
    complete_run(store, "bbbb2222", 2, {"a.mp4": [2, 3, 4, 5]})
    complete_run(store, "cccc3333", 3, {"c.mp4": [9]}, dataset=hostile)
    write_history(store)
    page = tmp_path / RUNS_PAGE
    browser.open(page)

    def parts() -> list[str]:
        found: list[str] = browser.run(
            "return ['onlyA', 'both', 'onlyB'].map((p) => $(`[data-part=${p}] dd`).textContent)"
        )
        return found

    assert parts() == ["4", "0", "1"]
    browser.run("$('input[aria-label*=\"aaaa1111\"][name=a]').click()")
    browser.run("$('input[aria-label*=\"bbbb2222\"][name=b]').click()")
    assert parts() == ["2", "2", "2"]
    assert "a.mp4" in browser.find("#compared").text
    assert browser.faint_texts() == []
    browser.open(page, width=NARROW, dark=True)
    assert browser.run("return document.documentElement.scrollWidth") == NARROW
    assert browser.faint_texts() == []
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
