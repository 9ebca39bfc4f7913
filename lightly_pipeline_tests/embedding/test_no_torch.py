"""Every way in runs the encoders that ship without torch, and local folders without boto3."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightly_pipeline_tests.support.videos import RECIPES, make_video

_SAY = "import sys; print('loaded', [m for m in ('torch', 'boto3') if m in sys.modules])"
_PYTHON = """
from lightly_pipeline import Dataset, LocalDatasource, run
dataset = Dataset("x", input=LocalDatasource("in"), lightly=LocalDatasource("out"))
assert run(dataset, selection_config={"n_samples": 4}).n_selected == 4
"""
_DEFAULT_2 = _PYTHON.replace(
    '"n_samples": 4}', '"n_samples": 4}, lightly_config={"model": {"name": "default-2"}}'
)
_COMMAND = """
from lightly_pipeline.cli import main
assert main(["run", "--input", "in", "--lightly", "out", "--n-samples", "4"]) == 0
"""
_CHUNK_RUN = """
import dagster as dg
import lightly_pipeline.definitions as location
with dg.DagsterInstance.ephemeral() as instance:
    def run(job, **tags):
        job = location.defs.resolve_job_def(job)
        assert job.execute_in_process(instance=instance, tags=tags).success
    run("bench_catalog_job")
    (key,) = instance.get_dynamic_partitions("bench_videos")
    ends = ("start", "end")
    run("bench_videos_job", **{f"dagster/asset_partition_range_{end}": key for end in ends})
    run("bench_selection_job")
"""
_WORKER = """
from lightly_pipeline.api import ApiWorkflowClient, DatasetType, DatasourcePurpose
client = ApiWorkflowClient()
client.create_dataset("bench", DatasetType.VIDEOS)
client.set_local_config("in", purpose=DatasourcePurpose.INPUT)
client.set_local_config("out", purpose=DatasourcePurpose.LIGHTLY)
run = client.schedule_compute_worker_run(selection_config={"n_samples": 4})
from lightly_pipeline.cli import main
assert main(["worker", "--once"]) == 0
"""
_NETWORK = """
import torch
import torchvision.models
from lightly_pipeline.embedding import encoder_spec, load_encoder, without_threads
torch.save(torchvision.models.resnet18(weights=None).state_dict(), "weights.pt")
spec = encoder_spec("resnet-18", checkpoint="weights.pt")
torch.set_num_threads(2)
with without_threads(spec):
    assert torch.get_num_threads() == 1
assert torch.get_num_threads() == 2
"""


@pytest.mark.parametrize(
    "code",
    [_PYTHON, _DEFAULT_2, _COMMAND, _CHUNK_RUN, _WORKER],
    ids=["python", "default-2", "command line", "chunk run", "worker"],
)
def test_the_default_path_loads_no_torch(code: str, tmp_path: Path) -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.name == "h264.mp4")
    make_video(tmp_path / "in", recipe, "a.mp4")
    (tmp_path / "out").mkdir()
    assert loaded(code, tmp_path) == "loaded []"
    assert list((tmp_path / "out" / ".lightly" / "frames").iterdir())


def test_a_network_starts_no_threads_of_its_own(tmp_path: Path) -> None:
    assert loaded(_NETWORK, tmp_path) == "loaded ['torch']"


def loaded(code: str, folder: Path) -> str:
    """Runs code in a process of its own; returns what it has loaded of the heavy packages."""
    (folder / "datasets.yaml").write_text("datasets: {bench: {input: in, lightly: out}}\n")
    environment = {
        **os.environ,
        "LIGHTLY_PIPELINE_HOME": str(folder / "home"),
        "LIGHTLY_PIPELINE_DATASETS": str(folder / "datasets.yaml"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code + _SAY],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]
