"""Datasets of images, as a user runs them: listing, tables, selection, what is written."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
from PIL import Image

from lightly_pipeline import Dataset, LocalDatasource, S3Datasource, build_definitions, run
from lightly_pipeline.api import ApiWorkflowClient, DatasetType, DatasourcePurpose
from lightly_pipeline.cli import main
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.handover.export import export_run
from lightly_pipeline.runs.tags import list_tags
from lightly_pipeline.runs.verification import verify_runs
from lightly_pipeline.steps.listing import stored_catalog
from lightly_pipeline_tests.support.pictures import (
    encoded,
    image_dataset,
    picture,
    put_image,
    put_images,
)
from lightly_pipeline_tests.support.s3_servers import emptied_bucket
from lightly_pipeline_tests.support.selections import H264, chosen, put, put_schema, strategy
from lightly_pipeline_tests.support.videos import make_video

pytestmark = pytest.mark.slow

BUCKET = "pictures"
FIVE = {"n_samples": 5}
POOL = {"use_datapool": True}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    put_images(tmp_path / "in", 60)
    return image_dataset(tmp_path)


def paths(result: Any) -> list[str]:
    return [frame.video for frame in result.selected]


def written(dataset: Dataset, below: str = ".lightly/tables/") -> list[str]:
    return [item.path for item in dataset.lightly.list(below)]


def report_of(dataset: Dataset, run_id: str, name: str) -> Any:
    return json.loads(dataset.lightly.read(f".lightly/runs/{run_id}/{name}"))


def test_chosen_images_stay_where_they_are_and_are_named_by_their_paths(dataset: Dataset) -> None:
    before = {item.path: item.etag for item in dataset.input.list()}
    result = run(dataset, selection_config=FIVE)
    assert (result.n_input_videos, result.n_input_frames, result.n_selected) == (60, 60, 5)
    assert result.kind == "image"
    assert result.images == dataset.input.describe()
    assert {frame.image for frame in result.selected} == set(paths(result)) <= set(before)
    assert [(f.frame_index, f.width, f.height) for f in result.selected] == [(0, 96, 64)] * 5
    assert {item.path: item.etag for item in dataset.input.list()} == before
    assert written(dataset, ".lightly/frames") == []
    (tag,) = list_tags(dataset.lightly)
    assert tag.filenames == paths(result)
    manifest = report_of(dataset, result.run_id, "manifest.json")
    assert manifest["input"] == dataset.input.describe()
    for image in manifest["images"]:
        content = dataset.input.read(image["image"])
        assert hashlib.sha256(content).hexdigest() == image["sha256"]
    relevant = dataset.lightly.read(f".lightly/runs/{result.run_id}/relevant_filenames.txt")
    assert sorted(relevant.decode().split()) == sorted(before)
    assert result.report is not None
    page = Path(result.report).read_text()
    assert paths(result)[0] in page


def test_a_second_run_decodes_nothing_and_chooses_the_same(dataset: Dataset) -> None:
    first, second = (run(dataset, selection_config=FIVE) for _ in range(2))
    assert (first.n_decoded_videos, second.n_decoded_videos) == (60, 0)
    assert chosen(first) == chosen(second)


def test_one_table_holds_many_images(dataset: Dataset) -> None:
    run(dataset, selection_config=FIVE)
    names = [path.rpartition("/")[2] for path in written(dataset)]
    assert names.count("frames.parquet") == 2
    assert len(names) < 15


def test_the_same_frames_are_chosen_on_any_number_of_threads(tmp_path: Path) -> None:
    put_images(tmp_path / "in", 300)
    results = []
    for threads in (1, 4):
        lightly = LocalDatasource(tmp_path / f"out{threads}")
        dataset = Dataset(
            "any",
            DatasetType.IMAGES,
            input=LocalDatasource(tmp_path / "in"),
            lightly=lightly,
            worker_config={"num_threads": threads},
        )
        results.append(run(dataset, selection_config={"n_samples": 30}))
    assert chosen(results[0]) == chosen(results[1])


def test_broken_images_are_outcomes(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    put_images(folder, 20)
    whole = encoded(picture(99), "JPEG")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.gif").write_text("no image")
    (folder / "video.mp4").write_bytes(b"no video either")
    (folder / "notes.txt").write_text("not listed")
    (folder / "wrong.png").write_bytes(whole)
    (folder / "UPPER.JPG").write_bytes(encoded(picture(98), "JPEG"))
    dataset = image_dataset(tmp_path)
    result = run(dataset, selection_config={"n_samples": 22})
    assert (result.n_input_videos, result.n_selected) == (25, 22)
    assert {"wrong.png", "UPPER.JPG"} <= set(paths(result))
    assert set(result.corrupt_samples) == {"cut.jpg", "empty.png", "text.gif"}
    information = report_of(dataset, result.run_id, "corruptness_check_information.json")
    assert information == {"corrupt_samples": result.corrupt_samples, "corrupt_videos": {}}
    facts = report_of(dataset, result.run_id, "report_v2.json")["generalInformation"]
    sizes = facts["datasetInformation"]["datasetSizes"]
    assert (sizes["nInput"], sizes["nCorrupt"], sizes["nSelected"]) == (22, 3, 22)


def test_where_no_image_can_be_used_the_run_says_so(tmp_path: Path) -> None:
    dataset = image_dataset(tmp_path)
    (tmp_path / "in").mkdir()
    with pytest.raises(LightlyPipelineError, match=r"no images in .*\.webp are looked for"):
        run(dataset)
    (tmp_path / "in" / "a.mp4").write_bytes(b"x")
    with pytest.raises(LightlyPipelineError, match=r"there are videos: .*DatasetType\.VIDEOS"):
        run(dataset)
    (tmp_path / "in" / "a.png").write_bytes(b"x")
    with pytest.raises(LightlyPipelineError, match=r"none of the 1 images .* a\.png: not an image"):
        run(dataset)


def test_a_growing_folder_is_embedded_once(tmp_path: Path, dataset: Dataset) -> None:
    run(dataset, selection_config=FIVE)
    put_images(tmp_path / "in", 30, first=60, below="night")
    (tmp_path / "in/day/0000.png").unlink()
    put_image(tmp_path / "in", "day/0001.png", 500)
    result = run(dataset, selection_config={"n_samples": 89})
    assert (result.n_input_videos, result.n_decoded_videos, result.n_selected) == (89, 31, 89)
    fresh = Dataset(
        "fresh",
        DatasetType.IMAGES,
        input=dataset.input,
        lightly=LocalDatasource(tmp_path / "other"),
    )
    assert set(paths(result)) == set(paths(run(fresh, selection_config={"n_samples": 89})))


def test_the_datapool_takes_new_images_only(tmp_path: Path, dataset: Dataset) -> None:
    first = run(dataset, POOL, selection_config=FIVE)
    with pytest.raises(LightlyPipelineError, match=r"all 60 images .* were candidates"):
        run(dataset, POOL, selection_config=FIVE)
    put_images(tmp_path / "in", 20, first=60, below="day")
    put_image(tmp_path / "in", "day/0007.png", 700)
    second = run(dataset, POOL, selection_config={"n_samples": 8})
    new = {"day/0007.png", *(f"day/{number:04d}.png" for number in range(60, 80))}
    assert set(paths(second)) <= new
    assert second.summary["n_preselected"] == 5
    everything = run(
        dataset, POOL | {"datasource": {"process_all": True}}, selection_config={"n_samples": 60}
    )
    assert not set(paths(everything)) & (set(paths(first)) | set(paths(second)) - {"day/0007.png"})


def test_the_original_s_output_folder_has_every_image_once(
    tmp_path: Path, dataset: Dataset
) -> None:
    first = run(dataset, POOL, selection_config=FIVE)
    second = run(
        dataset, POOL | {"datasource": {"process_all": True}}, selection_config={"n_samples": 3}
    )
    export_run(tmp_path / "out", to="lightly-output", out=tmp_path / "folder")
    lines = (tmp_path / "folder" / "data" / "embeddings.csv").read_text().splitlines()[1:]
    names = [line.split(",")[0].strip('"') for line in lines]
    assert sorted(names) == sorted(item.path for item in dataset.input.list())
    chosen_file = tmp_path / "folder" / "data" / "selected_embeddings_including_datapool.csv"
    chosen_names = [line.split(",")[0].strip('"') for line in chosen_file.read_text().splitlines()]
    assert sorted(chosen_names[1:]) == sorted(paths(first) + paths(second))


def test_what_was_chosen_and_is_gone_still_counts(tmp_path: Path, dataset: Dataset) -> None:
    first = run(dataset, POOL, selection_config=FIVE)
    for path in paths(first):
        (tmp_path / "in" / path).rename(tmp_path / "in" / f"copy-of-{path.replace('/', '-')}")
    put_images(tmp_path / "in", 3, first=100)
    second = run(
        dataset,
        POOL,
        selection_config={"n_samples": 3},
        pipeline_config={"remove_exact_duplicates": True},
    )
    assert second.summary["n_preselected"] == 5
    assert not [path for path in paths(second) if path.startswith("copy-of")]


def test_exact_copies_are_found_across_formats(tmp_path: Path) -> None:
    put_images(tmp_path / "in", 10)
    for image_format in ("bmp", "tiff"):
        (tmp_path / "in" / f"copy.{image_format}").write_bytes(encoded(picture(3), image_format))
    dataset = image_dataset(tmp_path)
    result = run(
        dataset,
        selection_config={"n_samples": 12},
        pipeline_config={"remove_exact_duplicates": True},
    )
    assert result.n_selected == 10
    assert result.summary["duplicates"]["equal_pixels"] == 2
    duplicates = dataset.lightly.read(f".lightly/runs/{result.run_id}/duplicate_filenames.txt")
    assert len(duplicates.split()) == 2


def test_metadata_and_predictions_are_filed_under_the_name_of_the_image(dataset: Dataset) -> None:
    put_schema(dataset.lightly, speed=("NUMERIC_FLOAT", 1.0), place=("CATEGORICAL_STRING", "city"))
    put_image(Path(dataset.input.describe()), "day/0005.jpg", 900, "JPEG")
    document = {"file_name": "day/0005.jpg", "type": "image", "metadata": {"speed": 9}}
    put(dataset.lightly, "metadata/day/0005.json", document)
    put(dataset.lightly, "metadata/day/0006.json", {"metadata": {"speed": 8, "place": "field"}})
    fastest = strategy("WEIGHTS", {"type": "METADATA", "key": "speed"})
    result = run(dataset, selection_config={"n_samples": 2, "strategies": [fastest]})
    assert paths(result) == ["day/0005.jpg", "day/0006.png"]
    put(dataset.lightly, "predictions/tasks.json", ["t"])
    categories = [{"id": 0, "name": "car"}, {"id": 1, "name": "bus"}]
    schema = {"task_type": "object-detection", "categories": categories}
    put(dataset.lightly, "predictions/t/schema.json", schema)
    box = {"category_id": 1, "bbox": [1, 2, 30, 20], "score": 0.9}
    prediction = {"file_name": "day/0009.png", "predictions": [box]}
    put(dataset.lightly, "predictions/t/day/0009.json", prediction)
    classes = {"type": "PREDICTIONS", "task": "t", "name": "CLASS_DISTRIBUTION"}
    buses = strategy("BALANCE", classes, target={"bus": 1.0})
    second = run(dataset, selection_config={"n_samples": 1, "strategies": [buses]})
    assert paths(second) == ["day/0009.png"]
    out = LocalDatasource(Path(dataset.lightly.describe()) / "coco")
    exported = export_run(dataset.lightly, second.run_id, to="coco", out=out)
    assert (exported.n_predictions, exported.n_images) == (1, 1)
    (image,) = [item.path for item in out.list() if item.path.endswith(".png")]
    assert out.read(image) == dataset.input.read("day/0009.png")


def test_numbers_of_images_can_be_thresholds(dataset: Dataset) -> None:
    put_image(Path(dataset.input.describe()), "large.png", 1)
    Image.fromarray(picture(2, 300, 200)).save(Path(dataset.input.describe(), "large.png"))
    width = {"type": "METADATA", "key": "lightly.width"}
    wide = strategy("THRESHOLD", width, threshold=200, operation="BIGGER")
    result = run(dataset, selection_config={"n_samples": 1, "strategies": [wide]})
    assert paths(result) == ["large.png"]


def test_only_relevant_images_take_part(dataset: Dataset) -> None:
    lines = "day/000*\nday/0033.png\ngone.png\n"
    dataset.lightly.write(".lightly/relevant.txt", lines.encode())
    worker = {"relevant_filenames_file": ".lightly/relevant.txt"}
    result = run(dataset, worker, selection_config={"n_samples": 20})
    expected = {*(f"day/{number:04d}.png" for number in range(10)), "day/0033.png"}
    assert set(paths(result)) == expected
    assert result.n_input_videos == 11
    assert result.summary["relevant_filenames"]["n_videos"] == 11
    assert stored_catalog(dataset).n_files == 60


def test_a_tag_is_a_query(dataset: Dataset) -> None:
    run(dataset, selection_config={"n_samples": 1})
    (first,) = list_tags(dataset.lightly)
    similar = strategy("SIMILARITY", {"type": "EMBEDDINGS", "tag_name": first.name})
    result = run(dataset, selection_config={"n_samples": 1, "strategies": [similar]})
    assert paths(result) == first.filenames


@pytest.mark.parametrize(
    ("worker", "pipeline", "option"),
    [
        ({"selected_sequence_length": 5}, {}, "selected_sequence_length"),
        ({}, {"frame_sampling": {"every_nth": 2}}, "frame_sampling"),
        ({}, {"embed_changed": 2.0}, "embed_changed"),
        ({}, {"video_stream": 1}, "video_stream"),
        ({}, {"untagged_matrix": "by_height"}, "untagged_matrix"),
    ],
)
def test_options_of_videos_are_refused(
    dataset: Dataset, worker: dict[str, Any], pipeline: dict[str, Any], option: str
) -> None:
    with pytest.raises(InvalidConfigurationError, match=f"dataset of images: .*{option}"):
        run(dataset, worker, pipeline_config=pipeline, selection_config=FIVE)
    assert not Path(dataset.lightly.describe()).exists()


def test_options_of_frames_images_have_no_effect_and_a_warning(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    run(dataset, {"output_image_format": "jpg", "resize": 10}, selection_config=FIVE)
    assert "output_image_format and worker_config.resize have no effect" in caplog.text


def test_thumbnails_are_made_of_chosen_images(tmp_path: Path) -> None:
    put_images(tmp_path / "in", 8)
    suffix = ".lightly/thumbnails/[filename]_thumb.[extension]"
    dataset = image_dataset(tmp_path, thumbnail_suffix=suffix)
    result = run(dataset, selection_config={"n_samples": 3})
    names = {f".lightly/thumbnails/{path[:-4]}_thumb.png" for path in paths(result)}
    assert set(written(dataset, ".lightly/thumbnails/")) == names


def test_an_image_that_is_replaced_before_it_is_looked_at_gives_way(
    tmp_path: Path, dataset: Dataset
) -> None:
    from lightly_pipeline.steps.listing import list_catalog
    from lightly_pipeline.steps.processing import process_videos
    from lightly_pipeline.steps.reporting import report_run
    from lightly_pipeline.steps.selecting import select_frames
    from lightly_pipeline.steps.setup import Run, resolve_config
    from lightly_pipeline.steps.uploading import upload_frames

    made = Run(dataset, resolve_config(dataset, selection_config=FIVE), "run-1")
    record = select_frames(made, process_videos(made, list_catalog(made)))
    gone, changed = (record.frames[rank].video for rank in (1, 3))
    (tmp_path / "in" / gone).unlink()
    put_image(tmp_path / "in", changed, 800)
    result = report_run(made, upload_frames(made))
    assert result.n_selected == 5
    assert not {gone, changed} & set(paths(result))
    assert {gone, changed} == {place.partition(" (")[0] for place in result.corrupt_samples}


def test_verify_looks_at_the_images_in_input(tmp_path: Path, dataset: Dataset) -> None:
    result = run(dataset, selection_config=FIVE)
    (check,) = verify_runs(dataset.lightly)
    assert check.is_true
    assert check.n_images == 5
    put_image(tmp_path / "in", paths(result)[0], 801)
    (tmp_path / "in" / paths(result)[1]).unlink()
    (check,) = verify_runs(dataset.lightly)
    assert (check.changed, check.missing) == ((paths(result)[0],), (paths(result)[1],))


@pytest.mark.parametrize("to", ["csv", "filenames", "embeddings-csv", "yolo", "label-studio"])
def test_a_run_is_exported(tmp_path: Path, dataset: Dataset, to: str) -> None:
    result = run(dataset, selection_config=FIVE)
    out = LocalDatasource(tmp_path / to)
    export_run(dataset.lightly, to=to, out=out)
    text = b"".join(out.read(item.path) for item in out.list()).decode(errors="replace")
    assert paths(result)[0] in text or paths(result)[0].removesuffix(".png") in text
    assert "images-0" not in text


def test_a_run_that_was_killed_goes_on(tmp_path: Path) -> None:
    put_images(tmp_path / "in", 200)
    dataset = image_dataset(tmp_path)
    code = (
        "from lightly_pipeline import run\n"
        "from lightly_pipeline_tests.support.pictures import image_dataset\n"
        f"from pathlib import Path\nrun(image_dataset(Path({str(tmp_path)!r})))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    attempts = tmp_path / "out/.lightly/tables"
    while child.poll() is None and not list(attempts.rglob("attempt.json")):
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    result = run(dataset, selection_config=FIVE)
    assert (result.n_input_frames, result.n_selected) == (200, 5)
    again = run(dataset, selection_config=FIVE)
    assert again.n_decoded_videos == 0
    assert chosen(again) == chosen(result)


def test_a_shard_whose_process_died_is_decoded_in_a_child(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    from lightly_pipeline.steps.listing import list_catalog
    from lightly_pipeline.steps.setup import Run, resolve_config

    made = Run(dataset, resolve_config(dataset), "run-1")
    shard = list_catalog(made).videos[0]
    table = made.tables.table(shard)
    begun = table.begin_attempt()
    dead = {**{name: getattr(begun, name) for name in begun.__slots__}, "owner": "", "beat": 0.0}
    dataset.lightly.write(f"{table.folder}/attempt.json", json.dumps(dead).encode())
    isolated = run(dataset, selection_config=FIVE)
    assert "decoding in a child process" in caplog.text
    other = Dataset(
        "other",
        DatasetType.IMAGES,
        input=dataset.input,
        lightly=LocalDatasource(Path(dataset.lightly.describe()).parent / "other"),
    )
    assert chosen(isolated) == chosen(run(other, selection_config=FIVE))


def test_the_command_line_selects_images(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    put_images(tmp_path / "in", 12)
    arguments = ["--input", str(tmp_path / "in"), "--lightly", str(tmp_path / "out")]
    assert main(["run", *arguments, "--type", "images", "--n-samples", "3"]) == 0
    said = capsys.readouterr().out
    assert "images read     12 of 12" in said
    assert "images chosen   3" in said
    assert main(["verify", "--lightly", str(tmp_path / "out")]) == 0
    (tmp_path / "in").rename(tmp_path / "moved")
    assert main(["verify", "--lightly", str(tmp_path / "out")]) == 1
    moved = ["--input", str(tmp_path / "moved")]
    assert main(["verify", "--lightly", str(tmp_path / "out"), *moved]) == 0


def test_a_script_for_images_runs_with_its_imports_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original's own example: the type is left out, which is images there."""
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(tmp_path / "home"))
    put_images(tmp_path / "in", 15)
    (tmp_path / "out").mkdir()
    client = ApiWorkflowClient(token="MY_LIGHTLY_TOKEN")
    client.create_dataset(dataset_name="dataset-name")
    assert client.dataset_type == DatasetType.IMAGES == "Images"
    client.set_local_config(str(tmp_path / "in"), purpose=DatasourcePurpose.INPUT)
    client.set_local_config(str(tmp_path / "out"), purpose=DatasourcePurpose.LIGHTLY)
    assert len(client.download_raw_samples()) == 15
    with pytest.raises(InvalidConfigurationError, match="selected_sequence_length"):
        client.schedule_compute_worker_run(
            worker_config={"selected_sequence_length": 3}, selection_config={"n_samples": 3}
        )
    scheduled = client.schedule_compute_worker_run(
        worker_config={},
        selection_config={
            "n_samples": 4,
            "strategies": [{"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}],
        },
    )
    assert client.wait_for_run(scheduled, run_in_process=True).ended_successfully()
    entries = client.export_filenames_and_read_urls_by_tag_name("initial-tag")
    assert len(entries) == 4
    for entry in entries:
        file = tmp_path / "in" / entry["fileName"]
        assert entry["datasourceUrl"] == str(file)
        assert entry["readUrl"] == file.as_uri()
    tasks = client.export_label_studio_tasks_by_tag_name("initial-tag")
    assert tasks[0]["data"]["lightlyMetaInfo"] == {}
    client.download_dataset(str(tmp_path / "copies"), verbose=False)
    name = entries[0]["fileName"]
    assert (tmp_path / "copies" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()
    thumbnails = list((tmp_path / "out/.lightly/thumbnails").rglob("*_thumb.png"))
    assert len(thumbnails) == 4


def test_dagster_has_a_partition_for_each_shard(tmp_path: Path, dataset: Dataset) -> None:
    definitions = build_definitions(dataset)
    resources, five = definitions.resources, {"selection_config": {"config": FIVE}}
    with dg.DagsterInstance.ephemeral() as instance:
        assets = [a for a in definitions.assets if isinstance(a, dg.AssetsDefinition)]
        catalog, *rest = assets
        dg.materialize([catalog], instance=instance, resources=resources)
        keys = instance.get_dynamic_partitions("pictures_videos")
        assert len(keys) == 2
        assert all(key.startswith("images-0000") for key in keys)
        result = dg.materialize(
            rest,
            instance=instance,
            resources=resources,
            run_config={"resources": five},
            tags={
                "dagster/asset_partition_range_start": keys[0],
                "dagster/asset_partition_range_end": keys[-1],
            },
        )
        assert result.success
        (first,) = list_tags(dataset.lightly)
        put_images(tmp_path / "in", 10, first=60)
        job = definitions.resolve_job_def("pictures_run_job")
        done = job.execute_in_process(run_config={"resources": five}, instance=instance)
        assert done.success
        assert len(instance.get_dynamic_partitions("pictures_videos")) == 3
        event = instance.get_latest_materialization_event(
            dg.AssetKey(["pictures", "uploaded_frames"])
        )
        metadata = event.asset_materialization.metadata
        assert metadata["images"].value == 5
        assert "data:image/jpeg;base64," in metadata["chosen_frames"].value
    other = Dataset(
        "other",
        DatasetType.IMAGES,
        input=dataset.input,
        lightly=LocalDatasource(tmp_path / "other"),
    )
    for number in range(60, 70):
        (tmp_path / f"in/day/{number:04d}.png").unlink()
    assert first.filenames == paths(run(other, selection_config=FIVE))


def test_a_bucket_gives_what_a_folder_gives(tmp_path: Path, s3_server: str) -> None:
    emptied_bucket(s3_server, BUCKET)
    names = put_images(tmp_path / "in", 30)
    (tmp_path / "in/empty.png").write_bytes(b"")
    (tmp_path / "in/broken.jpg").write_bytes(b"nothing")
    source = S3Datasource(f"s3://{BUCKET}/in/")
    for name in [*names, "empty.png", "broken.jpg"]:
        source.write(name, (tmp_path / "in" / name).read_bytes())
    dataset = Dataset(
        "bucket",
        DatasetType.IMAGES,
        input=source,
        lightly=S3Datasource(f"s3://{BUCKET}/out/"),
    )
    result = run(dataset, selection_config=FIVE)
    local = run(image_dataset(tmp_path), selection_config=FIVE)
    assert chosen(result) == chosen(local)
    assert set(result.corrupt_samples) == {"empty.png", "broken.jpg"}
    assert result.requests > 0
    (check,) = verify_runs(dataset.lightly)
    assert check.is_true


def test_the_image_of_a_video_frame_has_nearly_its_embedding(tmp_path: Path) -> None:
    make_video(tmp_path / "videos", H264, "a.mp4")
    videos = Dataset(
        "videos",
        input=LocalDatasource(tmp_path / "videos"),
        lightly=LocalDatasource(tmp_path / "frames"),
    )
    frames = run(videos, selection_config={"n_samples": 8})
    for frame in frames.selected:
        target = tmp_path / "in" / f"{frame.frame_index:03d}.png"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(videos.lightly.read(frame.image))
    dataset = image_dataset(tmp_path)
    images = run(dataset, selection_config={"n_samples": 8})
    of_frames, of_images = (
        {
            (f.frame_index if f.video == "a.mp4" else int(f.video[:3])): row
            for f, row in zip(result.selected, embeddings(one, result), strict=True)
        }
        for one, result in ((videos, frames), (dataset, images))
    )
    for index, vector in of_frames.items():
        likeness = {other: float(row @ vector) for other, row in of_images.items()}
        assert max(likeness, key=lambda other: likeness[other]) == index
        assert likeness[index] > 0.99


def embeddings(dataset: Dataset, result: Any) -> np.ndarray:
    """Returns the chosen frames' embeddings of length 1, in the order of picks."""
    path = f".lightly/runs/{result.run_id}/embeddings.npy"
    rows = np.load(Path(dataset.lightly.describe()) / path)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
