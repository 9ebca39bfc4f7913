"""Which paths are taken for ours: those that the package writes, and no other."""

import hashlib
import re

from hypothesis import example, given
from hypothesis import strategies as st

from lightly_pipeline.layout import (
    THUMBNAIL_SUFFIX,
    crop_path,
    frame_name,
    frame_path,
    objects_folder,
    path_digest,
    table_folder,
    thumbnail_path,
)
from lightly_pipeline.upkeep.owned import (
    FrameImage,
    crop_frames,
    frame_image,
    run_file,
    shard_digest,
    table_file,
    thumbnail_image,
)

# The longest names are kept by their hash, which nothing can be told from.
SEGMENTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20
)
VIDEOS = st.builds(
    lambda parts, ending: "/".join(parts) + ending,
    st.lists(SEGMENTS, min_size=1, max_size=3),
    st.sampled_from([".mp4", ".MOV", ".webm", ".mpeg"]),
)
MARKS = st.sampled_from(["", "0123456789abcdef", hashlib.sha256(b"").hexdigest()])


@given(
    VIDEOS,
    st.integers(0, 10**6),
    st.sampled_from(["png", "jpg", "tiff"]),
    st.sampled_from([None, 32, (20, 30)]),
    MARKS,
)
@example("day 1/front-0001-mp4.mp4", 7, "png", None, "")
@example("a\nb.mp4", 7, "png", None, "")
@example("../x.mp4", 7, "png", None, "")
def test_images_thumbnails_and_crops_are_known_by_their_names(
    video: str, index: int, image_format: str, resize: int | tuple[int, int] | None, mark: str
) -> None:
    wanted = FrameImage(path_digest(video), index)
    image = frame_path(video, index, 10**6 + 1, image_format, resize, mark)
    assert frame_image(image) == wanted
    thumbnail = thumbnail_path(THUMBNAIL_SUFFIX, image)
    assert thumbnail_image(thumbnail) == image
    frame = frame_name(video, index, 10**6 + 1, "png").removesuffix(".png")
    for task in ("cars", "cars/v2"):
        assert wanted in crop_frames(crop_path(task, frame, 3, image_format, mark))


def test_the_digest_is_that_of_the_tables_folder() -> None:
    video = "tag/\udcff.mp4"
    folder = table_folder("hsv-" + "0" * 16, video)
    assert folder.endswith(path_digest(video))
    found = table_file(f"{folder}/outcome.json")
    assert found is not None
    assert found.digest == path_digest(video)


def test_files_of_tables_runs_and_shards_are_known() -> None:
    folder = table_folder("My_net-2-" + "0123456789abcdef", "a.mp4")
    task = objects_folder(folder, "cars/v2").removeprefix(folder + "/")
    for name in (
        "outcome.json",
        "attempt.json",
        "frames.parquet",
        "embeddings.npy",
        "images.json",
        "segments/0001.zip",
        "segments/12345.zip",
        "objects/attempt.json",
        f"{task}/objects.json",
        f"{task}/0123456789abcdef/boxes.parquet",
        f"{task}/0123456789abcdef/embeddings.npy",
    ):
        found = table_file(f"{folder}/{name}")
        assert found is not None, name
        assert found.name == name
    for name in (
        "notes.txt",
        "outcome.json.bak",
        "segments/a.zip",
        "objects/x",
        "sub/outcome.json",
    ):
        assert table_file(f"{folder}/{name}") is None, name
    assert run_file(".lightly/runs/4b1c/report.html") == ("4b1c", "report.html")
    for name in ("4b1c/mine.html", "4b1c/sub/report.html", "index.html", "index.json"):
        assert run_file(f".lightly/runs/{name}") is None
    digest = "ab" * 32
    assert shard_digest(f".lightly/tables/shards/ab/{digest}.json") == digest
    assert shard_digest(f".lightly/tables/shards/cd/{digest}.json") is None


FOREIGN = st.sampled_from(
    [
        ".lightly/frames/holiday.png",
        ".lightly/frames/holiday-2024.png",
        ".lightly/frames/holiday-2024-06.png",
        ".lightly/frames/a-07-mp4.txt",
        ".lightly/frames/a-07-mp4.0123.png",
        ".lightly/frames/a-07-txt.png",
        ".lightly/frames.backup/a-07-mp4.png",
        ".lightly/frames_old/a-07-mp4.png",
        ".lightly/framesets/a-07-mp4.png",
        ".lightly/crops/a-07-mp4.png",
        ".lightly/crops/notes.md",
        ".lightly/thumbnails/a.png",
        ".lightly/tables/catalog.json",
        ".lightly/tables/README",
        ".lightly/tables/my-model/ab/table.parquet",
        "frames/a-07-mp4.png",
        "a-07-mp4.png",
    ]
)


@given(FOREIGN)
def test_files_that_only_look_a_little_like_ours_are_not(path: str) -> None:
    assert table_file(path) is None
    assert frame_image(path) is None
    assert list(crop_frames(path)) == []
    assert thumbnail_image(path) is None or frame_image(str(thumbnail_image(path))) is None


@given(st.text(max_size=80), st.sampled_from(["", ".lightly/frames/", ".lightly/tables/"]))
def test_any_text_is_ours_only_if_the_package_would_write_it(text: str, folder: str) -> None:
    found = frame_image(folder + text)
    assert found is None or re.search(r"-\d+-\w+\.", text)
    assert table_file(folder + text) is None
