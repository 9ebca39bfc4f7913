"""What the README and the pages show is what works: code is run, configuration is checked."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lightly_pipeline import VideoDataset
from lightly_pipeline.config import RunConfig
from lightly_pipeline.datasets import load_datasets
from lightly_pipeline_tests.support.pictures import put_images
from lightly_pipeline_tests.support.videos import RECIPES, make_video

ROOT = Path(__file__).resolve().parents[1]
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="not in a checkout"),
]


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    pattern = rf"^```{language}\b[^\n]*\n(.*?)^```"
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def runnable(page: Path) -> str:
    """The Python of a page as one script, less what needs a bucket of one's own."""
    return "\n".join(b for b in blocks(page, "python") if 'resource_path="s3://' not in b)


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


WITH_CODE = [page for page in PAGES if runnable(page)]
WITH_YAML = [page for page in PAGES if blocks(page, "yaml")]


@pytest.mark.parametrize("page", WITH_CODE, ids=names(WITH_CODE))
def test_the_python_of_a_page_runs_on_a_fresh_instance(page: Path, tmp_path: Path) -> None:
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(tmp_path / "in", BY_NAME["mpeg2.mpg"], "sub dir/b,c.mpg", seed=2)
    code = runnable(page)
    code = code.replace("/path/to/videos", str(tmp_path / "in"))
    put_images(tmp_path / "images", 60)
    code = code.replace("/path/to/images", str(tmp_path / "images"))
    code = code.replace("/path/to/results", str(tmp_path / "out"))
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr
    if page.name == "README.md":
        printed = done.stdout.splitlines()
        assert len(printed) == 50
        assert all(" .lightly/frames/" in line for line in printed)


@pytest.mark.parametrize("page", WITH_YAML, ids=names(WITH_YAML))
def test_the_configuration_of_a_page_is_accepted(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "yaml"):
        document = yaml.safe_load(text)
        if "datasets" in document:
            (tmp_path / "datasets.yaml").write_text(text)
            for dataset in load_datasets(tmp_path / "datasets.yaml"):
                RunConfig.from_blocks(dataset.worker_config, None, dataset.selection_config)
        elif "attributes" in document or "post_processing" in document:
            assert set(document.get("attributes", {})) <= set(VideoDataset.model_fields)
        else:
            RunConfig.from_blocks(**document).check_supported()


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8"))
    there = [f"/{file.relative_to(ROOT)}" for file in ROOT.glob("[!.]*/**/*.py")]
    assert [name for name in named if not any(f.endswith(f"/{name}") for f in there)] == []


def test_the_generated_parts_of_the_pages_are_what_the_code_says() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
