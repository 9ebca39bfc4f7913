"""Every promised container and codec: all frames once, the same frames again."""

import random
from pathlib import Path

import pytest

from lightly_pipeline.video import FrameInput, FrameRow, open_video
from lightly_pipeline_tests.support.indeo import PICTURES, make_indeo
from lightly_pipeline_tests.support.videos import BY_NAME, FPS, Recipe, VideoFolder, number_of

pytestmark = pytest.mark.slow


def check_pts(rows: list[FrameRow], recipe: Recipe) -> None:
    """Compares the times with what the container can know."""
    known = [row.pts for row in rows if row.pts is not None]
    assert all((row.pts is None) == (row.time_s is None) for row in rows)
    if recipe.pts == "none":
        assert not known
        return
    if recipe.pts == "some":
        assert 0 < len(known) < len(rows)
        return
    assert len(known) == len(rows)
    if recipe.pts == "backwards":
        assert known != sorted(known)
        return
    assert known == sorted(set(known))
    # AVI has no presentation times: what its demuxer makes of the decoding order is one frame off.
    tolerance = 1.5 if recipe.name.endswith(".avi") else 0.5
    times = [row.time_s - rows[0].time_s for row in rows]
    assert times == pytest.approx([i / FPS for i in range(len(rows))], abs=tolerance / FPS)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_frame_comes_once_with_the_files_own_times_and_is_fetched_exactly(
    fixture_videos: VideoFolder, name: str
) -> None:
    recipe = BY_NAME[name]
    numbers = list(range(recipe.n_frames))
    with open_video(fixture_videos[name]) as video:
        frames = list(video.frames(FrameInput(*recipe.size, "bicubic")))
        assert video.info.codec == recipe.decoder
        assert not video.report.damaged
        assert [number_of(f.small) for f in frames] == [f.index for f in frames] == numbers
        assert {(f.row.width, f.row.height) for f in frames} == {recipe.size}
        check_pts([f.row for f in frames], recipe)
        rng = random.Random(name)
        for size in (1, 1, 5, recipe.n_frames):
            wanted = rng.sample(numbers, size)
            fetched = list(video.fetch(wanted))
            assert [f.index for f in fetched] == wanted
            assert [number_of(f.to_rgb()) for f in fetched] == wanted


@pytest.mark.parametrize("codec", PICTURES)
def test_indeo_of_which_no_encoder_exists_decodes_from_handmade_files(
    tmp_path: Path, codec: str
) -> None:
    with open_video(make_indeo(tmp_path / "indeo.avi", codec, 24)) as video:
        assert [number_of(frame.to_rgb()) for frame in video.frames()] == list(range(24))
        assert (video.info.codec, video.info.pixel_format) == (codec, "yuv410p")
        assert not video.report.damaged
        wanted = [17, 3, 23, 0]
        assert [number_of(frame.to_rgb()) for frame in video.fetch(wanted)] == wanted
