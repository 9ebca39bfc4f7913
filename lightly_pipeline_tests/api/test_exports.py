"""What the client hands over of a dataset's frames, as a script for the original asks for it."""

import csv
import json
import os
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

from lightly_pipeline.api import (
    ApiWorkflowClient,
    ArtifactNotExist,
    DatasetType,
    DatasourcePurpose,
    InvalidConfigurationError,
)
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline_tests.support.selections import put

pytestmark = pytest.mark.slow


@pytest.fixture
def run_id(client: ApiWorkflowClient) -> str:
    run_id = client.schedule_compute_worker_run(selection_config={"n_samples": 6})
    assert client.wait_for_run(run_id, run_in_process=True).ended_successfully()
    return run_id


def path_of(url: str) -> Path:
    return Path(unquote(url.removeprefix("file://")))


def test_labelling_tools_get_names_and_urls(client: ApiWorkflowClient, run_id: str) -> None:
    tag = client.get_tag_by_name("initial-tag")
    names = client.get_filenames_in_tag(tag)
    tasks = client.export_label_studio_tasks_by_tag_name("initial-tag")
    assert client.export_label_studio_tasks_by_tag_id(tag.id) == tasks
    assert [task["id"] for task in tasks] == list(range(6))
    assert [task["data"]["lightlyFileName"] for task in tasks] == names
    assert all(path_of(task["data"]["image"]).is_file() for task in tasks)
    source = tasks[0]["data"]["lightlyMetaInfo"]["videoFrameData"]
    assert source["sourceVideo"] in ("a.mp4", "sub dir/b,c.avi")
    rows = client.export_label_box_data_rows_by_tag_name("initial-tag")
    assert client.export_label_box_data_rows_by_tag_id(tag.id) == rows
    assert [row["externalId"] for row in rows] == names
    newer = client.export_label_box_v4_data_rows_by_tag_name("initial-tag")
    assert client.export_label_box_v4_data_rows_by_tag_id(tag.id) == newer
    assert [(row["global_key"], row["row_data"], row["media_type"]) for row in newer] == [
        (row["externalId"], row["imageUrl"], "IMAGE") for row in rows
    ]
    assert client.get_filenames() == names


def test_the_images_of_a_tag_are_saved_under_their_names(
    client: ApiWorkflowClient, run_id: str, tmp_path: Path
) -> None:
    client.download_dataset(str(tmp_path / "images"), verbose=False)
    frames = tmp_path / "out" / ".lightly" / "frames"
    for name in client.get_filenames():
        assert (tmp_path / "images" / name).read_bytes() == (frames / name).read_bytes()


def test_embeddings_are_saved_as_csv(
    client: ApiWorkflowClient, run_id: str, tmp_path: Path
) -> None:
    (data,) = client.get_all_embedding_data()
    assert client.get_embedding_data_by_name(data.name) == data
    assert client.get_embedding_by_name(data.name[:5]) == data
    with pytest.raises(InvalidConfigurationError, match="no embeddings named 'mine'"):
        client.get_embedding_data_by_name("mine")
    client.download_embeddings_csv(str(tmp_path / "a" / "embeddings.csv"))
    client.download_embeddings_csv_by_id(data.id, str(tmp_path / "b.csv"))
    content = (tmp_path / "a" / "embeddings.csv").read_text()
    assert (tmp_path / "b.csv").read_text() == content
    rows = list(csv.DictReader(content.splitlines()))
    assert len(rows) == 80
    chosen = {row["filenames"] for row in rows if row["selected"] == "1"}
    assert chosen == set(client.get_filenames())


def test_datasources_are_listed_with_urls(client: ApiWorkflowClient, tmp_path: Path) -> None:
    store = client._lightly(client.dataset_id)
    for name in ("schema", "a-00-mp4", "sub dir/b,c-01-avi"):
        put(store, f"predictions/cars/{name}.json", {})
        put(store, f"metadata/{name}.json", {"name": name})
    samples = dict(client.download_raw_samples())
    assert list(samples) == ["a.mp4", "sub dir/b,c.avi"]
    assert path_of(samples["sub dir/b,c.avi"]) == tmp_path / "in" / "sub dir" / "b,c.avi"
    predictions = client.download_raw_predictions("cars")
    assert [name for name, _ in predictions] == ["a-00-mp4.json", "sub dir/b,c-01-avi.json"]
    metadata = dict(client.download_raw_metadata_iter())
    assert json.loads(path_of(metadata["a-00-mp4.json"]).read_text()) == {"name": "a-00-mp4"}
    assert client.download_raw_metadata() == list(metadata.items())
    assert list(client.download_raw_predictions_iter("cars")) == predictions
    for url in (
        client.get_prediction_read_url("cars/schema.json"),
        client.get_metadata_read_url("schema.json"),
    ):
        assert path_of(url).is_file()
    assert client.get_custom_embedding_read_url("my.csv").endswith("/.lightly/embeddings/my.csv")


def test_listings_of_a_part_by_time(client: ApiWorkflowClient, tmp_path: Path) -> None:
    for name, changed in (("a.mp4", 1_000), ("sub dir/b,c.avi", 2_000)):
        os.utime(tmp_path / "in" / name, (changed + 0.9, changed + 0.9))
    names = ["a.mp4", "sub dir/b,c.avi"]
    assert [name for name, _ in client.download_raw_samples(from_=1_000, to=2_000)] == names
    assert [name for name, _ in client.download_raw_samples(from_=1_001)] == names[1:]
    assert [name for name, _ in client.download_raw_samples(to=1_999)] == names[:1]
    assert client.get_processed_until_timestamp() == 0
    assert [name for name, _ in client.download_new_raw_samples()] == names
    assert client.get_processed_until_timestamp() == pytest.approx(time.time(), abs=60)
    assert client.download_new_raw_samples() == []
    client.update_processed_until_timestamp(1_500)
    again = ApiWorkflowClient(dataset_id=client.dataset_id)
    assert [name for name, _ in again.download_new_raw_samples()] == names[1:]
    store = client._lightly(client.dataset_id)
    put(store, "metadata/a.json", {})
    assert [name for name, _ in client.download_raw_metadata(from_=int(time.time()) - 60)] == [
        "a.json"
    ]
    assert client.download_raw_metadata(to=int(time.time()) - 60) == []


def test_listings_of_a_part_by_relevant_filenames(client: ApiWorkflowClient, run_id: str) -> None:
    store = client._lightly(client.dataset_id)
    for name in ("schema", "a-00-mp4", "sub dir/b,c-01-avi", "a-1-x-00-mp4"):
        put(store, f"predictions/cars/{name}.json", {})
    for name in ("schema", "a-07-mp4", "sub dir/b,c", "other"):
        put(store, f"metadata/{name}.json", {})
    file = ".lightly/some.txt"
    store.write(file, b"sub dir/*\ngone.mp4\n")
    with pytest.warns(UserWarning, match=r"some.txt: 1 of 2 lines are of no file in INPUT: gone"):
        samples = client.download_raw_samples(relevant_filenames_file_name=file)
    assert [name for name, _ in samples] == ["sub dir/b,c.avi"]
    store.write(file, b"sub dir/*\n")
    predictions = client.download_raw_predictions("cars", relevant_filenames_file_name=file)
    assert [name for name, _ in predictions] == ["sub dir/b,c-01-avi.json"]
    metadata = client.download_raw_metadata(relevant_filenames_file_name=file)
    assert [name for name, _ in metadata] == ["sub dir/b,c.json"]
    with pytest.raises(LightlyPipelineError, match=r"nothing.txt, which does not exist"):
        client.download_raw_samples(relevant_filenames_file_name=".lightly/nothing.txt")
    # The videos of a run: both.
    run = client.get_compute_worker_run(run_id)
    (artifact,) = (a.id for a in run.artifacts if a.type == "RELEVANT_FILENAMES")
    of_run = {"run_id": run_id, "relevant_filenames_artifact_id": artifact}
    assert [name for name, _ in client.download_raw_predictions("cars", **of_run)] == [
        "a-00-mp4.json",
        "sub dir/b,c-01-avi.json",
    ]
    assert [name for name, _ in client.download_raw_metadata(**of_run)] == [
        "a-07-mp4.json",
        "sub dir/b,c.json",
    ]
    with pytest.raises(ValueError, match="belong together"):
        client.download_raw_metadata(run_id=run_id)
    with pytest.raises(ArtifactNotExist, match="no list of the videos"):
        client.download_raw_metadata(run_id="none", relevant_filenames_artifact_id=artifact)


def test_embeddings_of_one_s_own_file(
    client: ApiWorkflowClient, run_id: str, tmp_path: Path
) -> None:
    client.set_embedding_id_to_latest()
    (data,) = client.get_all_embedding_data()
    assert client.embedding_id == data.id
    whole, own = tmp_path / "whole.csv", tmp_path / "own.csv"
    client.download_embeddings_csv(str(whole))
    header, *rows = whole.read_text().splitlines()
    columns = header.removesuffix(',"selected"')
    kept = rows[3].rpartition(",")[0]
    own.write_text(
        "\n".join(
            [
                columns,
                kept.replace(kept.split(",")[1], "7.5", 1),
                "mine" + ",1" * columns.count(","),
            ]
        )
    )
    client.append_embeddings(str(own), data.id)
    with own.open(newline="") as file:
        merged = {row["filenames"]: row for row in csv.DictReader(file)}
    assert len(merged) == 81
    assert "selected" not in merged["mine"]
    assert merged[kept.split(",")[0].strip('"')]["embedding_0"] == "7.5"
    client.upload_embeddings(str(own), "mine")
    url = client.get_custom_embedding_read_url("mine.csv")
    assert path_of(url).read_bytes() == own.read_bytes()
    own.write_text("filenames,embedding_0,labels\n")
    with pytest.raises(RuntimeError, match=r"column mismatch: .*own.csv has embeddings of 1 num"):
        client.append_embeddings(str(own), data.id)
    own.write_text("name,x\n")
    with pytest.raises(InvalidConfigurationError, match="expected the columns filenames"):
        client.upload_embeddings(str(own), "mine")
    with pytest.raises(InvalidConfigurationError, match=r"name '\.\./x'"):
        client.upload_embeddings(str(whole), "../x")
    client.create_new_dataset_with_unique_name("empty", DatasetType.VIDEOS)
    client.set_local_config(str(tmp_path / "empty"), purpose=DatasourcePurpose.LIGHTLY)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuntimeError, match="no run has completed"):
        client.set_embedding_id_to_latest()


def test_artifacts_of_a_run_are_saved_one_by_one(
    client: ApiWorkflowClient, run_id: str, tmp_path: Path
) -> None:
    run = client.get_compute_worker_run(run_id)
    client.download_compute_worker_run_memory_log(run, str(tmp_path / "memlog.txt"))
    header, *rows = (tmp_path / "memlog.txt").read_text().splitlines()
    assert header.split("\t") == ["time", "seconds", "process_mb", "children_mb", "children"]
    assert all(float(row.split("\t")[2]) > 10 for row in rows)
    kinds = {artifact.type: artifact.id for artifact in run.artifacts}
    store = client._lightly(client.dataset_id)
    assert store.read(kinds["RELEVANT_FILENAMES"]) == b"a.mp4\nsub dir/b,c.avi\n"
    for name, save in (
        ("report.pdf", client.download_compute_worker_run_report_pdf),
        ("report_v2.json", client.download_compute_worker_run_report_v2_json),
    ):
        folder = f".lightly/runs/{run_id}/"
        store.delete(folder + name)
        with pytest.raises(ArtifactNotExist, match=f"run {run_id} has no artifact of type REPORT"):
            save(run, str(tmp_path / name))
        store.write(folder + name, name.encode())
        save(run, str(tmp_path / name))
        assert (tmp_path / name).read_text() == name
    with pytest.raises(ArtifactNotExist, match="SEQUENCE_INFORMATION"):
        client.download_compute_worker_run_sequence_information(run, str(tmp_path / "s"))
