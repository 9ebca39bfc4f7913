"""Selections by metadata, predictions, scores and queries, as a user runs them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lightly_pipeline import Dataset, run
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline_tests.support.selections import (
    DIVERSITY,
    N_FRAMES,
    VIDEOS,
    chosen,
    frame_file,
    local_dataset,
    put,
    put_schema,
    selection,
    strategy,
)

pytestmark = pytest.mark.slow

SPEED = {"type": "METADATA", "key": "gps.speed"}
PLACE = {"type": "METADATA", "key": "place"}
TASK = "cars/v2"


@pytest.fixture
def dataset(prepared_folder: Path) -> Dataset:
    return local_dataset(prepared_folder)


def choose(dataset: Dataset, config: dict[str, Any], **blocks: Any) -> list[tuple[str, int]]:
    return chosen(run(dataset, selection_config=config, **blocks))


def test_weights_take_the_highest_metadata_of_frames_over_videos_over_defaults(
    dataset: Dataset,
) -> None:
    put_schema(dataset.lightly, gps__speed=("NUMERICAL_FLOAT", 5.0), other=("NUMERIC_INT", 0))
    put(
        dataset.lightly, "metadata/sub/b.json", {"type": "video", "metadata": {"gps": {"speed": 2}}}
    )
    for index, speed in ((3, 50), (7, 70.5), (9, 1)):
        put(
            dataset.lightly,
            f"metadata/{frame_file('sub/b.mp4', index)}.json",
            {"file_name": f"sub/b-{index:02d}-mp4.png", "metadata": {"gps": {"speed": speed}}},
        )
    strange = {"file_name": "c.mp4", "metadata": {"gps": {"speed": 99}}}
    put(dataset.lightly, f"metadata/{frame_file('a.mp4', 8)}.json", strange)
    # Neither frame is in a video of 40 frames.
    put(dataset.lightly, "metadata/sub/b-40-mp4.json", {"metadata": {"gps": {"speed": 99}}})
    put(dataset.lightly, "metadata/sub/b-003-mp4.json", {"metadata": {"gps": {"speed": 99}}})
    assert choose(dataset, selection(3, strategy("WEIGHTS", SPEED))) == [
        ("sub/b.mp4", 7),
        ("sub/b.mp4", 3),
        ("a.mp4", 0),
    ]
    slowest = strategy("WEIGHTS", SPEED, strength=-1.0)
    assert choose(dataset, selection(2, slowest)) == [("sub/b.mp4", 9), ("sub/b.mp4", 0)]


def test_a_threshold_leaves_only_frames_whose_metadata_passes(dataset: Dataset) -> None:
    put_schema(dataset.lightly, gps__speed=("NUMERIC_INT", 0))
    put(dataset.lightly, "metadata/sub/c.json", {"metadata": {"gps": {"speed": 9}}})
    moving = strategy("THRESHOLD", SPEED, threshold=0, operation="BIGGER")
    result = run(dataset, selection_config=selection(100, DIVERSITY, moving))
    assert {video for video, _ in chosen(result)} == {"sub/c.mp4"}
    assert result.n_selected == N_FRAMES


def test_a_threshold_that_leaves_no_frame_ends_the_run_with_the_range_of_its_values(
    dataset: Dataset,
) -> None:
    wide = {"type": "METADATA", "key": "lightly.width"}
    huge = strategy("THRESHOLD", wide, threshold=9999, operation="BIGGER")
    with pytest.raises(
        LightlyPipelineError,
        match=r"THRESHOLD of METADATA lightly\.width BIGGER 9999 keeps 0 of 120, .* from 160 to",
    ):
        run(dataset, selection_config=selection(5, DIVERSITY, huge))


def test_balance_follows_categories_of_videos(dataset: Dataset) -> None:
    put_schema(
        dataset.lightly, place=("CATEGORICAL_STRING", "city"), wet=("CATEGORICAL_BOOLEAN", False)
    )
    put(dataset.lightly, "metadata/sub/b.json", {"metadata": {"place": "field", "wet": True}})
    target = {"city": 0.25, "field": 0.75}
    by_place = strategy("BALANCE", PLACE, target=target, distribution="TARGET")
    videos = [video for video, _ in choose(dataset, selection(20, by_place))]
    assert videos.count("sub/b.mp4") == 15
    weather = {"type": "METADATA", "key": "wet"}
    wet = strategy("BALANCE", weather, target={"true": 0.8, "false": 0.2})
    videos = [video for video, _ in choose(dataset, selection(5, wet))]
    assert videos.count("sub/b.mp4") == 4


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("uniformRowRatio", "uniform_row_ratio"),
        ("luminance", "luminance"),
        ("sharpness", "sharpness"),
        ("contrast", "contrast"),
        ("meanRed", "mean_red"),
        ("meanGreen", "mean_green"),
        ("meanBlue", "mean_blue"),
    ],
)
def test_quality_numbers_of_frames_are_metadata(
    dataset: Dataset, tmp_path: Path, name: str, column: str
) -> None:
    source = {"type": "METADATA", "key": f"lightly.{name}"}
    best = choose(dataset, selection(1, strategy("WEIGHTS", source)))
    tables = sorted((tmp_path / "data" / "out").rglob("frames.parquet"))
    values = {v: pq.read_table(table)[column].to_numpy() for v, table in by_video(tables).items()}
    highest = max(column_of_video.max() for column_of_video in values.values())
    assert best == [
        next((v, int(np.argmax(values[v]))) for v in VIDEOS if values[v].max() == highest)
    ]


def by_video(tables: list[Path]) -> dict[str, Path]:
    return {
        json.loads(table.with_name("outcome.json").read_bytes())["video"]: table for table in tables
    }


def test_numbers_that_are_not_computed_are_refused_with_those_that_are(dataset: Dataset) -> None:
    wide = {"type": "METADATA", "key": "lightly.width"}
    all_pass = strategy("THRESHOLD", wide, threshold=160, operation="BIGGER_EQUAL")
    assert len(choose(dataset, selection(5, DIVERSITY, all_pass))) == 5
    with pytest.raises(InvalidConfigurationError, match="is a number and does not go with BALANCE"):
        choose(dataset, selection(5, strategy("BALANCE", wide, distribution="UNIFORM")))
    noise = strategy("WEIGHTS", {"type": "METADATA", "key": "lightly.snr"})
    with pytest.raises(InvalidConfigurationError, match=r"lightly\.snr' is not computed: computed"):
        choose(dataset, selection(5, noise))
    misspelt = strategy("WEIGHTS", {"type": "METADATA", "key": "lightly.heigth"})
    with pytest.raises(InvalidConfigurationError, match=r"did you mean lightly\.height\?"):
        choose(dataset, selection(5, misspelt))


@pytest.mark.parametrize(
    ("schema", "file", "message"),
    [
        (None, None, r"METADATA input needs .*schema\.json, which does not exist"),
        ("{", None, r"schema\.json: not valid JSON"),
        ({"name": "x"}, None, "expected a list of entries"),
        ([{"path": "lightly.x", "valueDataType": "NUMERIC_INT"}], None, "lightly is reserved"),
        (
            [{"path": "gps.speed", "valueDataType": "NUMERIC"}],
            None,
            "'NUMERIC' is not known; did you mean NUMERIC_INT",
        ),
        (
            [{"path": "gps.sped", "valueDataType": "NUMERIC_INT"}],
            None,
            r"'gps\.speed' is not a path in .*did you mean gps\.sped\?",
        ),
        (
            [{"path": "gps.speed", "valueDataType": "CATEGORICAL_INT"}],
            None,
            "does not go with WEIGHTS, but with BALANCE",
        ),
        (
            [{"path": "gps.speed", "valueDataType": "NUMERIC_INT", "defaultValue": 1}],
            {"metadata": {"gps": {"speed": "fast"}}},
            r"sub/b\.json: gps\.speed: 'fast' is not a number",
        ),
        (
            [{"path": "gps.speed", "valueDataType": "NUMERIC_INT"}],
            {"metadata": {"gps": {"speed": 3}}},
            r"gps\.speed: 80 of 120 frames have no value.*\(a\.mp4 frame 0,",
        ),
        (
            [{"path": "gps.speed", "valueDataType": "NUMERIC_INT", "defaultValue": 1}],
            [],
            r"sub/b\.json: expected an object with the key metadata",
        ),
    ],
)
def test_wrong_metadata_is_named_by_file_and_key(
    dataset: Dataset, schema: Any, file: Any, message: str
) -> None:
    if schema is not None:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        dataset.lightly.write(".lightly/metadata/schema.json", text.encode())
    if file is not None:
        put(dataset.lightly, "metadata/sub/b.json", file)
    with pytest.raises(LightlyPipelineError, match=message):
        choose(dataset, selection(3, strategy("WEIGHTS", SPEED)))


def put_task(dataset: Dataset, task_type: str = "object-detection") -> None:
    put(dataset.lightly, "predictions/tasks.json", [TASK])
    categories = [{"id": 4, "name": "bus"}, {"id": 1, "name": "car"}]
    put(
        dataset.lightly,
        f"predictions/{TASK}/schema.json",
        {"task_type": task_type, "categories": categories},
    )


def put_objects(
    dataset: Dataset, video: str, index: int, *category_ids: int, **fields: Any
) -> None:
    objects = [
        {"category_id": number, "bbox": [1, 2, 3, 4], "score": 0.5, **fields}
        for number in category_ids
    ]
    path = f"predictions/{TASK}/{frame_file(video, index)}.json"
    put(dataset.lightly, path, {"predictions": objects})


def test_objects_are_counted_and_balanced(dataset: Dataset) -> None:
    put_task(dataset)
    put_objects(dataset, "a.mp4", 5, 1, 1, 1)
    put_objects(dataset, "a.mp4", 6, 4, 4)
    put_objects(dataset, "sub/b.mp4", 7, 4)
    put_objects(dataset, "sub/b.mp4", 8)
    counts = {"type": "PREDICTIONS", "task": TASK, "name": "CATEGORY_COUNT", "categories": ["bus"]}
    assert choose(dataset, selection(2, strategy("WEIGHTS", counts))) == [
        ("a.mp4", 6),
        ("sub/b.mp4", 7),
    ]
    classes = {"type": "PREDICTIONS", "task": TASK, "name": "CLASS_DISTRIBUTION"}
    buses = strategy("BALANCE", classes, target={"bus": 1.0})
    assert choose(dataset, selection(1, buses)) == [("a.mp4", 6)]
    with pytest.raises(InvalidConfigurationError, match="no category 'busses'"):
        choose(dataset, selection(1, strategy("BALANCE", classes, target={"busses": 1.0})))
    unknown = {**counts, "categories": ["buss"]}
    with pytest.raises(InvalidConfigurationError, match="no category 'buss'; did you mean bus"):
        choose(dataset, selection(2, strategy("WEIGHTS", unknown)))


def test_the_least_certain_frames_are_chosen_by_score(dataset: Dataset) -> None:
    put_task(dataset, "classification")
    for index, first in ((2, 0.9), (3, 0.55), (4, 0.2)):
        entry = {"category_id": 1, "probabilities": [first, 1 - first]}
        path = f"predictions/{TASK}/{frame_file('a.mp4', index)}.json"
        put(dataset.lightly, path, {"file_name": "a.png", "predictions": [entry]})
    for score in ("uncertainty_margin", "uncertainty_entropy", "uncertainty_least_confidence"):
        source = {"type": "SCORES", "task": TASK, "score": score}
        config = selection(3, strategy("WEIGHTS", source))
        assert choose(dataset, config) == [("a.mp4", 3), ("a.mp4", 4), ("a.mp4", 2)]
    source = {"type": "SCORES", "task": TASK, "score": "object_frequency"}
    with pytest.raises(InvalidConfigurationError, match="gives no score 'object_frequency'"):
        choose(dataset, selection(3, strategy("WEIGHTS", source)))
    source = {"type": "SCORES", "task": "cars", "score": "uncertainty_margin"}
    with pytest.raises(InvalidConfigurationError, match=r"'cars' is not listed .* mean cars/v2"):
        choose(dataset, selection(3, strategy("WEIGHTS", source)))


def test_a_bad_prediction_is_left_out_and_reported_and_no_good_one_is_an_error(
    dataset: Dataset,
) -> None:
    put_task(dataset)
    put_objects(dataset, "a.mp4", 5, 1, score=1.5)
    source = {"type": "SCORES", "task": TASK, "score": "objectness_least_confidence"}
    config = selection(1, strategy("WEIGHTS", source))
    with pytest.raises(LightlyPipelineError, match=r"1 are wrong, the first: predictions\[0\]"):
        choose(dataset, config)
    put_objects(dataset, "sub/b.mp4", 7, 1)
    result = run(dataset, selection_config=config)
    assert chosen(result) == [("sub/b.mp4", 7)]
    assert result.summary["frames_without_prediction"] == {TASK: 119}
    problems = json.loads(
        dataset.lightly.read(f".lightly/runs/{result.run_id}/input_problems.json")
    )
    (location,) = problems
    assert location.endswith("a-05-mp4.json")
    assert "score 1.5 is not a number from 0 to 1" in problems[location]


def query(**source: str) -> dict[str, Any]:
    return strategy("SIMILARITY", {"type": "EMBEDDINGS", **source})


def test_frames_similar_to_a_tag_of_this_or_another_dataset(
    dataset: Dataset, prepared_dataset: Path, tmp_path: Path
) -> None:
    first = run(dataset, selection_config=selection(1))
    assert (first.tag, chosen(first)) == ("initial-tag", [("a.mp4", 0)])
    similar = choose(dataset, selection(40, query(tag_name="initial-tag")))
    assert similar[0] == ("a.mp4", 0)
    assert {video for video, _ in similar[:10]} == {"a.mp4"}

    shutil.copytree(prepared_dataset, tmp_path / "other")
    other = local_dataset(tmp_path / "other", "other")
    config = selection(10, query(tag_name="initial-tag", dataset_id=dataset.dataset_id))
    assert chosen(run(other, selection_config=config, others=[dataset])) == similar[:10]
    with pytest.raises(InvalidConfigurationError, match=r"known are [0-9a-f]{24} \(other\)"):
        run(other, selection_config=config)
    with pytest.raises(LightlyPipelineError, match=r"no tag 'cars' in .*there are initial-tag"):
        choose(other, selection(10, query(tag_name="cars")))


def test_an_unknown_query_names_tags_and_folders(dataset: Dataset) -> None:
    folders = {"similarity_folders": {"my images": "somewhere"}}
    with pytest.raises(LightlyPipelineError, match=r"no tag 'My images'.*_folders names my images"):
        choose(dataset, selection(1, query(tag_name="My images")), pipeline_config=folders)


def test_frames_similar_to_images_in_a_folder(dataset: Dataset, tmp_path: Path) -> None:
    wanted = run(dataset, selection_config=selection(5))
    images = tmp_path / "images"
    images.mkdir()
    shutil.copy(tmp_path / "data" / "out" / wanted.selected[4].image, images / "one.png")
    (images / "broken.jpg").write_bytes(b"no image")
    (images / "notes.txt").write_text("ignored")
    folders = {"similarity_folders": {"My images": str(images)}}
    config = selection(1, query(tag_name="My images"))
    assert choose(dataset, config, pipeline_config=folders) == [chosen(wanted)[4]]

    (images / "one.png").unlink()
    with pytest.raises(LightlyPipelineError, match=r"none of the 1 images .* can be decoded"):
        choose(dataset, config, pipeline_config=folders)
    Image.fromarray(np.zeros((10, 10, 3), np.uint8)).save(images / "black.png")
    (images / "broken.jpg").unlink()
    assert len(choose(dataset, config, pipeline_config=folders)) == 1
    (images / "black.png").unlink()
    with pytest.raises(LightlyPipelineError, match="no images in"):
        choose(dataset, config, pipeline_config=folders)


def test_a_tag_of_another_encoder_is_no_query(dataset: Dataset) -> None:
    result = run(dataset, selection_config=selection(2))
    path = ".lightly/tags/initial-tag.json"
    tag = json.loads(dataset.lightly.read(path))
    tag["embedding_id"] = "resnet-18-0123456789abcdef"
    dataset.lightly.write(path, json.dumps(tag).encode())
    # The videos are still there: their tables of this encoder serve.
    config = selection(2, query(tag_name="initial-tag"))
    assert chosen(result)[0] in choose(dataset, config)
    tag["videos"][VIDEOS[0]]["etag"] = "an earlier version"
    dataset.lightly.write(path, json.dumps(tag).encode())
    with pytest.raises(LightlyPipelineError, match=r"another encoder, .* cannot be compared"):
        choose(dataset, config)


def test_mistakes_end_a_run_before_its_videos_are_decoded(
    tmp_path: Path, prepared_dataset: Path
) -> None:
    shutil.copytree(prepared_dataset / "in", tmp_path / "in")
    dataset = local_dataset(tmp_path)
    for entry in (
        strategy("WEIGHTS", SPEED),
        query(tag_name="no such tag"),
        strategy("WEIGHTS", {"type": "SCORES", "task": "t", "score": "uncertainty_margin"}),
    ):
        with pytest.raises(LightlyPipelineError):
            choose(dataset, selection(3, entry))
    assert not list((tmp_path / "out").rglob("*.npy"))
