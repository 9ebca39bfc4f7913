"""A picture has one number: with every sampling that of a whole pass."""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightly_pipeline.video import DecodeReport, FrameRow, FrameSampling, open_video
from lightly_pipeline.video.sampling import FrameChooser
from lightly_pipeline_tests.support.streams import cut_at_key, of
from lightly_pipeline_tests.support.traits import TRAITS_BY_NAME
from lightly_pipeline_tests.support.videos import BY_NAME, Recipe, VideoFolder, make_video


def x264(params: str, **options: str) -> Recipe:
    return of(
        "h264.mp4",
        options={"preset": "ultrafast", "x264-params": f"log-level=none:{params}", **options},
    )


def x265(params: str) -> Recipe:
    return of(
        "h265.mp4", options={"preset": "ultrafast", "x265-params": f"log-level=none:{params}"}
    )


# What streams differ in: groups, reordering, hidden pictures, fields.
STREAMS: dict[str, tuple[Recipe, tuple[str, ...]]] = {
    "closed": (x264("keyint=12:bframes=2:b-adapt=0"), ("mp4", "mov", "mpegts", "avi", "vob")),
    "open": (x264("keyint=12:bframes=3:b-adapt=0:open-gop=1"), ("mp4", "mov", "mpegts", "avi")),
    "pyramid": (
        x264("keyint=16:bframes=5:b-adapt=0:b-pyramid=normal:open-gop=1"),
        ("mp4", "mpegts"),
    ),
    "refresh": (x264("keyint=12:intra-refresh=1:bframes=0"), ("mp4", "mpegts")),
    "fields-mbaff": (x264("keyint=12:tff=1:bframes=2"), ("mp4", "mpegts")),
    "plain-p": (x264("keyint=12:bframes=0"), ("mp4", "avi", "mpegts")),
    "open-h265": (x265("keyint=12:open-gop=1:bframes=3"), ("mp4", "mov", "mpegts")),
    "closed-h265": (x265("keyint=12:open-gop=0:bframes=3"), ("mp4", "mpegts")),
    "radl-h265": (x265("keyint=12:open-gop=0:radl=2:bframes=3"), ("mp4", "mpegts")),
    "mpeg2": (of("mpeg2.mpg", options={"g": "12", "bf": "2"}), ("mpegts", "mpeg", "mov", "avi")),
    "mpeg2-closed": (
        of(
            "mpeg2.mpg",
            options={"g": "12", "bf": "2", "flags": "+cgop", "sc_threshold": "1000000000"},
        ),
        ("mpegts", "mpeg", "mov"),
    ),
    "mpeg4": (of("mpeg4.mp4", options={"g": "12", "bf": "2"}), ("mp4", "mov", "avi")),
    "hidden-vp8": (
        of(
            "vp8.webm",
            options={"g": "20", "auto-alt-ref": "1", "lag-in-frames": "12", "cpu-used": "4"},
        ),
        ("webm", "avi"),
    ),
    "hidden-vp9": (
        of(
            "vp9.webm",
            options={"g": "20", "auto-alt-ref": "1", "lag-in-frames": "12", "cpu-used": "5"},
        ),
        ("webm", "mp4"),
    ),
    "hidden-av1": (of("av1.webm", options={"preset": "10", "g": "16"}), ("webm", "mp4")),
    "mjpeg": (of("mjpeg.mov"), ("mov", "avi")),
}
SUFFIX = {"mpegts": ".ts", "mpeg": ".mpg", "vob": ".vob"}

rules = st.one_of(
    st.builds(
        FrameSampling,
        keyframes_only=st.booleans(),
        start_s=st.none() | st.floats(-0.5, 2.6),
        end_s=st.none() | st.floats(-0.1, 3.0),
    ),
    st.builds(FrameSampling, every_nth=st.integers(1, 9), start_s=st.floats(0, 2.4)),
    st.builds(FrameSampling, target_fps=st.floats(0.5, 30), end_s=st.floats(0.2, 2.6)),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("numbering")


def plain(row: FrameRow) -> tuple[object, ...]:
    # Ratios in a run of frames depend on the frames before; nothing else does.
    return row.index, row.pts, row.time_s, row.keyframe, row.checksum


@cache
def whole_pass(path: Path) -> tuple[tuple[FrameRow, ...], float | None]:
    with open_video(path) as video:
        return tuple(frame.row for frame in video.frames()), video.info.fps


def check(path: Path, rule: FrameSampling) -> DecodeReport:
    """Compares a sampled pass with the whole one, filtered."""
    rows, fps = whole_pass(path)
    chooser = FrameChooser(rule, fps)
    wanted = [plain(r) for r in rows if chooser.takes(r.index, r.time_s, r.keyframe)]
    with open_video(path) as video:
        sampled = [plain(frame.row) for frame in video.frames(sampling=rule)]
        report = video.report
    assert sampled == wanted, (path.name, rule, report.index_source, report.whole_because)
    assert report.n_frames == len(rows)
    assert (report.whole_because is None) == (
        report.index_source == "packets" or not rule.spares_decoding
    )
    return report


def stream_file(folder: Path, name: str, muxer: str, nth_key: int, edit_list: bool) -> Path:
    """A stream in a container, from its n-th key packet on."""
    recipe, _ = STREAMS[name]
    target = folder / f"{name}-{nth_key}-{edit_list:d}{SUFFIX.get(muxer, f'.{muxer}')}"
    if not target.exists():
        # Elementary streams of recorders carry their headers before every key frame.
        suffixes = {"libx264": "ts", "libx265": "ts", "mpeg2video": "ts", "mpeg4": "mov"}
        suffix = suffixes.get(recipe.codec, recipe.name.rpartition(".")[2])
        source = folder / f"{name}-source.{suffix}"
        if not source.exists():
            make_video(folder, recipe, source.name)
        is_mp4 = muxer in ("mp4", "mov")
        options = {"use_editlist": str(int(edit_list))} if is_mp4 else {}
        cut_at_key(source, target, nth_key, muxer=muxer, **options)
    return target


@pytest.mark.parametrize("name", STREAMS)
@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_sampled_pass_is_the_whole_pass_filtered(
    folder: Path, name: str, data: st.DataObject
) -> None:
    muxer = data.draw(st.sampled_from(STREAMS[name][1]))
    nth_key, edit_list = data.draw(st.integers(0, 2)), data.draw(st.booleans())
    try:
        path = stream_file(folder, name, muxer, nth_key, edit_list)
    except ValueError:
        # Not every muxer takes every cut.
        return
    check(path, data.draw(rules))


FEW_RULES = (
    FrameSampling(keyframes_only=True),
    FrameSampling(start_s=0.5, end_s=0.9),
    FrameSampling(end_s=0.3),
    FrameSampling(start_s=1.2, every_nth=2),
    FrameSampling(start_s=-1, keyframes_only=True),
)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_container_and_codec_numbers_alike(fixture_videos: VideoFolder, name: str) -> None:
    for rule in FEW_RULES:
        check(fixture_videos[name], rule)


@pytest.mark.parametrize("name", TRAITS_BY_NAME)
def test_every_trait_numbers_alike(folder: Path, name: str) -> None:
    path = TRAITS_BY_NAME[name].make(folder)
    for rule in FEW_RULES:
        check(path, rule)
