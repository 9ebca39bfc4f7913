"""Tags that a script makes of file names serve like those that runs make."""

import json
from pathlib import Path

import pytest

from lightly_pipeline.api import (
    ApiWorkflowClient,
    InvalidConfigurationError,
    TagDoesNotExistError,
)
from lightly_pipeline.cli import main
from lightly_pipeline.runs.datapool import read_datapool

pytestmark = pytest.mark.slow

LIST = ".lightly/relevant_filenames.txt"


def finished(client: ApiWorkflowClient, n_samples: int, *strategies: dict, **worker: object) -> str:
    selection: dict = {"n_samples": n_samples}
    if strategies:
        selection["strategies"] = list(strategies)
    run_id = client.schedule_compute_worker_run(worker_config=worker, selection_config=selection)
    info = client.wait_for_run(run_id, run_in_process=True)
    assert info.ended_successfully(), info.message
    return run_id


def similar_to(tag: str) -> dict:
    return {
        "input": {"type": "EMBEDDINGS", "tag_name": tag, "dataset_id": None},
        "strategy": {"type": "SIMILARITY"},
    }


def random(seed: int) -> dict:
    return {"input": {"type": "RANDOM", "random_seed": seed}, "strategy": {"type": "WEIGHTS"}}


def test_a_tag_of_file_names_is_listed_exported_and_deleted(
    client: ApiWorkflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = finished(client, 4)
    finished(client, 5, random(7))
    names = client.get_filenames()
    assert len(names) > 6
    # Frames of both runs, some of them chosen by both or only by the first.
    wanted = [names[-1], names[0], names[1]]
    tag = client.create_tag_from_filenames(wanted, "night shift")
    assert (tag.name, tag.tot_size, tag.run_id) == ("night shift", 3, None)
    assert tag.prev_tag_id == client.get_tag_by_name("initial-tag").id
    assert set(client.get_filenames_in_tag(tag)) == set(wanted)
    assert client.get_filenames_in_tag(tag, exclude_parent_tag=True) == [names[-1]]
    assert [t.name for t in client.get_all_tags()] == ["night shift", "tag-0002", "initial-tag"]
    assert client.get_compute_worker_run_tags(first) == [client.get_tag_by_name("initial-tag")]
    urls = client.export_filenames_and_read_urls_by_tag_name("night shift")
    assert {row["fileName"] for row in urls} == set(wanted)
    assert all(Path(row["datasourceUrl"]).is_file() for row in urls)
    tasks = client.export_label_studio_tasks_by_tag_id(tag.id)
    assert [task["data"]["lightlyFileName"] for task in tasks] == [row["fileName"] for row in urls]
    client.download_dataset(str(tmp_path / "images"), "night shift", verbose=False)
    assert all((tmp_path / "images" / name).is_file() for name in wanted)

    out = tmp_path / "read"
    command = ["export", "--tag", "night shift", "--lightly", str(tmp_path / "out")]
    assert main([*command, "--to", "read-urls", "--out", str(out)]) == 0
    assert "3 frames of tag night shift for read-urls" in capsys.readouterr().out
    assert json.loads((out / "filenames_and_read_urls.json").read_text()) == urls
    assert main([*command, "--to", "coco", "--out", str(tmp_path / "coco")]) == 0
    document = json.loads((tmp_path / "coco" / "annotations" / "images.json").read_text())
    assert document["info"]["description"] == "frames of tag night shift of dataset dataset__2dname"
    assert [image["rank"] for image in document["images"]] == [0, 1, 2]
    assert {image["file_name"] for image in document["images"]} == set(wanted)
    assert main([*command, "--to", "filenames", "--out", str(tmp_path / "names")]) == 0
    listed = (tmp_path / "names" / "filenames.txt").read_text().splitlines()
    assert listed == [row["fileName"] for row in urls]
    assert main([*command, "--to", "embeddings-csv"]) == 2
    assert main(["export", first, *command[1:], "--to", "csv"]) == 2

    # Runs number their tags as before, and a datapool takes over what runs chose.
    store = client._lightly(client.dataset_id)
    assert read_datapool(store).adopted == ("initial-tag", "tag-0002")
    finished(client, 2)
    assert client.get_all_tags()[0].name == "tag-0003"
    client.delete_tag_by_name("night shift")
    with pytest.raises(TagDoesNotExistError, match="no tag 'night shift'"):
        client.get_tag_by_name("night shift")
    again = client.create_tag_from_filenames(
        [names[2]], "night shift", parent_tag_id=tag.prev_tag_id
    )
    client.delete_tag_by_id(again.id)
    assert len(client.get_all_tags()) == 3


def test_what_makes_no_tag_is_refused(client: ApiWorkflowClient) -> None:
    with pytest.raises(RuntimeError, match="no run has completed"):
        client.create_tag_from_filenames(["a-01-mp4.png"], "mine")
    finished(client, 3)
    names = client.get_filenames()
    for name, message in {
        "tag-0007": "given to what runs choose",
        "initial-tag": "given to what runs choose",
        "no": "at least three",
        "../mine": "at least three",
    }.items():
        with pytest.raises(InvalidConfigurationError, match=message):
            client.create_tag_from_filenames(names, name)
    with pytest.raises(InvalidConfigurationError, match=rf"1 of 2 .*\(a-99-mp4.png\).*{names[0]}"):
        client.create_tag_from_filenames([names[0], "a-99-mp4.png"], "mine")
    with pytest.raises(InvalidConfigurationError, match="at least one file name"):
        client.create_tag_from_filenames([], "mine")
    with pytest.raises(TagDoesNotExistError):
        client.create_tag_from_filenames(names, "mine", parent_tag_id="f" * 24)
    client.create_tag_from_filenames(names, "mine")
    with pytest.raises(InvalidConfigurationError, match="a tag 'mine' already"):
        client.create_tag_from_filenames(names, "mine")
    with pytest.raises(InvalidConfigurationError, match="is kept"):
        client.delete_tag_by_name("initial-tag")


def test_similarity_to_a_tag_of_file_names_among_relevant_videos(
    client: ApiWorkflowClient,
) -> None:
    finished(client, 8)
    names = client.get_filenames()
    of_a = [name for name in names if name.startswith("a-")]
    tag = client.create_tag_from_filenames(of_a[:2], "like these")
    chosen = finished(client, 3, similar_to("like these"))
    (made,) = client.get_compute_worker_run_tags(chosen)
    # What is asked for is most like itself.
    assert set(of_a[:2]) <= set(client.get_filenames_in_tag(made))
    assert client.get_filenames_in_tag(tag) == of_a[:2]
    client._lightly(client.dataset_id).write(LIST, b"sub dir/*\n")
    among = finished(client, 3, similar_to("like these"), relevant_filenames_file=LIST)
    (other,) = client.get_compute_worker_run_tags(among)
    assert all(name.startswith("sub dir/") for name in client.get_filenames_in_tag(other))


def test_frames_of_runs_with_different_encoders_are_compared_by_the_new_one(
    client: ApiWorkflowClient,
) -> None:
    finished(client, 3)
    old = client.get_filenames()
    store = client._lightly(client.dataset_id)
    tag = json.loads(store.read(".lightly/tags/initial-tag.json"))
    # As if the first run had been made with another encoder.
    tag["embedding_id"] = "another-0123456789abcdef"
    store.write(".lightly/tags/initial-tag.json", json.dumps(tag).encode())
    finished(client, 4, random(3))
    new = next(name for name in client.get_filenames() if name not in old)
    client.create_tag_from_filenames([old[0], new], "both")
    chosen = finished(client, 2, similar_to("both"))
    (made,) = client.get_compute_worker_run_tags(chosen)
    assert set(client.get_filenames_in_tag(made)) == {old[0], new}
