"""What the README shows is what works: its Python is run as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lightly_pipeline_tests.support.videos import RECIPES, make_video

README = Path(__file__).resolve().parents[1] / "README.md"
BY_NAME = {recipe.name: recipe for recipe in RECIPES}


def test_the_python_in_the_readme_runs_on_a_fresh_instance(tmp_path: Path) -> None:
    if not README.exists():
        pytest.skip("not in a checkout")
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(tmp_path / "in", BY_NAME["mpeg2.mpg"], "sub dir/b,c.mpg", seed=2)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    code = "\n".join(block for block in blocks if "lightly_pipeline.api" not in block)
    code = code.replace("/path/to/videos", str(tmp_path / "in"))
    code = code.replace("/path/to/results", str(tmp_path / "out"))
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert len(printed) == 50
    assert all(" .lightly/frames/" in line for line in printed)
    manifests = sorted((tmp_path / "out").glob(".lightly/runs/*/manifest.json"))
    assert len(manifests) == 2
