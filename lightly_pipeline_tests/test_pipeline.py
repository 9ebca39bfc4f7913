"""The whole chain as a user runs it: videos in a folder, diverse frames out."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from lightly_pipeline import Dataset, LocalDatasource, RunResult, run
from lightly_pipeline.console import describe as cli_summary
from lightly_pipeline.errors import (
    DatasourceError,
    InvalidConfigurationError,
    LightlyPipelineError,
)
from lightly_pipeline.layout import image_name, table_folder
from lightly_pipeline.steps.listing import list_catalog
from lightly_pipeline.steps.processing import process_videos
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.tables import source as table_source
from lightly_pipeline.video import DecodeLimits
from lightly_pipeline_tests.support.stores import refuse_table
from lightly_pipeline_tests.support.streams import cut_at_key
from lightly_pipeline_tests.support.traits import TRAITS_BY_NAME
from lightly_pipeline_tests.support.videos import RECIPES, Recipe, make_video

pytestmark = pytest.mark.slow

BY_NAME = {recipe.name: recipe for recipe in RECIPES}
LONGER = Recipe("long.mp4", "libx264", 300, options=BY_NAME["h264.mp4"].options)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    make_video(folder, BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(folder, BY_NAME["cinepak.avi"], "sub/b.AVI", seed=2)
    make_video(folder, BY_NAME["mpeg2.mpg"], "sub/deep er/c.mpg", seed=3)
    make_video(folder, BY_NAME["h265.hevc"], "d.hevc", seed=4)
    return folder


def dataset(tmp_path: Path, folder: str = "out") -> Dataset:
    return Dataset(
        "test", input=LocalDatasource(tmp_path / "in"), lightly=LocalDatasource(tmp_path / folder)
    )


def chosen(result: RunResult) -> list[tuple[str, int]]:
    return [(frame.video, frame.frame_index) for frame in result.selected]


def n(count: int) -> dict[str, int]:
    return {"n_samples": count}


def test_images_are_the_frames_as_decoded_bit_for_bit(videos: Path, tmp_path: Path) -> None:
    from av.video.reformatter import Interpolation, VideoReformatter

    result = run(dataset(tmp_path), selection_config=n(20))
    assert result.n_selected == len(result.selected) == 20
    assert result.n_input_videos == 4
    assert result.n_input_frames == 160
    flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    for frame in result.selected:
        with av.open(str(videos / frame.video)) as container:
            decoded = list(container.decode(video=0))[frame.frame_index]
            rgb = VideoReformatter().reformat(decoded, format="rgb24", interpolation=flags)
            image = np.asarray(Image.open(tmp_path / "out" / frame.image))
            assert np.array_equal(image, rgb.to_ndarray()), frame


def test_frame_names_are_lightlys(videos: Path, tmp_path: Path) -> None:
    result = run(dataset(tmp_path), selection_config=n(160))
    images = {frame.image for frame in result.selected}
    assert ".lightly/frames/a-00-mp4.png" in images
    assert ".lightly/frames/sub/b-39-AVI.png" in images
    assert ".lightly/frames/sub/deep er/c-07-mpg.png" in images
    on_disk = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png")}
    assert on_disk == images


def test_nothing_but_chosen_frames_is_written_as_an_image(videos: Path, tmp_path: Path) -> None:
    run(dataset(tmp_path), selection_config=n(3))
    suffixes = sorted(p.suffix for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert suffixes.count(".png") == 3
    # The report, and the page of all runs.
    assert (suffixes.count(".html"), suffixes.count(".pdf")) == (2, 1)
    others = {".json", ".parquet", ".npy", ".txt", ""}
    assert set(suffixes) == {".png", ".html", ".pdf"} | others
    assert sorted(p.name for p in videos.rglob("*") if p.is_file()) == [
        "a.mp4",
        "b.AVI",
        "c.mpg",
        "d.hevc",
    ]


def test_the_choice_is_farthest_first_on_the_stored_embeddings(
    videos: Path, tmp_path: Path
) -> None:
    result = run(dataset(tmp_path), selection_config=n(25))
    manifest = json.loads(Path(result.manifest).read_text())
    names, vectors = [], []
    for video in ("a.mp4", "d.hevc", "sub/b.AVI", "sub/deep er/c.mpg"):
        folder = tmp_path / "out" / table_folder(manifest["embedding_id"], video)
        stored = np.load(folder / "embeddings.npy").astype(np.float64)
        vectors.append(stored / np.linalg.norm(stored, axis=1, keepdims=True))
        names += [(video, i) for i in range(len(stored))]
    rows = np.rint(np.concatenate(vectors) * 2**25) / 2**25
    picks, nearest = [0], np.full(len(rows), np.inf)
    while len(picks) < 25:
        nearest = np.minimum(nearest, ((rows - rows[picks[-1]]) ** 2).sum(1))
        picks.append(int(np.argmax(nearest)))
    assert chosen(result) == [names[i] for i in picks]


@pytest.mark.parametrize("image_format", ["jpg", "jpeg", "webp", "bmp", "tiff"])
def test_other_image_formats(videos: Path, tmp_path: Path, image_format: str) -> None:
    worker = {"output_image_format": image_format, "resize": 60}
    result = run(dataset(tmp_path), worker_config=worker, selection_config=n(4))
    for frame in result.selected:
        assert frame.image.endswith("." + image_format)
        assert Image.open(tmp_path / "out" / frame.image).size == (80, 60)


def test_the_manifest_names_every_image_with_its_hash(videos: Path, tmp_path: Path) -> None:
    import hashlib

    result = run(dataset(tmp_path), selection_config=n(7))
    manifest = json.loads(Path(result.manifest).read_text())
    assert manifest["run_id"] == result.run_id
    assert [image["rank"] for image in manifest["images"]] == list(range(7))
    for image in manifest["images"]:
        content = (tmp_path / "out" / image["image"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == image["sha256"]
        assert len(content) == image["size_bytes"]


def test_a_second_run_decodes_nothing_and_chooses_the_same(videos: Path, tmp_path: Path) -> None:
    first = run(dataset(tmp_path), selection_config=n(9))
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    second = run(dataset(tmp_path), selection_config=n(9))
    read = [name for name in opened if name.startswith(str(videos)) and Path(name).suffix]
    assert first.n_decoded_videos == 4
    assert second.n_decoded_videos == 0
    assert chosen(first) == chosen(second)
    # The permission check opens the first video, nothing reads one.
    assert set(read) <= {str(videos / "a.mp4")}


def test_another_amount_or_format_decodes_no_video_for_its_table(
    videos: Path, tmp_path: Path
) -> None:
    first = run(dataset(tmp_path), selection_config=n(4))
    second = run(
        dataset(tmp_path), selection_config=n(8), worker_config={"output_image_format": "jpg"}
    )
    assert second.n_decoded_videos == 0
    assert chosen(second)[:4] == chosen(first)


def test_a_replaced_video_is_noticed(videos: Path, tmp_path: Path) -> None:
    run(dataset(tmp_path), selection_config=n(4))
    make_video(videos, BY_NAME["h264.mp4"], "a.mp4", seed=77)
    assert run(dataset(tmp_path), selection_config=n(4)).n_decoded_videos == 1


def test_an_image_that_was_damaged_is_written_again(videos: Path, tmp_path: Path) -> None:
    first = run(dataset(tmp_path), selection_config=n(3))
    image = tmp_path / "out" / first.selected[1].image
    content = image.read_bytes()
    image.write_bytes(b"something else")
    run(dataset(tmp_path), selection_config=n(3))
    assert image.read_bytes() == content


def test_thread_count_does_not_change_the_choice(videos: Path, tmp_path: Path) -> None:
    results = [
        run(dataset(tmp_path, f"out{t}"), {"num_threads": t}, selection_config=n(30))
        for t in (1, 4)
    ]
    assert chosen(results[0]) == chosen(results[1])


def test_python_command_line_and_camel_case_yaml_agree(videos: Path, tmp_path: Path) -> None:
    result = run(dataset(tmp_path), {"resize": 60}, selection_config=n(6))
    config = tmp_path / "config.yaml"
    config.write_text(
        "workerConfig: {outputImageFormat: png, resize: 60}\n"
        "selectionConfig:\n"
        "  nSamples: 6\n"
        "  strategies: [{input: {type: EMBEDDINGS}, strategy: {type: DIVERSITY}}]\n"
    )
    for options in (["--n-samples", "6"], ["--config", str(config)]):
        done = command_line(videos, tmp_path / "cli", *options, "--json")
        printed = json.loads(done.stdout)
        assert done.returncode == 0
        assert [(f["video"], f["frame_index"]) for f in printed["selected"]] == chosen(result)
        names = [image_name(frame.image) for frame in result.selected]
        assert [image_name(frame["image"]) for frame in printed["selected"]] == names


def command_line(videos: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    arguments = ["run", "--input", str(videos), "--lightly", str(out), *options]
    return subprocess.run(
        [sys.executable, "-m", "lightly_pipeline", *arguments], capture_output=True, text=True
    )


def test_broken_files_are_named_with_their_reason_and_the_rest_goes_on(
    videos: Path, tmp_path: Path
) -> None:
    (videos / "empty.mp4").touch()
    (videos / "text.mov").write_text("These are the notes of the day.\n" * 9)
    whole = make_video(tmp_path, LONGER, "x.mp4").read_bytes()
    (videos / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    make_video(videos, BY_NAME["vp9.webm"], "wrong.webm").rename(videos / "wrong.avi")
    (videos / "notes.txt").write_text("not listed at all")
    result = run(dataset(tmp_path), selection_config=n(10))
    assert set(result.corrupt_videos) == {"empty.mp4", "text.mov", "cut.mp4"}
    assert all(result.corrupt_videos.values())
    assert result.n_input_videos == 8
    assert result.n_input_frames == 200
    report = json.loads(
        (Path(result.manifest).parent / "corruptness_check_information.json").read_text()
    )
    assert report["corrupt_videos"] == result.corrupt_videos
    log = (Path(result.manifest).parent / "log.txt").read_text()
    assert "text.mov" in log


def test_a_damaged_video_keeps_its_good_frames(videos: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        "x.mp4", "libx264", 200, options=LONGER.options, mux_options={"movflags": "faststart"}
    )
    content = bytearray(make_video(tmp_path, recipe).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    (videos / "hole.mp4").write_bytes(content)
    result = run(dataset(tmp_path), selection_config=n(250))
    assert "hole.mp4" not in result.corrupt_videos
    assert any(name.startswith("hole.mp4") for name in result.corrupt_samples)
    kept = [index for video, index in chosen(result) if video == "hole.mp4"]
    assert len(kept) > 100


def test_a_video_that_killed_an_attempt_is_decoded_in_a_child(videos: Path, tmp_path: Path) -> None:
    reference = run(dataset(tmp_path, "other"), selection_config=n(12))
    leave_marker(tmp_path, "a.mp4")
    result = run(dataset(tmp_path), selection_config=n(12))
    assert chosen(result) == chosen(reference)
    assert [f.image for f in result.selected] == [f.image for f in reference.selected]
    assert "child process" in (Path(result.manifest).parent / "log.txt").read_text()


@pytest.mark.parametrize(
    ("bound", "value", "reason"),
    [
        ("LIMITS", DecodeLimits(min_time_s=0.05, time_per_playing_s=0), "exceeded"),
        ("CHILD_MEMORY_BYTES", 1024**2, "crashed|more memory than (is )?allowed"),
    ],
)
def test_a_decoder_that_dies_or_never_ends_costs_one_video(
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    value: DecodeLimits | int,
    reason: str,
) -> None:
    leave_marker(tmp_path, "a.mp4")
    monkeypatch.setattr(table_source, bound, value)
    result = run(dataset(tmp_path), selection_config=n(12))
    assert list(result.corrupt_videos) == ["a.mp4"]
    assert re.search(reason, result.corrupt_videos["a.mp4"])
    assert result.n_selected == 12


def leave_marker(tmp_path: Path, video: str) -> None:
    """Leaves what an attempt leaves that dies in the middle."""
    code = (
        "import sys\n"
        "from lightly_pipeline import Dataset, LocalDatasource\n"
        "from lightly_pipeline.steps.setup import Run, resolve_config\n"
        "from lightly_pipeline.tables.handle import video_table\n"
        "source, target, video = sys.argv[1:]\n"
        "data = Dataset('a', input=LocalDatasource(source), lightly=LocalDatasource(target))\n"
        "listed = data.input.stat(video)\n"
        "tables = Run(data, resolve_config(data), 'any').table_id\n"
        "video_table(data.lightly, tables, listed).begin_attempt()\n"
    )
    data = dataset(tmp_path)
    places = [data.input.describe(), data.lightly.describe()]
    subprocess.run([sys.executable, "-c", code, *places, video], check=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_says_how_to_go_on_and_does(
    tmp_path: Path, number: int, code: int
) -> None:
    # Long enough that the signal comes in the middle of the only video.
    video = make_video(tmp_path / "in", BY_NAME["h265.hevc"], "long.hevc", seed=1)
    video.write_bytes(video.read_bytes() * 800)
    arguments = ["run", "--input", str(tmp_path / "in"), "--lightly", str(tmp_path / "out")]
    child = subprocess.Popen(
        [sys.executable, "-m", "lightly_pipeline", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    tables = tmp_path / "out" / ".lightly" / "tables"
    while not list(tables.glob("*/*/*/.lightly-partial-*")):
        assert child.poll() is None
        time.sleep(0.05)
    child.send_signal(number)
    output, errors = child.communicate()
    assert child.returncode == code
    assert "run the same command again to go on where it stopped" in errors
    assert "KeyboardInterrupt" not in output + errors
    assert "Traceback" not in errors
    (log,) = (tmp_path / "out" / ".lightly" / "runs").glob("*/log.txt")
    assert "interrupted" in log.read_text()
    # Nothing died in the middle: the next attempt needs no child process.
    (marker,) = tables.glob("*/*/*/attempt.json")
    assert json.loads(marker.read_text())["running"] is False


def test_a_video_that_is_removed_does_not_count_as_decoded(tmp_path: Path) -> None:
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "gone.mp4", seed=2)
    data = dataset(tmp_path)
    job = Run(data, resolve_config(data), "r")
    catalog = list_catalog(job)
    (tmp_path / "in" / "gone.mp4").unlink()
    processed = process_videos(job, catalog)
    assert [video.path for video in processed.catalog.videos] == ["a.mp4"]
    assert processed.n_decoded_videos == 1


def test_after_a_kill_complete_tables_are_not_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for i in range(6):
        make_video(folder, LONGER, f"{i}.mp4", seed=i)
    reference = run(dataset(tmp_path, "reference"), selection_config=n(15))
    arguments = ["run", "--input", str(folder), "--lightly", str(tmp_path / "out")]
    child = subprocess.Popen(
        [sys.executable, "-m", "lightly_pipeline", *arguments, "--n-samples", "15"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while len(list((tmp_path / "out").rglob("outcome.json"))) < 2:
        assert child.poll() is None, "it was over before it could be killed"
        time.sleep(0.005)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    complete = len(list((tmp_path / "out").rglob("outcome.json")))
    assert not list((tmp_path / "out").rglob("manifest.json"))
    result = run(dataset(tmp_path), selection_config=n(15))
    assert result.n_decoded_videos == 6 - complete
    assert chosen(result) == chosen(reference)


def test_a_video_that_a_store_refuses_stops_no_other_and_is_tried_again(
    videos: Path, tmp_path: Path
) -> None:
    data = dataset(tmp_path)
    place = refuse_table(data, "a.mp4")
    with pytest.raises(DatasourceError, match=r"1 of the videos.*a\.mp4") as caught:
        run(data, selection_config=n(5))
    assert "allow_incomplete" in str(caught.value)
    without = run(data, selection_config=n(5), pipeline_config={"allow_incomplete": True})
    assert set(without.failed_videos) == {"a.mp4"}
    assert without.n_input_videos == 4
    assert {frame.video for frame in without.selected}.isdisjoint({"a.mp4"})
    assert without.n_decoded_videos == 0
    place.rmdir()
    assert run(data, selection_config=n(5)).n_decoded_videos == 1


def test_a_store_that_is_gone_ends_the_run_at_once(videos: Path, tmp_path: Path) -> None:
    data = dataset(tmp_path)
    seen: list[int] = []

    def lose_the_store(step: str, done: int, total: int | None, unit: str) -> None:
        if step == "decode" and done and not seen:
            seen.append(done)
            shutil.rmtree(tmp_path / "in")

    with pytest.raises((DatasourceError, LightlyPipelineError)):
        run(data, worker_config={"num_threads": 1}, progress=lose_the_store)


def test_an_empty_folder_is_an_error_that_says_what_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(LightlyPipelineError, match=r"no videos in .*\.webm"):
        run(dataset(tmp_path))


def test_only_broken_videos_are_an_error_and_not_an_empty_success(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_text("no")
    with pytest.raises(LightlyPipelineError, match=r"none of the 1 videos .* a\.mp4: "):
        run(dataset(tmp_path))


def test_wrong_configuration_fails_before_any_work(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match="exactly one of"):
        run(dataset(tmp_path), selection_config={"n_samples": 5, "proportion_samples": 0.5})
    with pytest.raises(InvalidConfigurationError, match="pretagging"):
        run(dataset(tmp_path), worker_config={"pretagging": True})
    assert not (tmp_path / "out").exists()


def test_amounts_and_distance(videos: Path, tmp_path: Path) -> None:
    assert run(dataset(tmp_path), selection_config={"proportion_samples": 0.1}).n_selected == 16
    assert run(dataset(tmp_path), selection_config=n(10_000)).n_selected == 160
    diverse = {
        "n_samples": 160,
        "strategies": [
            {
                "input": {"type": "EMBEDDINGS"},
                "strategy": {"type": "DIVERSITY", "stopping_condition_minimum_distance": 0.5},
            }
        ],
    }
    result = run(dataset(tmp_path), selection_config=diverse)
    assert 1 < result.n_selected < 160
    assert result.summary["stopped_by"] == "minimum_distance"
    assert result.summary["minimum_distance"] >= 0.5


def test_a_mixture_is_chosen_and_every_image_says_what_decided_it(
    videos: Path, tmp_path: Path
) -> None:
    embeddings, random = {"type": "EMBEDDINGS"}, {"type": "RANDOM", "random_seed": 5}
    mixture = {
        "n_samples": 12,
        "strategies": [
            {"input": embeddings, "strategy": {"type": "DIVERSITY", "strength": 0.5}},
            {"input": embeddings, "strategy": {"type": "TYPICALITY", "num_nearest_neighbors": 5}},
            {"input": random, "strategy": {"type": "WEIGHTS"}},
        ],
    }
    result = run(dataset(tmp_path), selection_config=mixture)
    assert chosen(result) == chosen(run(dataset(tmp_path), selection_config=mixture))
    names = {"DIVERSITY of EMBEDDINGS", "TYPICALITY of EMBEDDINGS", "WEIGHTS of RANDOM"}
    assert {strategy["name"] for strategy in result.summary["strategies"]} == names
    images = json.loads(Path(result.manifest).read_text())["images"]
    assert len(images) == 12
    assert {image["decided_by"] for image in images} <= names


def test_exit_codes_and_streams(videos: Path, tmp_path: Path) -> None:
    (videos / "broken.mp4").write_text("no")
    done = command_line(videos, tmp_path / "out", "--n-samples", "3")
    assert done.returncode == 0
    assert "broken.mp4: " in done.stdout
    nothing = command_line(tmp_path / "absent", tmp_path / "out", "--json")
    assert nothing.returncode == 1
    assert nothing.stdout == ""
    assert "does not exist" in nothing.stderr
    config = tmp_path / "c.yaml"
    config.write_text("worker_config: {output_image_fromat: png}\n")
    wrong = command_line(videos, tmp_path / "out", "--config", str(config))
    assert wrong.returncode == 2
    assert "did you mean output_image_format" in wrong.stderr
    assert command_line(videos, tmp_path / "out", "--nonsense").returncode == 2


def test_help_and_import_need_nothing_heavy() -> None:
    code = (
        "import sys, lightly_pipeline.cli as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('torch', 'faiss', 'av', 'pyarrow', 'dagster', 'boto3')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_untagged_pictures_are_read_as_the_configuration_says(tmp_path: Path) -> None:
    recipe = Recipe("hd.mp4", "libx264", 3, size=(64, 720), options=LONGER.options)
    make_video(tmp_path / "in", recipe)
    images = {}
    for matrix in ("ffmpeg", "by_height", "ffmpeg"):
        result = run(
            dataset(tmp_path), selection_config=n(3), pipeline_config={"untagged_matrix": matrix}
        )
        pixels = [
            Image.open(tmp_path / "out" / frame.image).convert("RGB").tobytes()
            for frame in sorted(result.selected, key=lambda frame: frame.image)
        ]
        assert images.setdefault(matrix, pixels) == pixels
    assert images["ffmpeg"] != images["by_height"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"every_nth": 7}, {0, 7, 14, 21, 28, 35}),
        ({"target_fps": 5}, {0, 5, 10, 15, 20, 25, 30, 35}),
        ({"keyframes_only": True}, {0, 12, 24, 36}),
        ({"start_s": 0.4, "end_s": 0.6}, {10, 11, 12, 13, 14}),
    ],
)
def test_frame_sampling_keeps_numbers_names_and_pixels(
    tmp_path: Path, rule: dict[str, float], expected: set[int]
) -> None:
    from lightly_pipeline_tests.support.videos import number_of

    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    make_video(tmp_path / "in", BY_NAME["vp9.webm"], "b.webm", seed=2)
    result = run(
        dataset(tmp_path), selection_config=n(100), pipeline_config={"frame_sampling": rule}
    )
    assert {index for video, index in chosen(result) if video == "a.mp4"} == expected
    for frame in result.selected:
        assert f"-{frame.frame_index:02d}-" in frame.image
        assert number_of(np.asarray(Image.open(tmp_path / "out" / frame.image))) == (
            frame.frame_index
        )


def test_samplings_share_images_but_no_tables(tmp_path: Path) -> None:
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    whole = run(dataset(tmp_path), selection_config=n(5))
    sampled = run(
        dataset(tmp_path),
        selection_config=n(5),
        pipeline_config={"frame_sampling": {"every_nth": 2}},
    )
    assert (whole.n_decoded_videos, sampled.n_decoded_videos) == (1, 1)
    assert all(index % 2 == 0 for _, index in chosen(sampled))
    again = run(dataset(tmp_path), selection_config=n(5))
    assert again.n_decoded_videos == 0
    assert chosen(again) == chosen(whole)


def test_thresholds_and_datapool_work_on_sampled_frames(tmp_path: Path) -> None:
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    config = {
        "worker_config": {"use_datapool": True, "datasource": {"process_all": True}},
        "pipeline_config": {"frame_sampling": {"every_nth": 5}},
    }
    selection = {
        "n_samples": 3,
        "strategies": [
            {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}},
            {
                "input": {"type": "METADATA", "key": "lightly.luminance"},
                "strategy": {"type": "THRESHOLD", "threshold": 1, "operation": "BIGGER"},
            },
        ],
    }
    first = run(dataset(tmp_path), selection_config=selection, **config)
    second = run(dataset(tmp_path), selection_config=selection, **config)
    picked = chosen(first) + chosen(second)
    assert len(set(picked)) == 6
    assert all(index % 5 == 0 for _, index in picked)


def test_a_window_beside_all_videos_is_told(tmp_path: Path) -> None:
    make_video(tmp_path / "in", BY_NAME["h264.mp4"], "a.mp4", seed=1)
    with pytest.raises(LightlyPipelineError, match=r"left by pipeline_config\.frame_sampling"):
        run(dataset(tmp_path), pipeline_config={"frame_sampling": {"start_s": 99}})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"every_nth": 2, "keyframes_only": True}, "give one of"),
        ({"start_s": 2, "end_s": 1}, "not before"),
        ({"every_nth": 0}, "every_nth"),
        ({"fps": 2}, "did you mean target_fps|fps"),
    ],
)
def test_wrong_samplings_are_refused(tmp_path: Path, wrong: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=message):
        run(dataset(tmp_path), pipeline_config={"frame_sampling": wrong})


def test_warnings_about_videos_reach_the_result_in_every_run(tmp_path: Path) -> None:
    TRAITS_BY_NAME["two-streams.mp4"].make(_made(tmp_path / "in"))
    for attempt in range(2):
        result = run(dataset(tmp_path), selection_config=n(2))
        (warning,) = result.warnings["two-streams.mp4"]
        assert "holds 2 video streams" in warning
        assert result.n_decoded_videos == 1 - attempt
        assert warning in cli_summary(result)
    manifest = json.loads(Path(result.manifest).read_text())
    assert manifest["warnings"] == {"two-streams.mp4": [warning]}
    chosen = run(dataset(tmp_path), selection_config=n(2), pipeline_config={"video_stream": 0})
    assert chosen.warnings == {}
    assert chosen.n_input_frames == 30
    assert chosen.n_decoded_videos == 1


def test_another_sampling_calls_no_other_picture_by_a_known_name(tmp_path: Path) -> None:
    """A recorder's segment: its first pictures refer to the one before, and never come out."""
    params = "log-level=none:open-gop=1:keyint=12:bframes=3:b-adapt=0:scenecut=0"
    options = {"preset": "ultrafast", "x264-params": params}
    source = make_video(tmp_path, Recipe("whole.ts", "libx264", 60, options=options))
    cut_at_key(source, _made(tmp_path / "in") / "segment.mpg", 1, muxer="mpegts")
    every = run(dataset(tmp_path), selection_config=n(100))
    images = tmp_path / "out" / ".lightly" / "frames"
    before = {path.name: path.read_bytes() for path in images.iterdir()}
    assert len(before) == every.n_selected == every.n_input_frames
    for sampling in ({"keyframes_only": True}, {"start_s": 2.0}, {"every_nth": 5}):
        part = run(
            dataset(tmp_path),
            selection_config=n(100),
            pipeline_config={"frame_sampling": sampling},
        )
        assert 0 < part.n_selected < every.n_selected
        assert {path.name: path.read_bytes() for path in images.iterdir()} == before


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
