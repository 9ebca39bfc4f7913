"""The model that a run trained, through the client; a worker executes the runs."""

from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
import torch

from lightly_pipeline.api import ApiWorkflowClient
from lightly_pipeline.cli import main
from lightly_pipeline.scheduling.errors import ArtifactNotExist
from lightly_pipeline_tests.support.training import SMALL, TRAIN, N

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("encoders_folder")
def test_a_checkpoint_is_downloaded_and_reused(client: ApiWorkflowClient, tmp_path: Path) -> None:
    trains = client.schedule_compute_worker_run(TRAIN, SMALL, N)
    again = client.schedule_compute_worker_run(TRAIN, SMALL, N)
    other = {"trainer": {"gpus": 0}}
    reuses = client.schedule_compute_worker_run({"checkpoint_run_id": trains}, other, N)
    plain = client.schedule_compute_worker_run(selection_config=N)
    for _ in range(4):
        assert main(["worker", "--once"]) == 0
    runs = {id_: client.get_compute_worker_run_from_scheduled_run(id_) for id_ in (trains, again)}
    contents = []
    for run in runs.values():
        file = tmp_path / f"{run.id}.ckpt"
        client.download_compute_worker_run_checkpoint(run, str(file))
        contents.append(file.read_bytes())
        url = client.get_compute_worker_run_checkpoint_url(run)
        assert Path(url2pathname(urlparse(url).path)).read_bytes() == contents[0]
        said = torch.load(file, weights_only=True)["hyper_parameters"]
        assert said["name"] == "resnet-9"
    assert contents[0] == contents[1]
    names = {
        id_: client.get_filenames_in_tag(client.get_compute_worker_run_tags(id_)[0])
        for id_ in (trains, reuses)
    }
    assert names[trains] == names[reuses]
    without = client.get_compute_worker_run_from_scheduled_run(plain)
    with pytest.raises(ArtifactNotExist, match="no artifact of type CHECKPOINT"):
        client.get_compute_worker_run_checkpoint_url(without)
