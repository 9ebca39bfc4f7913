"""The log of a run holds what was logged for it, and nothing of another run's."""

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from lightly_pipeline import LocalDatasource
from lightly_pipeline.runs.log import RunLog
from lightly_pipeline.threads import ContextThreadPool

logger = logging.getLogger("lightly_pipeline.test")


def test_two_runs_of_one_process_keep_apart(tmp_path: Path) -> None:
    both = Barrier(2)

    def work(name: str) -> None:
        log = RunLog(LocalDatasource(tmp_path), name)
        with log.collecting():
            both.wait()
            logger.info("%s in its own thread", name)
            with ContextThreadPool(2) as pool:
                list(pool.map(lambda i: logger.info("%s in a pool: %s", name, i), range(3)))
            both.wait()
        log.write()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, ["one", "two"]))
    for name, other in (("one", "two"), ("two", "one")):
        lines = (tmp_path / ".lightly/runs" / name / "log.txt").read_text().splitlines()
        assert len(lines) == 4
        assert all(name in line and other not in line for line in lines)


def test_an_interrupted_run_says_so_and_not_what_python_calls_it(tmp_path: Path) -> None:
    log = RunLog(LocalDatasource(tmp_path), "r")
    with pytest.raises(KeyboardInterrupt), log.collecting():
        raise KeyboardInterrupt
    text = (tmp_path / ".lightly/runs/r/log.txt").read_text()
    assert "interrupted: run again to go on" in text
    assert "KeyboardInterrupt" not in text


def test_the_memory_of_a_run_and_of_its_children_is_kept(tmp_path: Path) -> None:
    log = RunLog(LocalDatasource(tmp_path), "r")
    with log.collecting():
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    log.write()
    child.communicate(b"\n")
    _, *rows = (tmp_path / ".lightly/runs/r/memlog.txt").read_text().splitlines()
    values = [row.split("\t") for row in rows]
    assert all(float(process) > 1 for _, _, process, _, _ in values)
    assert int(values[-1][-1]) >= 1
    assert float(values[-1][-2]) > 0
