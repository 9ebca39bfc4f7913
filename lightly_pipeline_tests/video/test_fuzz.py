"""A fixed part of `make fuzz`: two hundred mutated files are handled, within bounds."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_mutated_files_neither_crash_nor_hang_nor_grow() -> None:
    command = [sys.executable, "-m", "lightly_pipeline_tests.video.fuzz", "--files=200", "--json"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["failures"] == {}
    assert sum(result["outcomes"].values()) == 200
    assert result["outcomes"]["damaged frames"] > 40
    assert result["worst_rss_mib"] < 300
