"""The files that a run leaves in `.lightly/runs/<id>/`, under the original's types."""

from pathlib import Path

from lightly_pipeline.api.models import DockerRunArtifactData
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.layout import CHECKPOINT_FILE, MODEL_FILE, run_path
from lightly_pipeline.scheduling.errors import ArtifactNotExist
from lightly_pipeline.training.models import model_of_run

_TYPES = {
    "log.txt": "LOG",
    "memlog.txt": "MEMLOG",
    CHECKPOINT_FILE: "CHECKPOINT",
    MODEL_FILE: "MODEL",
    "report.pdf": "REPORT_PDF",
    "report.json": "REPORT_JSON",
    "report_v2.json": "REPORT_V2_JSON",
    "corruptness_check_information.json": "CORRUPTNESS_CHECK_INFORMATION",
    "sequence_information.json": "SEQUENCE_INFORMATION",
    "relevant_filenames.txt": "RELEVANT_FILENAMES",
    "report.html": "REPORT_HTML",
    "manifest.json": "MANIFEST",
    "selection.json": "SELECTION",
    "embeddings.npy": "EMBEDDINGS",
}


def artifacts_of(store: Datasource, run_id: str) -> tuple[DockerRunArtifactData, ...]:
    """Returns the files directly in a run's folder, and the model that it used of another run."""
    folder = run_path(run_id, "")
    names = [item.path.removeprefix(folder) for item in store.list(folder)]
    found = [
        DockerRunArtifactData(folder + name, _TYPES.get(name, "OTHER"), name)
        for name in names
        if name and "/" not in name
    ]
    if MODEL_FILE in names and CHECKPOINT_FILE not in names:
        model = model_of_run(store, run_id)
        if model is not None and store.stat(model.checkpoint) is not None:
            found.append(DockerRunArtifactData(model.checkpoint, "CHECKPOINT", CHECKPOINT_FILE))
    return tuple(found)


def artifact_of_type(store: Datasource, run_id: str, kind: str) -> DockerRunArtifactData:
    """Returns a run's file of one type.

    Raises:
        ArtifactNotExist: It has none, or not yet.
    """
    found = artifacts_of(store, run_id)
    for artifact in found:
        if artifact.type == kind:
            return artifact
    there = ", ".join(artifact.type for artifact in found) or "none"
    raise ArtifactNotExist(f"run {run_id} has no artifact of type {kind}; it has: {there}")


def save(store: Datasource, artifact: DockerRunArtifactData, path: Path) -> None:
    """Writes an artifact to a local file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(store.read(artifact.id))
