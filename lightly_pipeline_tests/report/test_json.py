"""`report_v2.json` has the original's shape, with a value wherever one is known."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from lightly_pipeline import run
from lightly_pipeline.layout import run_path
from lightly_pipeline_tests.support.selections import (
    DIVERSITY,
    local_dataset,
    put_schema,
    selection,
    strategy,
)

pytestmark = pytest.mark.slow


class Strict(BaseModel):
    """camelCase on the wire; nothing that is not listed."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Sizes(Strict):
    n_input: int
    n_corrupt: int
    n_duplicate: int
    n_removed: int
    n_selected: int
    n_preselected_datapool: int | None
    n_selected_with_datapool: int | None


class WorkerInformation(Strict):
    build_time: str | None
    build_version: str | None


class RunInformation(Strict):
    start_timestamp: int
    end_timestamp: int
    total_processing_time_s: float
    run_id: str
    run_url: str | None


class DatasetInformation(Strict):
    dataset_sizes: Sizes
    video_level_sizes: Sizes | None
    dataset_id: str
    dataset_url: str | None
    dataset_name: str


class Savings(Strict):
    image_classification: float | None
    object_detection: float | None
    semantic_segmentation: float | None


class Example(Strict):
    selected_image: str
    removed_image: str
    distance: float


class General(Strict):
    worker_information: WorkerInformation
    run_information: RunInformation
    dataset_information: DatasetInformation
    annotation_savings: Savings
    selected_and_removed_image_examples: list[Example]


class Metrics(Strict):
    mean: float | None
    std: float | None
    min: float | None
    median: float | None
    max: float | None


class Numeric(Strict):
    counts: list[int]
    bin_edges: list[float]
    metrics: Metrics


class Categorical(Strict):
    counts: dict[str, int]
    metrics: dict[str, Any]


class Scatter(Strict):
    pca_embedding_data: dict[str, list[tuple[float, float]]] | None
    umap_embedding_data: dict[str, list[tuple[float, float]]] | None


class Embeddings(Strict):
    distance_to_nearest_neighbor_in_set: dict[str, Numeric | None]
    distance_to_cover_input: dict[str, Numeric | None]
    scatter_plot_data: Scatter


class Metadata(Strict):
    lightly_numeric: dict[str, dict[str, Numeric]]
    custom_numeric: dict[str, dict[str, Numeric]]
    custom_categorical: dict[str, dict[str, Categorical]]


class Analysis(Strict):
    embedding_information: Embeddings
    metadata_information: Metadata


class ReportV2(Strict):
    general_information: General
    dataset_analysis: Analysis
    prediction_task_information: dict[str, Any]


def document_of(folder: Any, config: dict[str, Any], **blocks: Any) -> ReportV2:
    dataset = local_dataset(folder)
    run(dataset, selection_config=config, run_id="one", **blocks)
    content = dataset.lightly.read(run_path("one", "report_v2.json"))
    json.loads(content, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return ReportV2.model_validate_json(content, strict=True)


def test_it_has_the_shape_and_the_numbers_of_the_run(prepared_folder: Any) -> None:
    put_schema(
        local_dataset(prepared_folder).lightly,
        place=("CATEGORICAL_STRING", "road"),
        speed=("NUMERIC_INT", 3),
    )
    config = selection(
        6,
        DIVERSITY,
        strategy("BALANCE", {"type": "METADATA", "key": "place"}, distribution="UNIFORM"),
        strategy("WEIGHTS", {"type": "METADATA", "key": "speed"}),
    )
    found = document_of(prepared_folder, config)
    sizes = found.general_information.dataset_information.dataset_sizes
    assert (sizes.n_input, sizes.n_selected, sizes.n_removed) == (120, 6, 114)
    assert sizes.n_selected_with_datapool == 6
    times = found.general_information.run_information
    assert times.start_timestamp <= times.end_timestamp
    for example in found.general_information.selected_and_removed_image_examples:
        assert example.selected_image.endswith("-mp4.png")
        assert example.removed_image.endswith("-mp4.png")
    metadata = found.dataset_analysis.metadata_information
    assert "sharpness" in metadata.lightly_numeric
    assert metadata.custom_categorical["place"]["input"].counts == {"road": 120}
    assert metadata.custom_numeric["speed"]["selected"].metrics.mean == 3
    cover = found.dataset_analysis.embedding_information.distance_to_cover_input
    assert cover["selected"] is not None
    assert sum(cover["selected"].counts) == 120


def test_a_run_of_one_frame_has_one_too(prepared_folder: Any) -> None:
    found = document_of(prepared_folder, selection(1))
    among = found.dataset_analysis.embedding_information.distance_to_nearest_neighbor_in_set
    assert among["selected"] is None
    assert among["input"] is not None


def test_everything_chosen_leaves_no_twin(prepared_folder: Any) -> None:
    found = document_of(prepared_folder, selection(500))
    assert found.general_information.selected_and_removed_image_examples == []
