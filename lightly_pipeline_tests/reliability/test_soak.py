"""The soak in small, in the suite: a few videos, the same faults and kills, the same checks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lightly_pipeline_tests.support.dagster_server import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.integration]


def test_nothing_is_lost_when_everything_happens_at_once(tmp_path: Path) -> None:
    if not (ROOT / "workspace.yaml").exists():
        pytest.skip("not in a checkout")
    small = ["--videos", "20", "--minutes", "0.5", "--tick", "5", "--store", "moto"]
    module = "lightly_pipeline_tests.reliability.soak"
    command = [sys.executable, "-m", module, *small, "--out", str(tmp_path / "soak")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    summary = json.loads((tmp_path / "soak" / "summary.json").read_text())
    assert {"run worker killed", "daemon killed"} <= {words for _, words in summary["marks"]}
    assert sum(summary["injected"].values())
    assert (tmp_path / "soak" / "soak.png").stat().st_size
