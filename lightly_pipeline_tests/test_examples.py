"""The examples do what they show: the project as a whole, the notebook cell by cell."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
CHOSEN = dg.AssetKey(["street", "uploaded_frames"])

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not EXAMPLES.exists(), reason="not in a checkout"),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the example project that can be imported."""
    copy = tmp_path / "labelling"
    shutil.copytree(EXAMPLES / "labelling", copy, ignore=shutil.ignore_patterns("data", ".venv"))
    monkeypatch.syspath_prepend(str(copy / "src"))
    yield copy
    for name in [name for name in sys.modules if name.split(".")[0] == "labelling"]:
        del sys.modules[name]


def test_the_project_goes_from_recordings_to_labels(project: Path) -> None:
    definitions = dg.load_from_defs_folder(path_within_project=project)
    assets = {key.to_user_string() for key in definitions.resolve_all_asset_keys()}
    assert {"recordings", "labels", "street/video_catalog", "street/uploaded_frames"} <= assets
    graph = definitions.resolve_asset_graph()
    assert graph.get(dg.AssetKey(["street", "video_catalog"])).parent_keys == {
        dg.AssetKey("recordings")
    }
    repository = definitions.get_repository_def()
    assert {"street_nightly", "street_hourly_listing"} == {s.name for s in repository.schedule_defs}
    assert "street_new_videos" in {sensor.name for sensor in repository.sensor_defs}

    with dg.DagsterInstance.ephemeral() as instance:

        def materialize(name: str) -> None:
            whole = definitions.resolve_implicit_global_asset_job_def()
            job = whole.get_subset(asset_selection={dg.AssetKey(name)})
            assert job.execute_in_process(instance=instance).success

        materialize("recordings")
        job = definitions.resolve_job_def("street_run_job")
        # As the launchpad and the schedule do: what the job shows, and the dataset's own 20 frames.
        assert job.execute_in_process(instance=instance).success
        materialize("labels")
        labels = json.loads((project / "data" / "labels.json").read_text())
        assert len(labels) == 20
        assert set(labels.values()) == {"dark", "bright"}
        event = instance.get_latest_materialization_event(CHOSEN)
        assert event is not None


def test_the_notebook_runs_from_a_folder_to_plots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(EXAMPLES.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(EXAMPLES / "first_selection.ipynb", as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(notebook, timeout=900, startup_timeout=900, resources=where)
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    printed = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
    assert printed.startswith("24 of 1525 frames\nleft out: street/broken.mp4")
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
