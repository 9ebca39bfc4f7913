"""Frame sampling: which frames are considered, and what is decoded for them."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import FrameIndex, FrameInput, FrameRow, FrameSampling, open_video
from lightly_pipeline.video.decode import Pass
from lightly_pipeline.video.isolated import IsolatedVideo
from lightly_pipeline.video.sampling import FrameChooser
from lightly_pipeline_tests.support.videos import Recipe, VideoFolder, make_video, number_of

# 40 frames at 25 per second with a key frame every 12; by packets or by decoding all.
BY_PACKETS = ("h264.mp4", "h264.mov", "vp9.webm", "av1.mp4", "mpeg4.avi", "h265.mp4", "mpeg2.mpg")
BY_DECODING = ("h264.avi", "h265.hevc")
RULES = (
    FrameSampling(every_nth=7),
    FrameSampling(target_fps=10),
    FrameSampling(keyframes_only=True),
    FrameSampling(start_s=0.5, end_s=0.9),
    FrameSampling(end_s=0.3),
    FrameSampling(every_nth=3, start_s=0.6),
    FrameSampling(keyframes_only=True, start_s=0.3),
)


def taken(times: list[float | None], rule: FrameSampling, fps: float | None) -> list[int]:
    chooser = FrameChooser(rule, fps)
    return [i for i, time in enumerate(times) if chooser.takes(i, time, i % 12 == 0)]


@given(st.floats(1, 120), st.floats(0.1, 120), st.integers(1, 200), st.floats(-5, 5))
def test_target_fps_is_lightlys_bucket_rule(
    fps: float, target: float, n_frames: int, start_s: float
) -> None:
    found = taken(
        [start_s + i / fps for i in range(n_frames)], FrameSampling(target_fps=target), fps
    )
    if target >= fps * 0.999:
        assert found == list(range(n_frames))
        return
    steps = [math.floor((i + 0.05) * target / fps) for i in range(n_frames)]
    rule = [i for i in range(n_frames) if i == 0 or steps[i] != steps[i - 1]]
    # A product that is a whole number but for rounding may fall to either side.
    assert abs(len(found) - len(rule)) <= 1


def test_target_fps_of_thirty_and_of_rounded_times() -> None:
    milliseconds = [round(i * 1000 / 30) / 1000 for i in range(30)]
    rule = FrameSampling(target_fps=10)
    assert taken(list(milliseconds), rule, 30) == list(range(0, 30, 3))
    assert taken([None] * 30, rule, 30) == list(range(0, 30, 3))
    assert taken(list(milliseconds), FrameSampling(target_fps=30), 30) == list(range(30))


def test_times_that_nobody_knows_are_a_reason() -> None:
    with pytest.raises(CorruptVideoError, match="neither times nor a frame rate"):
        taken([None], FrameSampling(target_fps=2), None)


def test_samplings_have_identities_of_their_own() -> None:
    assert FrameSampling().identity() == "all"
    assert len({rule.identity() for rule in RULES}) == len(RULES)
    # Numbers told by packets were once others than those of a whole pass.
    assert FrameSampling(every_nth=7).identity() == "every_nth=7"
    assert FrameSampling(end_s=2).identity() == "end_s=2 numbering=2"


@pytest.mark.parametrize("name", BY_PACKETS + BY_DECODING)
@pytest.mark.parametrize("rule", RULES, ids=FrameSampling.identity)
def test_sampled_frames_are_those_of_the_whole_video(
    fixture_videos: VideoFolder, name: str, rule: FrameSampling
) -> None:
    with open_video(fixture_videos[name]) as video:
        whole = list(video.frames(FrameInput(160, 120)))
        part = list(video.frames(FrameInput(160, 120), rule))
        report = video.report
        fps = video.info.fps
    chooser = FrameChooser(rule, fps)
    expected = [f.row for f in whole if chooser.takes(f.index, f.time_s, f.row.keyframe)]
    # Ratios in a run of frames depend on the frames before; nothing else does.
    assert [plain(f.row) for f in part] == [plain(row) for row in expected]
    assert [number_of(f.small) for f in part] == [row.index for row in expected]
    assert report.n_frames == 40
    # Where more than half has to be decoded there is nothing to spare.
    spared = rule.spares_decoding and name in BY_PACKETS and rule.every_nth is None
    assert report.index_source == ("packets" if spared else "decoding")


def plain(row: FrameRow) -> tuple[object, ...]:
    return row.index, row.pts, row.time_s, row.keyframe, row.checksum


@pytest.mark.parametrize("name", ["h264.mp4", "vp9.webm", "mpeg2.mpg", "h265.hevc"])
@pytest.mark.parametrize("rule", RULES[:4], ids=FrameSampling.identity)
def test_frames_are_fetched_by_the_rows_of_a_sample(
    fixture_videos: VideoFolder, name: str, rule: FrameSampling
) -> None:
    with open_video(fixture_videos[name]) as video:
        rows = [frame.row for frame in video.frames(sampling=rule)]
        report = video.report.as_dict()
    index = FrameIndex.from_table(rows, report)
    with open_video(fixture_videos[name], index=index) as video:
        fetched = {f.index: number_of(f.to_rgb()) for f in video.fetch([r.index for r in rows])}
        missing = next(i for i in range(41) if i not in fetched)
        with pytest.raises(IndexError, match=f"no frame {missing}"):
            list(video.fetch([missing]))
    assert fetched == {row.index: row.index for row in rows}


def test_key_frames_and_windows_decode_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe("long.mp4", "libx264", 600, options={"g": "50", "preset": "ultrafast"})
    path = make_video(tmp_path, recipe)
    decoded: list[int] = []
    decode = Pass._decode

    def counted(self: Pass, packet: object) -> list[object]:
        frames = decode(self, packet)
        decoded.append(len(frames))
        return frames

    monkeypatch.setattr(Pass, "_decode", counted)
    with open_video(path) as video:
        keys = [f.index for f in video.frames(sampling=FrameSampling(keyframes_only=True))]
        assert keys == list(range(0, 600, 50))
        # Once to see that they are what their packets say, once for use.
        assert sum(decoded) == 2 * 12
        decoded.clear()
        window = [f.index for f in video.frames(sampling=FrameSampling(start_s=10, end_s=11))]
        assert window == list(range(250, 275))
        assert sum(decoded) <= 2 * 30


def test_a_child_process_samples_alike(fixture_videos: VideoFolder) -> None:
    rule = FrameSampling(keyframes_only=True, end_s=1)
    path = fixture_videos["h264.mp4"]
    child = IsolatedVideo(path, deadline_s=60, memory_bytes=4 * 1024**3)
    with open_video(path) as video:
        here = list(video.frames(FrameInput(64, 64), rule))
        there = list(child.frames(FrameInput(64, 64), rule))
        assert video.report == child.report
    assert [f.row for f in here] == [f.row for f in there]
    assert all(np.array_equal(a.small, b.small) for a, b in zip(here, there, strict=True))


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (FrameSampling(), 300),
        (FrameSampling(every_nth=10), 30),
        (FrameSampling(target_fps=5), 50),
        (FrameSampling(target_fps=100), 300),
        (FrameSampling(start_s=4, end_s=6), 60),
        (FrameSampling(end_s=60, every_nth=2), 150),
        (FrameSampling(start_s=60), 0),
        (FrameSampling(keyframes_only=True), None),
    ],
)
def test_how_many_frames_to_expect_of_ten_seconds(
    sampling: FrameSampling, expected: int | None
) -> None:
    assert sampling.expected_frames(10.0, 30.0) == expected


def test_nothing_is_expected_of_a_video_without_a_duration_or_a_rate() -> None:
    assert FrameSampling().expected_frames(None, 30.0) is None
    assert FrameSampling().expected_frames(10.0, None) is None
