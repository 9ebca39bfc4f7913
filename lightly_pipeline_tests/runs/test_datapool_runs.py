"""Runs that add to what was chosen before, sequences and exact copies, as a user runs them."""

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from lightly_pipeline import Dataset, LocalDatasource, RunResult, build_definitions, run
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.errors import DatapoolChangedError, LightlyPipelineError
from lightly_pipeline.runs.datapool import read_datapool
from lightly_pipeline.runs.tags import list_tags, tag_names
from lightly_pipeline_tests.support.selections import (
    DIVERSITY,
    H264,
    N_FRAMES,
    chosen,
    frame_file,
    local_dataset,
    put,
    put_schema,
    selection,
    strategy,
    vectors_of,
)
from lightly_pipeline_tests.support.videos import make_video

pytestmark = pytest.mark.slow

POOL = {"use_datapool": True}
ALL = {"use_datapool": True, "datasource": {"process_all": True}}


@pytest.fixture
def dataset(prepared_folder: Path) -> Dataset:
    return local_dataset(prepared_folder)


def choose(dataset: Dataset, n: int, worker: dict[str, Any] = POOL, *entries: Any) -> RunResult:
    return run(dataset, worker_config=worker, selection_config=selection(n, *entries))


def test_a_later_run_adds_frames_far_from_those_chosen_before(
    prepared_folder: Path, dataset: Dataset
) -> None:
    first = choose(dataset, 6)
    make_video(prepared_folder / "in", H264, "new.mp4", seed=7)
    second = choose(dataset, 4)
    assert second.n_selected == 4
    assert {video for video, _ in chosen(second)} == {"new.mp4"}
    assert second.summary["n_preselected"] == 6
    new = [("new.mp4", index) for index in range(N_FRAMES)]
    distances = np.linalg.norm(
        vectors_of(prepared_folder, new)[:, None]
        - vectors_of(prepared_folder, chosen(first))[None],
        axis=2,
    ).min(axis=1)
    assert chosen(second)[0] == new[int(np.argmax(distances))]
    assert [tag.run_id for tag in list_tags(dataset.lightly)] == [second.run_id, first.run_id]
    assert list_tags(dataset.lightly)[0].filenames == [
        f"{frame_file(*frame)}.png" for frame in chosen(second)
    ]


def test_all_videos_again_gives_the_rest_of_the_same_choice(dataset: Dataset) -> None:
    whole = chosen(run(dataset, selection_config=selection(12)))
    (dataset.lightly.root / ".lightly/tags/initial-tag.json").unlink()  # type: ignore[attr-defined]
    first, second = choose(dataset, 5, ALL), choose(dataset, 7, ALL)
    assert chosen(first) + chosen(second) == whole
    assert read_datapool(dataset.lightly).run_ids == (first.run_id, second.run_id)


def test_nothing_new_is_said_and_a_replaced_video_is_new(
    prepared_folder: Path, dataset: Dataset
) -> None:
    choose(dataset, 6)
    with pytest.raises(LightlyPipelineError, match=r"nothing new .* all 3 videos .*process_all"):
        choose(dataset, 6)
    make_video(prepared_folder / "in", H264, "a.mp4", seed=9)
    result = choose(dataset, 3)
    assert {video for video, _ in chosen(result)} == {"a.mp4"}
    assert result.summary["n_preselected"] == 6


def test_frames_of_deleted_videos_still_count(prepared_folder: Path, dataset: Dataset) -> None:
    first = choose(dataset, 6)
    gone = {video for video, _ in chosen(first)}
    for video in gone:
        shutil.copy2(
            prepared_folder / "in" / video,
            prepared_folder / "in" / f"copy of {video.rpartition('/')[2]}",
        )
        (prepared_folder / "in" / video).unlink()
    apart = {**DIVERSITY, "strategy": {"type": "DIVERSITY"}}
    apart["strategy"]["stopping_condition_minimum_distance"] = 1e-6
    again = choose(dataset, 1000, POOL, apart)
    copies = {(f"copy of {video.rpartition('/')[2]}", index) for video, index in chosen(first)}
    assert again.n_selected > 50
    assert not copies & set(chosen(again))


def test_the_first_datapool_run_takes_over_what_earlier_runs_chose(dataset: Dataset) -> None:
    whole = chosen(run(dataset, selection_config=selection(12)))
    added = choose(dataset, 5)
    assert not set(whole) & set(chosen(added))
    assert added.summary["n_preselected"] == 12
    assert chosen(run(dataset, selection_config=selection(12))) == whole
    assert choose(dataset, 2, ALL).summary["n_preselected"] == 17


def test_a_run_may_leave_the_datapool_as_it_was(dataset: Dataset) -> None:
    trial = {"use_datapool": True, "datasource": {"enable_datapool_update": False}}
    first = choose(dataset, 5, trial)
    assert read_datapool(dataset.lightly).number == 0
    assert chosen(choose(dataset, 5)) == chosen(first)


def test_weights_and_numbers_of_tables_count_earlier_frames(dataset: Dataset) -> None:
    put_schema(dataset.lightly, speed=("NUMERIC_FLOAT", 1.0))
    for index, speed in ((3, 50), (4, 40), (5, 30)):
        path = f"metadata/{frame_file('a.mp4', index)}.json"
        put(dataset.lightly, path, {"metadata": {"speed": speed}})
    entries = [
        strategy("WEIGHTS", {"type": "METADATA", "key": "speed"}),
        strategy(
            "THRESHOLD",
            {"type": "METADATA", "key": "lightly.width"},
            threshold=1,
            operation="BIGGER",
        ),
    ]
    assert chosen(choose(dataset, 2, ALL, *entries)) == [("a.mp4", 3), ("a.mp4", 4)]
    assert chosen(choose(dataset, 2, ALL, *entries))[0] == ("a.mp4", 5)


def at_once(calls: list[Callable[[], object]]) -> list[object]:
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
        return [future.exception() or future.result() for future in futures]


def test_of_two_runs_at_once_one_enters_the_datapool_and_the_other_leaves_nothing(
    dataset: Dataset,
) -> None:
    both_selected = threading.Barrier(2)

    def chooses(run_id: str) -> RunResult:
        # The last image is told by its thread, and by any that ends after it.
        has_waited = threading.Lock()

        def wait_before_upload(step: str, done: int, total: int | None, unit: str) -> None:
            if step == "upload" and done == total and has_waited.acquire(blocking=False):
                both_selected.wait(30)

        return run(
            dataset,
            worker_config=POOL,
            selection_config=selection(4),
            run_id=run_id,
            progress=wait_before_upload,
        )

    results = at_once([lambda: chooses("one"), lambda: chooses("two")])
    (lost,) = [result for result in results if isinstance(result, Exception)]
    (won,) = [result for result in results if isinstance(result, RunResult)]
    assert isinstance(lost, DatapoolChangedError)
    loser = {"one": "two", "two": "one"}[won.run_id]
    assert f"run {won.run_id} added frames" in str(lost)
    assert read_datapool(dataset.lightly).run_ids == (won.run_id,)
    assert tag_names(dataset.lightly) == ["initial-tag"]
    assert dataset.lightly.stat(f".lightly/runs/{loser}/manifest.json") is None

    again = run(dataset, worker_config=ALL, selection_config=selection(4), run_id=loser)
    assert not set(chosen(again)) & set(chosen(won))
    assert read_datapool(dataset.lightly).run_ids == (won.run_id, loser)


class _Overtaken(LocalDatasource):
    """A folder in which another run enters the datapool while the first image is written."""

    overtaking: Callable[[], object] | None = None

    def write(self, path: str, data: bytes, **conditions: Any) -> StoredObject:
        overtaking, self.overtaking = self.overtaking, None
        if overtaking and path.startswith(".lightly/frames/"):
            overtaking()
        else:
            self.overtaking = overtaking
        return super().write(path, data, **conditions)


def test_in_dagster_a_run_that_was_overtaken_is_retried_on_top_of_the_other(
    prepared_folder: Path,
) -> None:
    store = _Overtaken(prepared_folder / "out")
    dataset = Dataset("test", input=LocalDatasource(prepared_folder / "in"), lightly=store)
    other = local_dataset(prepared_folder)
    store.overtaking = lambda: choose(other, 4, ALL)
    definitions = build_definitions(dataset)
    assets = [asset for asset in definitions.assets if isinstance(asset, dg.AssetsDefinition)]
    blocks = {"worker_config": ALL, "selection_config": {"n_samples": 4}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [assets[-1]],
            instance=instance,
            resources=definitions.resources,
            run_config={"resources": {name: {"config": block} for name, block in blocks.items()}},
        )
    assert result.success
    newer, older = list_tags(dataset.lightly)
    assert read_datapool(dataset.lightly).run_ids == (older.run_id, newer.run_id)
    assert newer.run_id == result.run_id
    assert not set(newer.filenames) & set(older.filenames)


def test_a_run_that_died_after_it_entered_is_completed(dataset: Dataset) -> None:
    first = choose(dataset, 4)
    runs = dataset.lightly.root / ".lightly" / "runs"  # type: ignore[attr-defined]
    (runs / first.run_id / "manifest.json").unlink()
    (dataset.lightly.root / ".lightly/tags/initial-tag.json").unlink()  # type: ignore[attr-defined]
    repeated = run(dataset, worker_config=POOL, selection_config=selection(4), run_id=first.run_id)
    assert chosen(repeated) == chosen(first)

    (runs / first.run_id / "manifest.json").unlink()
    choose(dataset, 4, ALL)
    assert (runs / first.run_id / "manifest.json").exists()
    assert read_datapool(dataset.lightly).n_frames == 8


SEQUENCES = {"selected_sequence_length": 8}


def test_sequences_are_blocks_of_consecutive_frames_with_their_times(dataset: Dataset) -> None:
    result = choose(dataset, 24, SEQUENCES)
    blocks = [chosen(result)[start : start + 8] for start in range(0, 24, 8)]
    for block in blocks:
        (video, first), start = block[0], block[0][1] // 8 * 8
        assert first == start
        assert block == [(video, start + place) for place in range(8)]
    information = json.loads(
        dataset.lightly.read(f".lightly/runs/{result.run_id}/sequence_information.json")
    )
    assert [entry["frame_indices"] for entry in information] == [[i for _, i in b] for b in blocks]
    video, first = blocks[1][0]
    entry = information[1]
    assert entry["video_name"] == video
    assert entry["frame_names"][0] == f"{frame_file(video, first)}.png"
    assert entry["frame_timestamps_sec"] == pytest.approx([i / 25 for i in entry["frame_indices"]])
    assert all(isinstance(pts, int) for pts in entry["frame_timestamps_pts"])
    assert all(dataset.lightly.stat(frame.image) for frame in result.selected)


def test_the_first_sequences_are_farthest_first_among_mean_vectors(
    prepared_folder: Path, dataset: Dataset
) -> None:
    videos = ("a.mp4", "sub/b.mp4", "sub/c.mp4")
    starts = [(video, start) for video in videos for start in range(0, 35, 7)]
    means = np.array(
        [
            vectors_of(prepared_folder, [(v, s + i) for i in range(7)]).mean(axis=0)
            for v, s in starts
        ]
    )
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    picks, nearest = [0], np.full(len(means), np.inf)
    while len(picks) < 6:
        nearest = np.minimum(nearest, np.linalg.norm(means - means[picks[-1]], axis=1))
        picks.append(int(np.argmax(nearest)))
    result = choose(dataset, 42, {"selected_sequence_length": 7})
    assert chosen(result)[::7] == [starts[pick] for pick in picks]


def test_sequences_go_with_metadata_thresholds_classes_and_shares(dataset: Dataset) -> None:
    put_schema(dataset.lightly, speed=("NUMERIC_INT", 0), place=("CATEGORICAL_STRING", "city"))
    for index in range(10, 20):
        path = f"metadata/{frame_file('sub/b.mp4', index)}.json"
        document = {"metadata": {"speed": 10 if index < 15 else 0, "place": "field"}}
        put(dataset.lightly, path, document)
    speed, place = ({"type": "METADATA", "key": key} for key in ("speed", "place"))
    ten = {"selected_sequence_length": 10}
    fastest = choose(dataset, 10, ten, strategy("WEIGHTS", speed))
    assert chosen(fastest)[0] == ("sub/b.mp4", 10)
    above = strategy("THRESHOLD", speed, threshold=4.5, operation="BIGGER")
    assert choose(dataset, 120, ten, DIVERSITY, above).n_selected == 10
    in_field = strategy("BALANCE", place, target={"field": 0.5, "city": 0.5})
    assert ("sub/b.mp4", 10) in chosen(choose(dataset, 20, ten, in_field))
    share = {"proportion_samples": 0.3, "strategies": [DIVERSITY]}
    assert run(dataset, worker_config=ten, selection_config=share).n_selected == 30
    with pytest.raises(LightlyPipelineError, match="no video has 41 consecutive frames"):
        choose(dataset, 41, {"selected_sequence_length": 41})


def test_sequences_add_to_a_datapool_and_leave_its_blocks_alone(dataset: Dataset) -> None:
    first = choose(dataset, 24, {**ALL, **SEQUENCES})
    second = choose(dataset, 1000, {**ALL, **SEQUENCES})
    assert second.n_selected == 3 * N_FRAMES - 24
    assert not set(chosen(first)) & set(chosen(second))


def test_copies_are_counted_and_left_out_on_demand(prepared_folder: Path, dataset: Dataset) -> None:
    shutil.copy2(prepared_folder / "in" / "a.mp4", prepared_folder / "in" / "z copy.mp4")
    result = run(dataset, selection_config=selection(1000))
    assert result.n_selected == 4 * N_FRAMES
    counts = result.summary["duplicates"]
    assert counts == {"n_duplicates": 40, "equal_pixels": 40, "equal_embeddings": 40}
    own = {"remove_exact_duplicates": True}
    result = run(dataset, selection_config=selection(1000), pipeline_config=own)
    assert result.n_selected == 3 * N_FRAMES
    assert "z copy.mp4" not in {video for video, _ in chosen(result)}
    names = dataset.lightly.read(f".lightly/runs/{result.run_id}/duplicate_filenames.txt")
    assert names.decode().splitlines() == [
        f"{frame_file('z copy.mp4', index)}.png" for index in range(N_FRAMES)
    ]


def test_copies_of_frames_chosen_earlier_are_copies(
    prepared_folder: Path, dataset: Dataset
) -> None:
    choose(dataset, 120)
    shutil.copy2(prepared_folder / "in" / "a.mp4", prepared_folder / "in" / "0 copy.mp4")
    make_video(prepared_folder / "in", H264, "new.mp4", seed=7)
    result = run(
        dataset,
        worker_config=POOL,
        selection_config=selection(1000),
        pipeline_config={"remove_exact_duplicates": True},
    )
    assert {video for video, _ in chosen(result)} == {"new.mp4"}
