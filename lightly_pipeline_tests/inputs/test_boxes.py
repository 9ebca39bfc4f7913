"""The boxes of prediction files, and those of rules."""

from typing import Any

import numpy as np
import pytest

from lightly_pipeline.config import SelectionConfig
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.inputs.auto_tasks import shares_of
from lightly_pipeline.inputs.boxes import check_has_boxes, parse_boxes
from lightly_pipeline.inputs.predictions import parse_task

CATEGORIES = [{"id": 3, "name": "car"}]


def task(task_type: str) -> Any:
    return parse_task({"task_type": task_type, "categories": CATEGORIES}, "t", "schema.json")


def entry(**fields: Any) -> dict[str, Any]:
    return {"category_id": 3, "score": 0.5, **fields}


def parsed(task_type: str, *entries: dict[str, Any]) -> list[list[float]]:
    return parse_boxes({"predictions": list(entries)}, task(task_type)).tolist()


def test_boxes_come_in_the_order_of_the_entries() -> None:
    boxes = parsed("object-detection", entry(bbox=[1, 2.5, 3, 4]), entry(bbox=[0, 0, 9, 9]))
    assert boxes == [[1, 2.5, 3, 4], [0, 0, 9, 9]]
    assert parsed("instance-segmentation", entry(bbox=[1, 2, 3, 4], segmentation=[2, 1])) == [
        [1, 2, 3, 4]
    ]
    assert parsed("object-detection") == []


def test_keypoints_have_their_box_or_the_one_around_those_that_were_seen() -> None:
    points = [10, 20, 0.9, 0, 0, 0, 40, 25, 0.1]
    assert parsed("keypoint-detection", entry(keypoints=points)) == [[10, 20, 30, 5]]
    boxed = entry(keypoints=points, bbox=[1, 2, 3, 4])
    assert parsed("keypoint-detection", boxed) == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("task_type", "wrong", "message"),
    [
        ("object-detection", {"bbox": [1, 2, 0, 4]}, r"\[1\]: the box .* has no area"),
        ("object-detection", {"bbox": [1, 2, 3, -4]}, r"\[1\]: the box .* has no area"),
        ("object-detection", {"bbox": [1, 2, 3]}, r"\[1\]: bbox: expected \[x, y, width"),
        ("object-detection", {}, r"\[1\]: bbox: expected"),
        ("keypoint-detection", {"keypoints": [1, 2, 0]}, r"\[1\]: no bbox, and no box around"),
        ("keypoint-detection", {"keypoints": [1, 2, 0.5]}, r"\[1\]: no bbox, and no box around"),
        ("keypoint-detection", {"keypoints": [1, 2, 1], "bbox": [1]}, r"\[1\]: bbox: expected"),
        ("object-detection", {"bbox": [1, 2, 3, 4], "score": 7}, r"\[1\]: score 7"),
    ],
)
def test_a_wrong_entry_is_named(task_type: str, wrong: dict[str, Any], message: str) -> None:
    good = entry(bbox=[0, 0, 5, 5], keypoints=[0, 0, 1, 5, 5, 1])
    with pytest.raises(ValueError, match=r"predictions" + message):
        parsed(task_type, good, entry(**wrong))


@pytest.mark.parametrize("task_type", ["classification", "semantic-segmentation"])
def test_a_task_of_whole_frames_has_no_objects(task_type: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=f"{task_type}, which has no boxes"):
        check_has_boxes(task(task_type))


def rule(**options: Any) -> Any:
    block = {
        "n_samples": 5,
        "strategies": [{"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}],
        "auto_tasks": [{"name": "auto", **options}],
    }
    return SelectionConfig.from_block(block, "selection_config").auto_tasks[0]


def test_tiles_cover_the_picture_row_by_row() -> None:
    tiles = shares_of(rule(type="TILING", num_rows=2, num_cols=3))
    assert np.allclose(tiles[:, 2:], (1 / 3, 1 / 2))
    assert np.allclose(tiles[:, :2], [(c / 3, r / 2) for r in range(2) for c in range(3)])


def test_tiles_share_the_fraction_of_a_tile_that_overlap_says() -> None:
    tiles = shares_of(rule(type="TILING", numRows=1, numCols=4, overlap=0.25))
    width = tiles[0, 2]
    assert np.allclose(np.diff(tiles[:, 0]), 0.75 * width)
    assert tiles[-1, 0] + width == pytest.approx(1)


def test_crops_are_shares_of_the_picture() -> None:
    boxes = [[0, 0, 1, 0.5], [0.25, 0.5, 0.75, 0.5]]
    assert shares_of(rule(type="CROP", bboxs=boxes)).tolist() == boxes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"type": "TILING", "num_rows": 2}, "TILING needs num_cols"),
        ({"type": "TILING"}, "TILING needs num_rows and num_cols"),
        ({"type": "TILING", "num_rows": 0, "num_cols": 1}, "num_rows: .* greater than or equal"),
        (
            {"type": "TILING", "num_rows": 2, "num_cols": 2, "overlap": 1.0},
            "overlap is 1: a fraction of a tile below 1",
        ),
        (
            {"type": "TILING", "num_rows": 2, "num_cols": 2, "bboxs": [[0, 0, 1, 1]]},
            "bboxs does not belong to auto task type TILING",
        ),
        ({"type": "CROP"}, "CROP needs bboxs"),
        ({"type": "CROP", "bboxs": []}, "bboxs: list should have at least 1 item"),
        (
            {"type": "CROP", "bboxs": [[0, 0, 1, 1]], "num_rows": 2},
            "num_rows does not belong to auto task type CROP",
        ),
        ({"type": "CROP", "bboxs": [[0, 0, 1.5, 1]]}, "less than or equal to 1"),
        ({"type": "CROP", "bboxs": [[0.5, 0.5, 1, 1]]}, "reaches beyond .* shares of the picture"),
        ({"type": "CROP", "bboxs": [[0.5, 0.5, 0, 1]]}, "has no area"),
        ({"type": "CROP", "bboxs": [[0, 0, 1]]}, "at least 4 items"),
        ({"type": "TILE", "num_rows": 1, "num_cols": 1}, "TILING"),
        ({"type": "CROP", "bboxes": [[0, 0, 1, 1]]}, "did you mean bboxs"),
    ],
)
def test_a_wrong_rule_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=message):
        rule(**options)


def test_two_rules_need_two_names() -> None:
    tiling = {"type": "TILING", "name": "same", "num_rows": 1, "num_cols": 2}
    block = {
        "n_samples": 5,
        "strategies": [{"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}],
        "auto_tasks": [tiling, tiling],
    }
    with pytest.raises(InvalidConfigurationError, match="'same' is given twice"):
        SelectionConfig.from_block(block, "selection_config")
