"""What a script uploads of frames is what the next run selects by."""

import json

import pytest

import lightly_pipeline.api as api
from lightly_pipeline.api import ApiWorkflowClient, InvalidConfigurationError
from lightly_pipeline.errors import LightlyPipelineError

pytestmark = pytest.mark.slow

ENTRY = api.ConfigurationEntry(
    name="People",
    path="people.count",
    default_value=0,
    value_data_type=api.ConfigurationValueDataType.NUMERIC_INT,
)
SCHEMA = api.PredictionTaskSchema(
    name="cars",
    type=api.TaskType.OBJECT_DETECTION,
    categories=[api.PredictionTaskSchemaCategory(id=3, name="car"), {"id": 7, "name": "bus"}],
)


def frame(index: int) -> str:
    return f"a-{index:02d}-mp4.png"


def chosen(client: ApiWorkflowClient, n_samples: int, source: dict, strategy: dict) -> list[str]:
    run_id = client.schedule_compute_worker_run(
        selection_config={
            "n_samples": n_samples,
            "strategies": [{"input": source, "strategy": strategy}],
        }
    )
    info = client.wait_for_run(run_id, run_in_process=True)
    assert info.ended_successfully(), info.message
    (tag,) = client.get_compute_worker_run_tags(run_id)
    return client.get_filenames_in_tag(tag)


def metadata_of(client: ApiWorkflowClient, name: str) -> dict:
    path = f".lightly/metadata/{name}.json"
    document: dict = json.loads(client._lightly(client.dataset_id).read(path))
    return document


def test_metadata_of_frames_and_videos_decides_what_is_chosen(client: ApiWorkflowClient) -> None:
    names = [frame(5), frame(9), "sub dir/b,c.avi"]
    custom = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "metadata": [
            {"image_id": 0, "people": {"count": 9}},
            {"image_id": 1, "people": {"count": 8}},
            {"image_id": 2, "people": {"count": 4}, "weather": "rain"},
        ],
    }
    client.verify_custom_metadata_format(custom)
    assert client.index_custom_metadata_by_filename(
        {**custom, "metadata": custom["metadata"][:1]}
    ) == {names[0]: custom["metadata"][0], names[1]: None, names[2]: None}
    client.upload_custom_metadata(custom, max_workers=2)
    made = client.create_custom_metadata_config("mine", [ENTRY])
    assert len(made.id) == 24
    assert metadata_of(client, "a-05-mp4") == {
        "file_name": frame(5),
        "type": "frame",
        "metadata": custom["metadata"][0],
    }
    assert metadata_of(client, "sub dir/b,c")["type"] == "video"
    source = {"type": "METADATA", "key": "people.count"}
    names_chosen = chosen(client, 3, source, {"type": "WEIGHTS"})
    assert names_chosen[:2] == names[:2]
    assert names_chosen[2].startswith("sub dir/b,c-")


def test_a_second_schema_keeps_what_the_first_declared(client: ApiWorkflowClient) -> None:
    client.create_custom_metadata_config("mine", [ENTRY])
    weather = {
        "name": "Weather",
        "path": "weather",
        "defaultValue": "unknown",
        "valueDataType": "CATEGORICAL_STRING",
    }
    client.create_custom_metadata_config("other", [weather])
    client.create_custom_metadata_config("other", [{**weather, "defaultValue": "sun"}])
    schema = json.loads(client._lightly(client.dataset_id).read(".lightly/metadata/schema.json"))
    assert [(entry["path"], entry["defaultValue"]) for entry in schema] == [
        ("people.count", 0),
        ("weather", "sun"),
    ]
    with pytest.raises(LightlyPipelineError, match="did you mean CATEGORICAL_STRING"):
        client.create_custom_metadata_config("x", [{**weather, "valueDataType": "CATEGORICAL_STR"}])
    with pytest.raises(InvalidConfigurationError, match=r"configs\.value_data_type: missing"):
        client.create_custom_metadata_config("x", [{"name": "a", "path": "b"}])


def test_metadata_that_belongs_to_nothing_is_left_out_with_a_warning(
    client: ApiWorkflowClient,
) -> None:
    with pytest.raises(KeyError, match="metadata"):
        client.upload_custom_metadata({"images": []})
    custom = {
        "images": [{"id": 1, "file_name": "../a.mp4"}, {"id": 2, "file_name": frame(2)}],
        "metadata": [{"image_id": 7}, {"image_id": 1}, {"image_id": 2, "n": float("nan")}],
    }
    with pytest.warns(api.InvalidCustomMetadataWarning) as caught:
        client.upload_custom_metadata(custom)
    assert [str(warning.message).partition(": ")[2][:26] for warning in caught] == [
        "no image has the id 7",
        "'../a.mp4' is no name of a",
        "a-02-mp4.png: cannot be wr",
    ]
    assert list(client._lightly(client.dataset_id).list(".lightly/metadata/")) == []


def test_predictions_decide_what_is_chosen(client: ApiWorkflowClient) -> None:
    client.create_or_update_prediction_task_schema(SCHEMA)
    other = {"name": "scene", "type": "CLASSIFICATION", "categories": [{"id": 0, "name": "day"}]}
    client.create_or_update_prediction_task_schema(other, prediction_version_id=4)
    store = client._lightly(client.dataset_id)
    assert json.loads(store.read(".lightly/predictions/tasks.json")) == ["cars", "scene"]
    box = {"task_name": "cars", "category_id": 7, "score": 0.5, "bbox": [1, 2, 30, 40]}
    one = api.PredictionSingletonObjectDetection(**box)
    two = {"type": "OBJECT_DETECTION", "taskName": "cars", "categoryId": 7, "score": 1.0}
    two["bbox"] = [5.5, 6, 7, 8]
    client.create_or_update_prediction(frame(4), [one])
    client.create_or_update_prediction(frame(8), [one, two])
    client.create_or_update_prediction(frame(6), [one, two, one])
    client.create_or_update_prediction(frame(6), [])
    client.create_or_update_prediction(frame(6), [one])
    source = {
        "type": "PREDICTIONS",
        "task": "cars",
        "name": "CATEGORY_COUNT",
        "categories": ["bus"],
    }
    assert chosen(client, 3, source, {"type": "WEIGHTS"}) == [frame(8), frame(4), frame(6)]
    document = json.loads(store.read(".lightly/predictions/cars/a-08-mp4.json"))
    assert document["file_name"] == frame(8)
    assert document["predictions"][1] == {"category_id": 7, "score": 1.0, "bbox": [5.5, 6, 7, 8]}


def test_wrong_predictions_are_refused_before_they_are_written(client: ApiWorkflowClient) -> None:
    box = {"task_name": "cars", "category_id": 7, "score": 0.5, "bbox": [1, 2, 30, 40]}
    one = {"type": "OBJECT_DETECTION", **box}
    with pytest.raises(LightlyPipelineError, match=r"prediction task cars needs .*schema.json"):
        client.create_or_update_prediction(frame(1), [one])
    client.create_or_update_prediction_task_schema(SCHEMA)
    for wrong, message in (
        ({"category_id": 5}, "category_id 5 is not in the task's schema"),
        ({"bbox": [1, 2]}, r"bbox: expected \[x, y, width, height\]"),
        ({"score": 2.0}, "score 2.0 is not a number from 0 to 1"),
        ({"type": "CLASSIFICATION"}, "cars is object-detection, but"),
        ({"type": "BOX"}, "task type 'BOX' is not known"),
        ({"colour": "red"}, r"prediction_singletons\[0\]\.colour: unknown option"),
    ):
        with pytest.raises(InvalidConfigurationError, match=message):
            client.create_or_update_prediction(frame(1), [{**one, **wrong}])
    with pytest.raises(InvalidConfigurationError, match="is no name of a video or frame"):
        client.create_or_update_prediction("/a-01-mp4.png", [one])
    with pytest.raises(InvalidConfigurationError, match=r"task name 'a//b'"):
        client.create_or_update_prediction_task_schema(SCHEMA.model_copy(update={"name": "a//b"}))
    with pytest.raises(LightlyPipelineError, match="category id 3 is there twice"):
        client.create_or_update_prediction_task_schema(
            SCHEMA.model_copy(update={"categories": [SCHEMA.categories[0]] * 2})
        )
    listed = client._lightly(client.dataset_id).list(".lightly/predictions/cars/")
    assert [item.path.rpartition("/")[2] for item in listed] == ["schema.json"]
