"""Which attempts at a video died, and which are only made by somebody else."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lightly_pipeline.datasources import LocalDatasource
from lightly_pipeline.owner import is_dead, this_host, this_process
from lightly_pipeline.tables import attempt
from lightly_pipeline.tables.attempt import Attempt, beating, begin_attempt, end_attempt

ELSEWHERE = "0123456789abcdef.7.5"
FOLDER = "t"
# When the tests were collected: beats are moved to the time of their test.
NOW = time.time()


@pytest.fixture
def store(tmp_path: Path) -> LocalDatasource:
    return LocalDatasource(tmp_path)


def marker(store: LocalDatasource) -> dict:
    return json.loads(store.read(f"{FOLDER}/attempt.json"))


def leave(store: LocalDatasource, left: Attempt) -> None:
    attempt._write(store, FOLDER, left)


def in_a_process(store: LocalDatasource, then: str) -> "subprocess.Popen[str]":
    code = (
        "import sys\n"
        "from lightly_pipeline.datasources import LocalDatasource\n"
        "from lightly_pipeline.tables.attempt import begin_attempt\n"
        f"begin_attempt(LocalDatasource(sys.argv[1]), {FOLDER!r}, 'f')\n"
        f"print('begun', flush=True)\n{then}\n"
    )
    arguments = [sys.executable, "-c", code, str(store.root)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def test_another_living_process_is_no_crash_and_a_killed_one_is_one_at_once(
    store: LocalDatasource,
) -> None:
    process = in_a_process(store, "input()")
    try:
        left = marker(store)["owner"]
        assert is_dead(left) is False
        assert not begin_attempt(store, FOLDER, "f").isolated
    finally:
        process.kill()
        process.wait()
    assert is_dead(left) is True
    # The living one, this process, has taken the marker over meanwhile.
    assert not begin_attempt(store, FOLDER, "f").isolated
    in_a_process(store, "import os; os.abort()").wait()
    assert begin_attempt(store, FOLDER, "f").isolated


def test_one_that_ended_alive_is_no_crash(store: LocalDatasource) -> None:
    begin_attempt(store, FOLDER, "f")
    end_attempt(store, FOLDER, "f", failure="the store was full")
    assert attempt.read_failure(store, FOLDER, "f") == "the store was full"
    assert not begin_attempt(store, FOLDER, "f").isolated


@pytest.mark.parametrize(
    ("left", "isolated"),
    [
        (Attempt("f", True, None, ELSEWHERE, NOW), False),
        (Attempt("f", True, None, ELSEWHERE, NOW - 3600), True),
        (Attempt("f", True, None, ELSEWHERE, NOW, is_second=True), True),
        (Attempt("f", True, None, f"{this_host()}.1.{2**60}", NOW), True),
        (Attempt("f", False, "full", ELSEWHERE, NOW - 3600), False),
        (Attempt("other", True, None, ELSEWHERE, 0.0), False),
        (Attempt("f", True), True),
    ],
    ids=[
        "beats elsewhere",
        "was silent elsewhere for long",
        "the second that nobody saw end",
        "another process has the number by now",
        "failed",
        "another version",
        "of an earlier release",
    ],
)
def test_what_a_marker_means(store: LocalDatasource, left: Attempt, isolated: bool) -> None:
    age_s = time.time() - NOW
    leave(store, replace(left, beat=left.beat + age_s))
    assert begin_attempt(store, FOLDER, "f").isolated is isolated


def test_two_restarts_elsewhere_are_enough(
    store: LocalDatasource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that is started again has a new name each time, and its beats are fresh."""
    isolated = []
    for number in range(3):
        monkeypatch.setattr(attempt, "this_process", lambda n=number: f"{n:016x}.1.{n}")
        isolated.append(begin_attempt(store, FOLDER, "f").isolated)
    assert isolated == [False, False, True]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b'{"running": true}'])
def test_a_damaged_marker_is_none(store: LocalDatasource, content: bytes) -> None:
    store.write(f"{FOLDER}/attempt.json", content)
    assert not begin_attempt(store, FOLDER, "f").isolated
    assert marker(store)["owner"] == this_process()


def test_a_long_attempt_beats(store: LocalDatasource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "BEAT_S", 0.01)
    begun = replace(begin_attempt(store, FOLDER, "f"), beat=0.0, is_second=True)
    leave(store, begun)
    with beating(store, FOLDER, begun):
        while not marker(store)["beat"]:
            time.sleep(0.01)
    assert marker(store)["is_second"] is True


def test_a_killed_run_of_segments_goes_on_until_one_segment_dies_twice(
    store: LocalDatasource,
) -> None:
    isolated = []
    for begun in ([0, 1], [2, 3], [3, 4]):
        attempt_now = begin_attempt(store, FOLDER, "f")
        isolated.append(attempt_now.isolated)
        leave(store, replace(attempt_now, segments=begun, owner=f"{this_host()}.1.{2**60}"))
    isolated.append(begin_attempt(store, FOLDER, "f").isolated)
    assert isolated == [False, False, False, True]


def test_the_marker_names_the_segments_that_are_being_decoded(store: LocalDatasource) -> None:
    with beating(store, FOLDER, begin_attempt(store, FOLDER, "f")) as live:
        with live.decoding(3), live.decoding(1):
            assert marker(store)["segments"] == [1, 3]
        live.beat()
        assert marker(store)["segments"] == []
