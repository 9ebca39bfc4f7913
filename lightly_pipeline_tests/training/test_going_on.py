"""Trainings that were killed, and what they need of the machine they run on."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from lightly_pipeline import run
from lightly_pipeline.errors import MissingExtraError
from lightly_pipeline.tables.attempt import Attempt
from lightly_pipeline.tables.fingerprint import video_fingerprint
from lightly_pipeline.training import models
from lightly_pipeline.training.models import model_of_run
from lightly_pipeline_tests.support.training import (
    SMALL,
    TRAIN,
    N,
    dataset_of,
    weights,
)

pytestmark = pytest.mark.slow
_RUN = """
import logging, sys
from pathlib import Path
from lightly_pipeline import run
from lightly_pipeline_tests.support.training import SMALL, TRAIN, N, dataset_of
logging.basicConfig(level=logging.INFO)
run(dataset_of(Path(sys.argv[1]), Path(sys.argv[2])), TRAIN, SMALL, N, run_id="killed")
"""
_WITHOUT_INTERNET = (
    """
import socket
connect = socket.socket.connect
def refuse(self, address):
    if self.family != socket.AF_UNIX:
        raise SystemExit(f"a connection was opened to {address}")
    return connect(self, address)
socket.socket.connect = refuse
"""
    + _RUN
)


def test_a_training_that_is_killed_ends_with_the_weights_of_one_that_is_not(
    videos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", _RUN, str(videos), str(out)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stderr is not None
        for line in child.stderr:
            # The second one is under way, or over.
            if "epoch 1 of 3" in line:
                break
        deadline = time.monotonic() + 60
        while not list(out.glob(".lightly/training/*/state.ckpt")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    assert not list(out.glob(".lightly/runs/killed/checkpoint.ckpt"))
    caplog.set_level("INFO")
    killed = dataset_of(videos, out)
    run(killed, TRAIN, SMALL, N, run_id="resumed")
    assert "going on after epoch" in caplog.text
    assert "epoch 1 of 3: loss" not in caplog.text
    whole = dataset_of(videos, tmp_path / "whole")
    run(whole, TRAIN, SMALL, N, run_id="whole")
    assert weights(killed, "resumed") == weights(whole, "whole")
    resumed, at_once = model_of_run(killed.lightly, "resumed"), model_of_run(whole.lightly, "whole")
    assert resumed is not None
    assert at_once is not None
    assert resumed.losses == at_once.losses


def test_a_video_that_may_have_killed_a_training_is_read_in_a_child_process(
    videos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = dataset_of(videos, tmp_path / "plain")
    run(plain, TRAIN, SMALL, N, run_id="plain")
    suspect = dataset_of(videos, tmp_path / "suspect")
    video = suspect.input.stat("1.mp4")
    assert video is not None
    digest = hashlib.sha256(b"1.mp4").hexdigest()
    left = Attempt(
        video_fingerprint(video, "training"), True, owner="elsewhere.1.1", beat=0, is_second=True
    )
    path = f".lightly/training/attempts/{digest[:2]}/{digest}/attempt.json"
    suspect.lightly.write(path, json.dumps(asdict(left)).encode())
    run(suspect, TRAIN, SMALL, N, run_id="careful")
    assert "1.mp4: an earlier attempt died; reading in a child process" in caplog.text
    assert weights(suspect, "careful") == weights(plain, "plain")


def test_a_state_that_is_damaged_or_of_other_videos_is_not_gone_on_from(
    tmp_path: Path, videos: Path
) -> None:
    store = dataset_of(videos, tmp_path).lightly
    models.keep_state(store, "options", "videos", b"state")
    assert models.read_state(store, "options", "videos") == b"state"
    assert models.read_state(store, "options", "others") is None
    path = ".lightly/training/options/state.ckpt"
    store.write(path, store.read(path)[:-1])
    assert models.read_state(store, "options", "videos") is None
    store.write(path, b"")
    assert models.read_state(store, "options", "videos") is None


def test_training_asks_nothing_of_the_internet(videos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WITHOUT_INTERNET, str(videos), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "epoch 3 of 3" in done.stderr


def test_without_the_extra_a_run_ends_before_anything_is_read(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightly", None)
    with pytest.raises(MissingExtraError, match=r"lightly-pipeline\[training\]"):
        run(dataset_of(videos, tmp_path / "out"), TRAIN, SMALL, N)
    assert not (tmp_path / "out" / ".lightly" / "training").exists()
    assert not (tmp_path / "out" / ".lightly" / "catalog.json").exists()
