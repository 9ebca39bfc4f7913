"""Active-learning scores and what prediction files say, on plain values."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs import scores
from lightly_pipeline.inputs.entries import Entries
from lightly_pipeline.inputs.predictions import Task, parse_prediction, parse_task

DETECTION = Task("t", "object-detection", (1, 4), ("car", "bus"))


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=6), st.sampled_from(scores.UNCERTAINTIES))
def test_uncertainties_go_from_0_when_certain_to_1_when_uniform(
    weights: list[float], score: str
) -> None:
    shares = np.array([weights]) / sum(weights)
    certain = np.eye(len(weights))[:1]
    uniform = np.full((1, len(weights)), 1 / len(weights))
    assert scores.uncertainties(certain, score)[0] == 0
    assert scores.uncertainties(uniform, score)[0] == pytest.approx(1)
    assert 0 <= scores.uncertainties(shares, score)[0] <= 1


def test_uncertainties_are_the_published_formulas() -> None:
    p = np.array([[0.7, 0.2, 0.1]])
    entropy = -(0.7 * np.log2(0.7) + 0.2 * np.log2(0.2) + 0.1 * np.log2(0.1))
    assert scores.uncertainties(p, scores.LEAST_CONFIDENCE)[0] == pytest.approx(0.3 / (2 / 3))
    assert scores.uncertainties(p, scores.MARGIN)[0] == pytest.approx(0.5)
    assert scores.uncertainties(p, scores.ENTROPY)[0] == pytest.approx(entropy / np.log2(3))
    assert scores.uncertainties(np.ones((2, 1)), scores.ENTROPY).tolist() == [0, 0]


def test_object_frequency_counts_further_objects_of_a_class_a_quarter() -> None:
    effective = scores.effective_counts(np.array([[3.0, 0], [1.0, 1], [0.0, 0]]))
    assert effective.tolist() == [1.5, 2, 0]
    assert scores.object_frequencies(effective).tolist() == pytest.approx([0.975, 1.0, 0.9])
    assert scores.object_frequencies(np.array([2.0, 2.0])).tolist() == [1, 1]


def objects(*entries: dict[str, Any]) -> dict[str, Any]:
    base = {"category_id": 1, "bbox": [0, 0, 2, 2], "score": 0.8}
    return {"predictions": [{**base, **entry} for entry in entries]}


def entries_of(task: Task, *documents: dict[str, Any]) -> Entries:
    return Entries.of([parse_prediction(d, task) for d in documents], len(task.categories))


def test_scores_of_a_frame_with_objects_and_without() -> None:
    unsure = {"category_id": 4, "probabilities": [0.4, 0.6], "score": 0.5}
    frames = entries_of(DETECTION, objects({}, unsure), objects())
    assert frames.distribution().tolist() == [[1.4, 0.6], [0, 0]]
    assert frames.counts().tolist() == [[1, 1], [0, 0]]
    assert frames.score(scores.OBJECTNESS, "object-detection")[0] == pytest.approx(1 - 0.65)
    assert frames.score(scores.LEAST_CONFIDENCE, "object-detection")[0] == pytest.approx(0.8)
    for name in scores.SCORES_OF_TASK["object-detection"]:
        assert frames.score(name, "object-detection")[1] == 0


def test_segments_count_by_their_area_and_keypoints_by_their_confidence() -> None:
    segments = Task("t", "semantic-segmentation", (1, 4), ("car", "bus"))
    frame = entries_of(
        segments,
        {
            "predictions": [
                {
                    "category_id": 1,
                    "segmentation": [2, 2, 1, 3, 3, 1],
                    "score": 1.0,
                    "probabilities": [0.5, 0.5],
                },
                {"category_id": 4, "segmentation": [0, 2, 10], "score": 1.0},
            ]
        },
    )
    assert frame.weights.tolist() == [0.5, 2 / 12]
    (uncertainty,) = frame.score(scores.MARGIN, "semantic-segmentation")
    assert uncertainty == pytest.approx(0.5 / (0.5 + 2 / 12))
    keypoints = Task("t", "keypoint-detection", (0,), ("person",))
    body = {"category_id": 0, "keypoints": [1, 2, 0.5, 3, 4, 0.9], "score": 0.9}
    pose = entries_of(keypoints, {"predictions": [body]})
    assert pose.score(scores.MEAN_UNCERTAINTY, "keypoint-detection")[0] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "expected an object with a list of predictions"),
        ({"predictions": ["car"]}, r"predictions\[0\]: expected an object"),
        (objects({"category_id": 2}), "category_id 2 is not in"),
        (objects({"category_id": True}), "category_id True is not in"),
        (objects({"score": None}), "score None is not a number from 0 to 1"),
        (objects({}, {"bbox": [1, 2]}), r"predictions\[1\]: bbox: expected"),
        (objects({"bbox": [1, 2, 3, float("inf")]}), "bbox: expected"),
        (objects({"bbox": [1, 2, 3, 10**400]}), "bbox: expected"),
        (objects({"probabilities": [0.5]}), "expected 2 probabilities"),
        (objects({"probabilities": [0.5, 0.6]}), r"sum to 1\.1, not 1"),
        (objects({"probabilities": [1.5, -0.5]}), r"probability 1\.5 is not"),
    ],
)
def test_what_is_wrong_with_a_prediction_is_said(document: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_prediction(document, DETECTION)


def with_categories(*categories: dict[str, Any]) -> dict[str, Any]:
    return {"task_type": "classification", "categories": list(categories)}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "task_type None is not known"),
        ({"task_type": "detection"}, "did you mean object-detection"),
        ({"task_type": "classification"}, "expected a list of categories"),
        ({"task_type": "classification", "categories": [{"id": -1, "name": "a"}]}, "needs id >= 0"),
        (
            {"task_type": "classification", "categories": [{"id": 1, "name": "a"}] * 2},
            "there twice",
        ),
    ],
)
def test_what_is_wrong_with_a_task_is_said(document: Any, message: str) -> None:
    with pytest.raises(LightlyPipelineError, match=rf"schema\.json: .*{message}"):
        parse_task(document, "t", "predictions/t/schema.json")


def test_probabilities_are_in_the_order_of_category_ids() -> None:
    document = {
        "task_type": "classification",
        "categories": [{"id": 7, "name": "late"}, {"id": 0, "name": "early"}],
    }
    task = parse_task(document, "t", "schema.json")
    entry = {"category_id": 7, "probabilities": [0.25, 0.75]}
    frame = entries_of(task, {"predictions": [entry]})
    assert dict(zip(task.categories, frame.distribution()[0].tolist(), strict=True)) == {
        "early": 0.25,
        "late": 0.75,
    }
    assert frame.counts().tolist() == [[0, 1]]
