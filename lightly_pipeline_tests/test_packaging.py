"""The wheel works in an empty environment outside the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.integration
def test_the_wheel_works_where_the_checkout_is_not(tmp_path: Path) -> None:
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not in a checkout")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    environment = tmp_path / "env"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True)
    # The dependencies are those of the tests' own environment, less the editable install.
    site = Path(sysconfig.get_path("purelib"))
    borrowed = tmp_path / "borrowed"
    borrowed.mkdir()
    for item in site.iterdir():
        if "lightly_pipeline" not in item.name and item.suffix != ".pth":
            (borrowed / item.name).symlink_to(item)
    (own_site,) = environment.glob("lib/python*/site-packages")
    (own_site / "borrowed.pth").write_text(f"{borrowed}\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    code = (
        "import lightly_pipeline, sys\n"
        "from lightly_pipeline.embedding import encoder_spec, load_encoder\n"
        "import numpy as np\n"
        "from lightly_pipeline.report.history import history_page\n"
        "assert '<script type=\"module\">' in history_page([])\n"
        "from importlib.resources import files\n"
        "assets = files('lightly_pipeline.report.html') / 'assets'\n"
        "assert (assets / 'plotly-basic.min.js').is_file()\n"
        "assert (assets / 'plotly.LICENSE.txt').is_file()\n"
        "print(load_encoder(encoder_spec()).encode(np.zeros((1, 64, 64, 3), np.uint8)).shape)\n"
        "print(lightly_pipeline.__file__)"
    )
    done = subprocess.run(
        [str(python), "-c", code], cwd=tmp_path, env=clean, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "(1, 128)" in done.stdout
    assert str(environment) in done.stdout
    script = environment / "bin" / "lightly-pipeline"
    helped = subprocess.run([str(script), "--help"], cwd=tmp_path, env=clean, capture_output=True)
    assert helped.returncode == 0
    told = subprocess.run(
        [str(script), "--version"], cwd=tmp_path, env=clean, capture_output=True, text=True
    )
    assert told.stdout.strip() == wheel.name.split("-")[1]
    assert is_registered(python, clean, tmp_path)


def is_registered(python: Path, environment: dict[str, str], folder: Path) -> bool:
    """Whether Dagster finds the component of the wheel, and runs find who reports them."""
    code = (
        "from dagster_dg_cli.cli import main\n"
        "from lightly_pipeline.defs.instance import InstanceListener\n"
        "from lightly_pipeline.scheduling.listeners import GROUP\n"
        "from importlib.metadata import entry_points\n"
        "(entry,) = entry_points(group=GROUP)\n"
        "assert isinstance(entry.load()(), InstanceListener)\n"
        "import sys; sys.argv = ['dg', 'list', 'components', '--json']\n"
        "main()"
    )
    done = subprocess.run(
        [str(python), "-c", code],
        cwd=folder,
        env={**environment, "DAGSTER_HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return '"lightly_pipeline.VideoDataset"' in done.stdout
