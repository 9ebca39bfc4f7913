"""The report of real runs: what is in it, when there is none, and what never leaves the page."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.layout import run_path
from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline.report import pdf
from lightly_pipeline.report.gather.stored import read_choice
from lightly_pipeline.report.numbers import Preview, Report
from lightly_pipeline.runs.records import read_selection
from lightly_pipeline.steps.listing import list_catalog
from lightly_pipeline.steps.processing import process_videos
from lightly_pipeline.steps.reporting import report_of, report_run
from lightly_pipeline.steps.selecting import select_frames
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.steps.uploading import UploadedRun, upload_frames
from lightly_pipeline_tests.steps.test_replacing import RECIPE, spoil
from lightly_pipeline_tests.support.lossy import CAMERAS, indexed
from lightly_pipeline_tests.support.selections import (
    DIVERSITY,
    N_FRAMES,
    VIDEOS,
    local_dataset,
    put,
    put_schema,
    selection,
    strategy,
    vectors_of,
)
from lightly_pipeline_tests.support.videos import make_video

pytestmark = pytest.mark.slow

SPEED = {"type": "METADATA", "key": "gps.speed"}
PLACE = {"type": "METADATA", "key": "place"}
SHARPNESS = {"type": "METADATA", "key": "lightly.sharpness"}
CHOSEN_ONLY = {"report_previews": "chosen"}


@pytest.fixture
def dataset(prepared_folder: Path) -> Dataset:
    return local_dataset(prepared_folder)


def begun(dataset: Dataset, config: dict[str, Any], run_id: str = "one", **blocks: Any) -> Run:
    """A run that has selected."""
    blocks = {"selection_config": config, **blocks}
    made = Run(dataset, resolve_config(dataset, **blocks), run_id)
    select_frames(made, process_videos(made, list_catalog(made)))
    return made


def reported(
    dataset: Dataset, config: dict[str, Any], run_id: str = "one", **blocks: Any
) -> tuple[Report, UploadedRun]:
    made = begun(dataset, config, run_id, **blocks)
    uploaded = upload_frames(made)
    report_run(made, uploaded)
    return report_of(made, uploaded, {}, 0), uploaded


def spoilt(folder: Path, n: int) -> tuple[Dataset, Run]:
    """A run over two videos of twelve frames, two of whose choices cannot be decoded again."""
    for seed, name in enumerate(("a.mov", "b.mov")):
        make_video(folder / "in", RECIPE, name, seed=seed)
    dataset = local_dataset(folder)
    made = begun(dataset, selection(n))
    frames = read_selection(dataset.lightly, "one").frames
    lost = [frame.frame_index for frame in frames if frame.video == "a.mov"][:2]
    spoil(made, folder, "a.mov", lost)
    return dataset, made


def pixels(preview: Preview | None) -> np.ndarray:
    assert preview is not None
    image = Image.open(io.BytesIO(preview.content))
    assert image.size == (preview.width, preview.height)
    assert max(image.size) <= 160
    return np.asarray(image.convert("RGB")).astype(float)


def looks_like(preview: Preview | None, image: Image.Image) -> bool:
    found = pixels(preview)
    small = image.convert("RGB").resize((found.shape[1], found.shape[0]), Image.Resampling.BOX)
    return float(np.abs(found - np.asarray(small)).mean()) < 8


def files_of(dataset: Dataset, run_id: str = "one") -> dict[str, bytes]:
    folder = run_path(run_id, "")
    return {
        item.path.removeprefix(folder): dataset.lightly.read(item.path)
        for item in dataset.lightly.list(folder)
    }


def comparable(report: Report) -> dict[str, Any]:
    """Everything of a report but times and the run's name; arrays as lists."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.tolist()
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        if hasattr(value, "__dataclass_fields__"):
            return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
        return value

    found: dict[str, Any] = plain(report)
    del found["facts"]
    return found


def test_the_report_shows_what_was_chosen_and_what_it_stands_for(
    dataset: Dataset, prepared_folder: Path
) -> None:
    report, uploaded = reported(dataset, selection(9))
    frames = [(frame.video, frame.frame_index) for frame in report.chosen]
    assert frames == [(image.video, image.frame_index) for image in uploaded.images]
    unit = vectors_of(prepared_folder, [(v, i) for v in VIDEOS for i in range(N_FRAMES)])
    own = vectors_of(prepared_folder, frames)
    pairs = np.linalg.norm(unit[:, None] - own[None], axis=2)
    for frame, image in zip(report.chosen, uploaded.images, strict=True):
        assert frame.image == image.image
        assert frame.time_s == image.time_s
        assert frame.decided_by == "DIVERSITY of EMBEDDINGS"
        assert looks_like(frame.preview, Image.open(prepared_folder / "out" / image.image))
        if frame.rank:
            before = np.linalg.norm(own[: frame.rank] - own[frame.rank], axis=1)
            assert frame.distance == pytest.approx(before.min(), abs=1e-6)
            assert frame.nearest_rank is not None
            assert before[frame.nearest_rank] == pytest.approx(before.min(), abs=1e-6)
    this = report.coverage[0]
    assert this.n.tolist() == list(range(1, 10))
    for n, median, largest in zip(this.n, this.median, this.largest, strict=True):
        nearest = pairs[:, :n].min(axis=1)
        assert (median, largest) == pytest.approx((np.median(nearest), nearest.max()), abs=1e-6)
    assert this.largest[-1] == pytest.approx(uploaded.record.summary["coverage_radius"])
    by_frame = {
        (v, i): row for row, (v, i) in enumerate((v, i) for v in VIDEOS for i in range(N_FRAMES))
    }
    assert len(report.twins) == 12
    for twin in report.twins:
        assert (twin.video, twin.frame_index) not in frames
        row = by_frame[twin.video, twin.frame_index]
        assert twin.distance == pytest.approx(pairs[row].min(), abs=1e-6)
        assert pairs[row, twin.rank] == pytest.approx(pairs[row].min(), abs=1e-6)
    assert [line.video for line in report.timelines] == list(VIDEOS)
    for line in report.timelines:
        of_video = sorted((f.frame_index, f.rank) for f in report.chosen if f.video == line.video)
        assert line.chosen == tuple(rank for _, rank in of_video)
        assert (line.n_frames, line.n_sampled_out) == (N_FRAMES, 0)
        assert (line.damaged, line.left_out) == ((), ())
    assert report.map is not None
    assert report.map.density.sum() == 120
    assert len(report.map.points) == 120
    assert [h.pool.sum() for h in report.histograms] == [120] * 7
    assert [h.chosen.sum() for h in report.histograms] == [9] * 7
    assert report.sizes.n_candidates == report.sizes.n_input_frames == 120
    assert report.sizes.n_selected == 9


def test_twins_are_shown_as_the_video_has_them(dataset: Dataset, tmp_path: Path) -> None:
    report, _ = reported(dataset, selection(3))
    everything = run(
        Dataset("all", input=dataset.input, lightly=LocalDatasource(tmp_path / "all")),
        selection_config=selection(120),
    )
    images = {(f.video, f.frame_index): f.image for f in everything.selected}
    assert {twin.kind for twin in report.twins} == {"closest", "median", "farthest"}
    for twin in report.twins:
        image = Image.open(tmp_path / "all" / images[twin.video, twin.frame_index])
        assert looks_like(twin.preview, image)


@pytest.mark.parametrize("image_format", ["png", "jpg", "webp", "bmp", "tiff"])
def test_a_preview_is_the_same_of_a_new_image_and_of_one_that_was_there(
    dataset: Dataset, image_format: str
) -> None:
    worker = {"output_image_format": image_format, "resize": 100}
    first, _ = reported(dataset, selection(6), "one", worker_config=worker)
    second, _ = reported(dataset, selection(6), "two", worker_config=worker)
    previews = [frame.preview for frame in first.chosen]
    assert None not in previews
    assert [frame.preview for frame in second.chosen] == previews
    assert {(p.width, p.height) for p in previews if p} == {(133, 100)}


class CountingDatasource(LocalDatasource):
    """A folder that counts how often a file is opened for reading."""

    opened = 0

    def open(self, *args: Any, **options: Any) -> BinaryIO:
        self.opened += 1
        return super().open(*args, **options)


def counting(folder: Path) -> tuple[Dataset, Callable[[], int]]:
    source = CountingDatasource(folder / "in")
    found = Dataset("test", input=source, lightly=LocalDatasource(folder / "out"))
    object.__setattr__(source, "patient", lambda _: source)
    return found, lambda: source.opened


def test_a_second_run_opens_no_video_and_shows_the_chosen_frames_all_the_same(
    prepared_folder: Path,
) -> None:
    dataset, opened = counting(prepared_folder)
    first, _ = reported(dataset, selection(6), "one")
    assert opened()
    before = opened()
    second, _ = reported(dataset, selection(6), "two")
    assert opened() == before
    assert [f.preview for f in second.chosen] == [f.preview for f in first.chosen]
    assert all(twin.preview for twin in first.twins)
    assert not any(twin.preview for twin in second.twins)
    assert [(t.video, t.frame_index, t.distance) for t in second.twins] == [
        (t.video, t.frame_index, t.distance) for t in first.twins
    ]


def test_a_run_that_makes_some_images_shows_all_that_was_left_out(dataset: Dataset) -> None:
    reported(dataset, selection(6), "one")
    report, _ = reported(dataset, selection(7), "two")
    assert all(twin.preview for twin in report.twins)


def test_an_upload_that_is_resumed_gives_the_same_report(dataset: Dataset, tmp_path: Path) -> None:
    whole, _ = reported(dataset, selection(20))
    other = Dataset("test", input=dataset.input, lightly=LocalDatasource(tmp_path / "other"))
    made = begun(other, selection(20))

    def stop(step: str, done: int, total: int | None, unit: str) -> None:
        if step == "upload" and done == 12:
            raise KeyboardInterrupt

    interrupted = Run(other, made.config, "one", progress=ProgressMeter(stop))
    with pytest.raises(KeyboardInterrupt):
        upload_frames(interrupted)
    n_before = len(list(other.lightly.list(".lightly/frames/")))
    assert n_before > 0
    resumed = upload_frames(made)
    assert comparable(report_of(made, resumed, {}, 0)) == comparable(whole)
    again = upload_frames(made)
    assert comparable(report_of(made, again, {}, 0)) == comparable(whole)


def test_previews_of_left_out_frames_are_left_out_when_asked_for(dataset: Dataset) -> None:
    report, _ = reported(dataset, selection(5), pipeline_config=CHOSEN_ONLY)
    assert len(report.twins) == 12
    assert not any(twin.preview for twin in report.twins)
    chosen = {frame.preview.content for frame in report.chosen if frame.preview}
    assert len(chosen) == 5
    every, _ = reported(dataset, selection(5), "every")
    left_out = {twin.preview.content for twin in every.twins if twin.preview} - chosen
    files = files_of(dataset)
    for content in left_out:
        assert not any(_holds(file, content) for file in files.values())
    assert all(any(_holds(file, content) for file in files.values()) for content in chosen)


def _holds(file: bytes, picture: bytes) -> bool:
    import base64

    return picture in file or base64.b64encode(picture) in file


def test_no_picture_of_a_left_out_frame_is_a_file_and_none_is_stored_outside_the_documents(
    dataset: Dataset, prepared_folder: Path
) -> None:
    report, uploaded = reported(dataset, selection(5))
    pictures = [twin.preview.content for twin in report.twins if twin.preview]
    assert len(pictures) == 12
    holding = {
        path.name
        for path in (prepared_folder / "out").rglob("*")
        if path.is_file() and any(_holds(path.read_bytes(), picture) for picture in pictures)
    }
    assert holding <= {"report.html", "report.pdf"}
    images = set((prepared_folder / "out").rglob("*.png"))
    assert images == {prepared_folder / "out" / image.image for image in uploaded.images}


def test_there_is_no_report_and_no_trace_of_one_when_it_is_off(dataset: Dataset) -> None:
    result = run(dataset, {"upload_report": False}, selection_config=selection(4), run_id="off")
    assert result.report is None
    assert result.coverage == {}
    names = set(files_of(dataset, "off"))
    assert "manifest.json" in names
    assert not {name for name in names if "report" in name}


def test_the_result_names_the_page_and_what_the_choice_covers(dataset: Dataset) -> None:
    result = run(dataset, selection_config=selection(4), run_id="one")
    assert result.report is not None
    assert Path(result.report).name == "report.html"
    assert "<html" in Path(result.report).read_text()
    assert list(result.seconds) == [
        "catalog",
        "decode_and_embed",
        "select",
        "upload",
        "report",
        "total",
    ]
    radius = result.summary["coverage_radius"]
    assert result.coverage["this choice"]["largest"] == pytest.approx(radius)
    assert set(result.coverage) == {"this choice", "random", "evenly in time"}
    assert {"report.html", "report.pdf", "report_v2.json"} <= set(files_of(dataset))


def test_any_number_of_threads_gives_the_same_report(dataset: Dataset, tmp_path: Path) -> None:
    reports = []
    for threads in (1, 3):
        other = Dataset("t", input=dataset.input, lightly=LocalDatasource(tmp_path / str(threads)))
        worker = {"num_threads": threads}
        reports.append(comparable(reported(other, selection(8), worker_config=worker)[0]))
    assert reports[0] == reports[1]


def test_what_a_report_says_of_its_choice_is_read_as_it_was_written(dataset: Dataset) -> None:
    put_schema(dataset.lightly, place=("CATEGORICAL_STRING", "road"))
    balanced = strategy("BALANCE", PLACE, distribution="UNIFORM")
    made = begun(dataset, selection(6, DIVERSITY, balanced))
    first, second = (read_choice(dataset.lightly, "one") for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.map is not None
    assert first.map.points.dtype == np.float32
    assert first.map.point_video.dtype == np.int32
    assert first.are_of(upload_frames(made).record)


def test_damaged_parts_are_on_the_timeline_and_their_frames_take_no_part(tmp_path: Path) -> None:
    lossy = CAMERAS["h264.ts"].received(0.02, 4)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "camera.mpg").write_bytes(lossy)
    (tmp_path / "in" / "broken.mp4").write_bytes(b"no video")
    report, _ = reported(local_dataset(tmp_path), selection(5))
    rows = indexed(lossy)
    (line,) = report.timelines
    assert line.damaged
    for row in rows:
        if row.time_s is None:
            continue
        inside = any(start <= row.time_s < end for start, end in line.damaged)
        assert inside == row.damaged, row.index
    assert report.sizes.n_damaged_frames == sum(row.damaged for row in rows)
    assert report.sizes.n_candidates == sum(not row.damaged for row in rows)
    assert report.sizes.n_corrupt_videos == 1
    assert [p.place for p in report.problems if p.kind == "video"] == ["broken.mp4"]


def test_sequences(dataset: Dataset) -> None:
    worker = {"selected_sequence_length": 4}
    report, uploaded = reported(dataset, selection(12), worker_config=worker)
    assert len(report.chosen) == 12
    assert all(frame.nearest_rank is None for frame in report.chosen[:4])
    for frame in report.chosen[4:]:
        assert frame.nearest_rank is not None
        assert frame.nearest_rank < frame.rank - frame.rank % 4
    assert report.coverage[0].n[-1] == 12
    assert report.sizes.n_candidates == 120
    assert uploaded.record.summary["n_sequences"] == 3


def test_what_earlier_runs_chose_counts_from_the_start(
    dataset: Dataset, prepared_folder: Path
) -> None:
    pool = {"use_datapool": True, "datasource": {"process_all": True}}
    first, _ = reported(dataset, selection(5), "first", worker_config=pool)
    report, _ = reported(dataset, selection(4), "second", worker_config=pool)
    assert report.sizes.n_preselected == 5
    assert report.sizes.n_candidates == 115
    earlier = vectors_of(prepared_folder, [(f.video, f.frame_index) for f in first.chosen])
    own = vectors_of(prepared_folder, [(f.video, f.frame_index) for f in report.chosen])
    candidates = [(v, i) for v in VIDEOS for i in range(N_FRAMES)]
    for frame in first.chosen:
        candidates.remove((frame.video, frame.frame_index))
    unit = vectors_of(prepared_folder, candidates)
    for curve in report.coverage[:1]:
        for n, largest in zip(curve.n, curve.largest, strict=True):
            chosen = np.concatenate([earlier, own[:n]])
            nearest = np.linalg.norm(unit[:, None] - chosen[None], axis=2).min(axis=1)
            assert largest == pytest.approx(nearest.max(), abs=1e-6)
    assert report.chosen[0].nearest_rank is None
    assert report.chosen[0].distance is not None
    left_out = sum(len(line.left_out) > 0 for line in report.timelines)
    assert left_out == len({frame.video for frame in first.chosen})


def test_strategies_leave_balances_histograms_and_thresholds(dataset: Dataset) -> None:
    put_schema(dataset.lightly, gps__speed=("NUMERIC_INT", 3), place=("CATEGORICAL_STRING", "road"))
    put(dataset.lightly, "metadata/sub/c.json", {"metadata": {"gps": {"speed": 9}}})
    put(dataset.lightly, "metadata/a.json", {"metadata": {"place": "tunnel"}})
    slow = strategy("THRESHOLD", SPEED, threshold=5, operation="SMALLER")
    sharp = strategy("THRESHOLD", SHARPNESS, threshold=0, operation="BIGGER_EQUAL")
    even = strategy("BALANCE", PLACE, distribution="TARGET", target={"tunnel": 0.75})
    report, uploaded = reported(dataset, selection(8, DIVERSITY, slow, sharp, even))
    by_name = {one.name: one for one in report.histograms}
    speed = by_name["gps.speed"]
    assert (speed.threshold, speed.n_removed) == (("SMALLER", 5.0), N_FRAMES)
    assert speed.edges is not None
    assert speed.pool[np.digitize(9, speed.edges) - 1] == N_FRAMES
    assert speed.chosen.sum() == speed.chosen[np.digitize(3, speed.edges) - 1] == 8
    assert speed.pool_metrics["max"] == 9
    assert speed.chosen_metrics["max"] == 3
    assert by_name["sharpness"].threshold == ("BIGGER_EQUAL", 0.0)
    assert by_name["sharpness"].n_removed == 0
    place = by_name["place"]
    assert dict(zip(place.labels, place.pool.tolist(), strict=True)) == {"road": 80, "tunnel": 40}
    (balance,) = report.balances
    outcome = next(s for s in uploaded.record.summary["strategies"] if "target" in s)
    assert (balance.asked, balance.reached) == (outcome["target"], outcome["achieved"])
    # The threshold has removed one of the two videos on the road.
    assert balance.pool == pytest.approx({"tunnel": 0.5, "(all others)": 0.5})
    assert report.sizes.n_removed_by_threshold == N_FRAMES
    (line,) = [line for line in report.timelines if line.video == "sub/c.mp4"]
    assert len(line.left_out) == 1


def test_sampled_out_frames_are_counted_and_a_window_is_left_out(dataset: Dataset) -> None:
    whole, _ = reported(dataset, selection(3), "whole")
    lines = {line.video: line for line in whole.timelines}
    first, last = lines["a.mp4"].start_s, lines["a.mp4"].duration_s
    start, end = first + 0.3 * (last - first), first + 0.7 * (last - first)
    sampling = {"frame_sampling": {"every_nth": 2, "start_s": start, "end_s": end}}
    report, _ = reported(dataset, selection(3), pipeline_config=sampling)
    for line in report.timelines:
        in_table = [
            i for i in range(0, N_FRAMES, 2) if start <= time_of(lines, line.video, i) < end
        ]
        assert line.n_sampled_out == N_FRAMES - len(in_table)
        assert line.duration_s == pytest.approx(last, abs=0.1)
        (before, after) = line.left_out
        assert before[1] == pytest.approx(time_of(lines, line.video, in_table[0]))
        assert after[0] == pytest.approx(time_of(lines, line.video, in_table[-1]))
    assert report.sizes.n_input_frames == 120
    assert report.sizes.n_candidates == sum(
        N_FRAMES - line.n_sampled_out for line in report.timelines
    )


def time_of(lines: dict[str, Any], video: str, index: int) -> float:
    line = lines[video]
    return float(line.start_s + index / (N_FRAMES - 1) * (line.duration_s - line.start_s))


def test_copies_that_were_removed_are_no_candidates(tmp_path: Path, prepared_folder: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "twin.mp4"):
        content = (prepared_folder / "in" / "a.mp4").read_bytes()
        (tmp_path / "in" / name).write_bytes(content)
    removing = {"remove_exact_duplicates": True}
    report, uploaded = reported(local_dataset(tmp_path), selection(5), pipeline_config=removing)
    n_copies = uploaded.record.summary["duplicates"]["n_duplicates"]
    assert n_copies >= N_FRAMES
    assert report.sizes.n_removed_duplicates == report.sizes.n_duplicates == n_copies
    assert report.sizes.n_candidates == 2 * N_FRAMES - n_copies
    first, second = report.timelines
    assert (second.chosen, len(second.left_out)) == ((), 1)
    assert len(first.chosen) == 5
    assert {twin.video for twin in report.twins} == {"a.mp4"}


def test_half_the_memory_gives_the_same_report(dataset: Dataset, tmp_path: Path) -> None:
    half = {"selection_memory": "half"}
    other = Dataset("t", input=dataset.input, lightly=LocalDatasource(tmp_path / "other"))
    first, _ = reported(dataset, selection(8))
    second, _ = reported(other, selection(8), pipeline_config=half)
    assert comparable(first) == comparable(second)


def test_replaced_frames_are_in_the_report_as_they_are_now(tmp_path: Path) -> None:
    dataset, run_ = spoilt(tmp_path, 6)
    uploaded = upload_frames(run_)
    assert uploaded.choice is not None
    report = report_of(run_, uploaded, {}, 0)
    assert report.sizes.n_replaced == 2
    assert {p.place for p in report.problems if p.kind == "replaced"} == {
        f"{one.video} (frame {one.frame_index})" for one in uploaded.record.replaced
    }
    frames = [(frame.video, frame.frame_index) for frame in report.chosen]
    assert frames == [(f.video, f.frame_index) for f in uploaded.record.frames]
    assert all(frame.preview and frame.image for frame in report.chosen)
    by_rank = [rank for line in report.timelines for rank in line.chosen]
    assert sorted(by_rank) == list(range(6))
    assert report_run(run_, uploaded).report is not None
    assert dataset.lightly.stat(run_path("one", "report.html")) is not None


def test_frames_that_nothing_replaces_leave_a_report_of_the_others(tmp_path: Path) -> None:
    _, run_ = spoilt(tmp_path, 24)
    uploaded = upload_frames(run_)
    report = report_of(run_, uploaded, {}, 0)
    assert len(report.chosen) == report.sizes.n_selected == 22
    assert report.sizes.n_missing == 2
    assert {p.kind for p in report.problems} == {"not stored"}
    for line in report.timelines:
        for rank in line.chosen:
            assert report.chosen[rank].video == line.video
    assert report.map is not None
    assert len(report.map.chosen) == 22
    assert report_run(run_, uploaded).report is not None


def test_a_report_that_fails_costs_nothing_but_itself(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(report: Report) -> bytes:
        raise ValueError("no ink")

    monkeypatch.setattr(pdf, "render", fail)
    result = run(dataset, selection_config=selection(4), run_id="one")
    assert result.n_selected == 4
    assert result.report is not None
    assert result.tag == "initial-tag"
    names = set(files_of(dataset))
    assert {"report.html", "report_v2.json"} <= names
    assert "report.pdf" not in names
    assert "report.pdf could not be made (ValueError: no ink)" in caplog.text
    assert "no ink" in files_of(dataset)["log.txt"].decode()


class FullDatasource(LocalDatasource):
    """A folder that takes no report."""

    def write(self, path: str, content: bytes, **options: Any) -> None:
        if path.endswith("report.html"):
            raise DatasourceError("no answer")
        super().write(path, content, **options)


def test_a_store_that_fails_is_a_failure_that_running_again_mends(
    dataset: Dataset, prepared_folder: Path
) -> None:
    store = FullDatasource(prepared_folder / "out")
    object.__setattr__(store, "patient", lambda _: store)
    broken = Dataset("test", input=dataset.input, lightly=store)
    with pytest.raises(DatasourceError, match="no answer"):
        run(broken, selection_config=selection(4), run_id="one")
    assert "manifest.json" in files_of(dataset)
    result = run(dataset, selection_config=selection(4), run_id="one")
    assert result.report is not None
    assert result.tag == "initial-tag"


def test_the_figures_of_page_and_document_are_those_of_the_report(dataset: Dataset) -> None:
    report, _ = reported(dataset, selection(6))
    document = json.loads(files_of(dataset)["report_v2.json"])
    cover = document["datasetAnalysis"]["embeddingInformation"]["distanceToCoverInput"]
    assert cover["selected"]["metrics"]["max"] == report.coverage[0].largest[-1]
    assert cover["selected"]["metrics"]["median"] == report.coverage[0].median[-1]
