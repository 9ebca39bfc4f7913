"""A picture has one number: with every sampling that of a whole pass."""

from functools import cache
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import DecodeReport, FrameRow, FrameSampling, open_video
from lightly_pipeline.video.headers import Seen, Unclear, headers_of
from lightly_pipeline.video.numbering import PacketNote, plan_decoding
from lightly_pipeline.video.sampling import FrameChooser
from lightly_pipeline_tests.support.streams import cut_at_key, of, packed_bitstream, rewritten
from lightly_pipeline_tests.support.traits import TRAITS_BY_NAME
from lightly_pipeline_tests.support.videos import (
    BY_NAME,
    Recipe,
    VideoFolder,
    make_video,
    number_of,
)


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
    "vp8": (of("vp8.webm"), ("webm", "avi")),
    "vp9": (of("vp9.webm"), ("webm", "mp4")),
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
    if name == "hidden-av1":
        # PyAV copies no stream whose decoder has no encoder of its name.
        target = folder / f"{name}.{muxer}"
        return target if target.exists() else make_video(folder, recipe, target.name)
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
    path = stream_file(folder, name, muxer, nth_key, edit_list)
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


def note(pts: int | None, key: bool = False, order: int | None = None, **seen: bool) -> PacketNote:
    place = (pts or 0) if order is None else order
    fields = {"is_shown": True, "is_key": key, "is_start": key, **seen}
    return PacketNote(pts, True, Seen(order=(place,), **fields))


@pytest.mark.parametrize(
    "packet",
    [
        bytes.fromhex("00000002010200000000"),
        bytes.fromhex("000000020102000000"),
        bytes.fromhex("000000090102"),
        b"",
    ],
)
def test_parts_of_a_packet_have_to_add_up(packet: bytes) -> None:
    headers = headers_of("h264", bytes.fromhex("01640014ffe0"))
    with pytest.raises(Unclear):
        headers.look(packet)


KEYS = FrameSampling(keyframes_only=True)
AFTER = [note(n) for n in range(1, 5)]


@pytest.mark.parametrize(
    ("packets", "because"),
    [
        ([], "no packet holds a picture"),
        ([note(0, key=True), note(None)], "no time"),
        ([note(0, key=True), note(0)], "or the same"),
        ([note(0), note(1, key=True)], "begins with pictures that refer"),
        ([note(3, key=True), note(1), note(2)], "begins with pictures that refer"),
        ([note(0, key=True), note(1, order=2), note(2, order=1)], "another order"),
        ([note(0, key=True), note(1, is_key=None)], "do not say which pictures are key frames"),
        ([note(0, key=True), note(1, key=True), note(2)], "most of it"),
        ([note(0, key=True), note(4), note(2), note(1), note(3)], "more pictures are reordered"),
    ],
)
def test_where_packets_cannot_tell_the_reason_is_said(
    packets: list[PacketNote], because: str
) -> None:
    with pytest.raises(Unclear, match=because):
        plan_decoding(packets, KEYS, 0.04, reorder=1)


def test_hidden_packets_count_for_nothing() -> None:
    by_container = PacketNote(-1, False, Seen(True, (-1,), True, True))
    by_codec = note(0, is_shown=False)
    plan = plan_decoding([by_container, note(0, key=True), by_codec, *AFTER], KEYS, 0.04)
    assert plan.index_by_pts == {n: n for n in range(5)}
    assert plan.packets == {1}
    assert plan.expected == {0}


def cut_open_group(folder: Path, muxer: str, codec: str) -> Path:
    """A segment as recorders write them: it begins with leading pictures nobody can decode."""
    recipe = x264("keyint=24:min-keyint=24:bframes=4:b-adapt=0:scenecut=0:open-gop=1")
    if codec == "h265":
        recipe = x265("keyint=24:min-keyint=24:bframes=4:b-adapt=0:scenecut=0:open-gop=1")
    if codec == "mpeg2":
        recipe = of("mpeg2.mpg", options={"g": "24", "bf": "2", "sc_threshold": "1000000000"})
    source = make_video(folder, recipe, f"{codec}-open.ts")
    suffix = SUFFIX.get(muxer, f".{muxer}")
    options = {"use_editlist": "0"} if muxer in ("mp4", "mov") else {}
    return cut_at_key(source, folder / f"{codec}-cut{suffix}", 1, muxer=muxer, **options)


@pytest.mark.parametrize("codec", ["h264", "h265", "mpeg2"])
@pytest.mark.parametrize("muxer", ["mpegts", "mp4", "mov"])
def test_a_segment_that_begins_with_leading_pictures_counts_what_comes_out(
    folder: Path, muxer: str, codec: str
) -> None:
    path = cut_open_group(folder, muxer, codec)
    rows, _ = whole_pass(path)
    with av.open(str(path)) as container:
        n_packets = sum(packet.size > 0 for packet in container.demux(video=0))
    # Else the cut is none.
    assert len(rows) < n_packets
    for rule in FEW_RULES:
        report = check(path, rule)
        if rule.spares_decoding:
            assert report.whole_because
    with open_video(path) as video:
        shown = [number_of(frame.to_rgb()) for frame in video.frames()]
    assert shown == list(range(shown[0], shown[0] + len(rows)))


def fields_in_packets(content: bytes) -> bytes:
    """Returns an MPEG-2 stream whose pictures say that each of them is one field."""
    changed = bytearray(content)
    position, number = changed.find(b"\x00\x00\x01\xb5"), 0
    while position >= 0:
        if changed[position + 4] >> 4 == 8:
            changed[position + 6] = changed[position + 6] & 0xFC | 1 + number % 2
            number += 1
        position = changed.find(b"\x00\x00\x01\xb5", position + 4)
    return bytes(changed)


@pytest.mark.parametrize("name", ["mpeg2.mov", "mpeg2.mpg", "mpeg2.avi"])
def test_fields_in_packets_of_their_own_are_one_frame(
    folder: Path, fixture_videos: VideoFolder, name: str
) -> None:
    path = folder / f"fields-{name}"
    path.write_bytes(fields_in_packets(fixture_videos[name].read_bytes()))
    for rule in FEW_RULES:
        check(path, rule)


def hide(number: int, packet: bytes) -> list[bytes]:
    """Takes the flag off some pictures of VP8 that shows them."""
    is_key = not packet[0] & 1
    return [packet if is_key or number % 5 != 3 else bytes([packet[0] & ~16]) + packet[1:]]


def show_again(number: int, packet: bytes) -> list[bytes]:
    """Puts packets of VP9 in that show a picture once more which is known already."""
    return [packet, bytes([0b10001000])] if number % 7 == 5 else [packet]


@pytest.mark.parametrize("suffix", ["webm", "avi"])
def test_hidden_pictures_count_for_nothing(
    folder: Path, fixture_videos: VideoFolder, suffix: str
) -> None:
    path = rewritten(fixture_videos["vp8.webm"], folder / f"hidden.{suffix}", hide)
    assert len(whole_pass(path)[0]) < 40
    for rule in FEW_RULES:
        report = check(path, rule)
        if rule.keyframes_only and suffix == "webm":
            assert report.index_source == "packets"


@pytest.mark.parametrize("suffix", ["webm", "mp4"])
def test_pictures_that_are_shown_again_count_again(
    folder: Path, fixture_videos: VideoFolder, suffix: str
) -> None:
    path = rewritten(fixture_videos["vp9.webm"], folder / f"again.{suffix}", show_again)
    # FFmpeg's MP4 muxer joins some of them.
    assert len(whole_pass(path)[0]) in (44, 45)
    for rule in FEW_RULES:
        check(path, rule)


def test_two_pictures_in_a_packet_are_two(folder: Path) -> None:
    path = packed_bitstream(folder / "packed.avi")
    assert len(whole_pass(path)[0]) == 60
    for rule in FEW_RULES:
        report = check(path, rule)
        if rule.spares_decoding:
            assert report.whole_because == "packets hold more than one picture (packed bitstream)"


@pytest.mark.parametrize(
    ("name", "n_bytes"),
    [("h264.mp4", 5), ("h265.mp4", 6), ("vp9.webm", 1), ("av1.mp4", 1), ("mpeg2.mov", 4)],
)
@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    damage=st.lists(st.tuples(st.floats(0.1, 1), st.integers(0, 255)), min_size=1, max_size=6),
    rule=st.sampled_from(FEW_RULES),
)
def test_damaged_headers_do_not_shift_numbers(
    fixture_videos: VideoFolder,
    folder: Path,
    name: str,
    n_bytes: int,
    damage: list[tuple[float, int]],
    rule: FrameSampling,
) -> None:
    """Damage is put on the first bytes of packets, which say how many pictures come out.

    What lies deeper is not looked at without decoding it.
    """
    path = fixture_videos[name]
    with av.open(str(path)) as container:
        places = [p.pos for p in container.demux(video=0) if p.pos is not None and p.size]
    content = bytearray(path.read_bytes())
    for share, value in damage:
        content[places[int(share * (len(places) - 1))] + value % n_bytes] ^= value or 1
    broken = folder / f"{hash(bytes(content))}-{name}"
    broken.write_bytes(content)
    try:
        whole_pass(broken)
    except CorruptVideoError:
        return
    check(broken, rule)
