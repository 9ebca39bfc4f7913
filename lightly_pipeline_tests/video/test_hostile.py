"""Untrusted files: what is no video is refused, what costs too much is stopped."""

import gc
import io
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import DecodeLimits, FrameInput, FrameSampling, open_video
from lightly_pipeline_tests.support.videos import BY_NAME, Recipe, VideoFolder, make_video

pytestmark = pytest.mark.slow


def image(image_format: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, image_format)
    return buffer.getvalue()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty.mp4": lambda: b"",
    "text.mp4": lambda: b"This is not a video.\n" * 50,
    "page.webm": lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20,
    "zeros.avi": lambda: bytes(5000),
    "noise.mov": lambda: np.random.default_rng(0).bytes(5000),
    "one-byte.mpg": lambda: b"\x00",
    "brand-only.mp4": lambda: b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2",
    "subtitles.avi": lambda: b"1\n00:00:00,000 --> 00:00:01,000\nhello\n",
    "subtitles.mp4": lambda: b"WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n",
    "script.mov": lambda: b"[Script Info]\nTitle: x\n[Events]\n",
    "session.mp4": lambda: (
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=video 5004 RTP/AVP 96\r\n"
    ),
    "uncompressed.mpg": lambda: b"YUV4MPEG2 W16 H16 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(384),
    "png.mp4": lambda: image("PNG"),
    "jpeg.avi": lambda: image("JPEG"),
    "gif.mov": lambda: image("GIF"),
    "webp.webm": lambda: image("WEBP"),
    "bmp.mpeg": lambda: image("BMP"),
    "tiff.m4v": lambda: image("TIFF"),
}


def refusal(source: object) -> str:
    with pytest.raises(CorruptVideoError) as caught, open_video(source) as video:  # type: ignore[arg-type]
        list(video.frames())
    return caught.value.reason


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_video_is_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name]())
    with path.open("rb") as file:
        assert refusal(file) == refusal(path)


@pytest.fixture
def listener() -> "socket.socket":
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    return listening


def test_a_playlist_reaches_neither_the_network_nor_files_beside_it(
    tmp_path: Path, fixture_videos: VideoFolder, listener: socket.socket
) -> None:
    (tmp_path / "secret.mp4").write_bytes(fixture_videos["h264.mp4"].read_bytes())
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/video.ts"
    playlists = {
        "ffconcat": "ffconcat version 1.0\nfile 'secret.mp4'\n",
        "m3u8-file": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
        "m3u": f"#EXTM3U\n{url}\n",
        "dash": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">{url}</MPD>',
    }
    for kind, text in playlists.items():
        path = tmp_path / f"{kind}.mp4"
        path.write_text(text)
        assert refusal(path)
    with listener, pytest.raises(BlockingIOError):
        listener.accept()


def test_audio_alone_is_a_corrupt_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert refusal(path) == "no video stream"


@pytest.mark.parametrize("codec", ["png", "jpeg2000"])
def test_pictures_inside_a_video_container_are_refused(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "pictures.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "rgb24"
        frame = av.VideoFrame(64, 48, stream.pix_fmt)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert refusal(path) == f"codec {codec} is not on the list of video codecs"


def test_a_missing_file_is_not_called_corrupt(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_video(tmp_path / "nothing.mp4")
    with pytest.raises(IsADirectoryError):
        open_video(tmp_path)


def test_an_error_of_the_reader_is_not_called_corruption(fixture_videos: VideoFolder) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 8000:
                raise ConnectionResetError("the store went away")
            return super().read(min(size or 0, 4096))

    source = Failing(fixture_videos["mjpeg.mov"].read_bytes())
    with pytest.raises(ConnectionResetError), open_video(source) as video:
        list(video.frames())


def bomb(content: bytes, *, first: bool, later: bool) -> bytes:
    """Makes pictures of an MJPEG video claim 16000 x 16000 pixels, in their own headers alone."""
    changed = bytearray(content)
    position, number = changed.find(b"\xff\xc0\x00\x11\x08"), 0
    while position >= 0:
        if first if number == 0 else later:
            changed[position + 5 : position + 9] = (16000).to_bytes(2, "big") * 2
        position, number = changed.find(b"\xff\xc0\x00\x11\x08", position + 1), number + 1
    return bytes(changed)


_MEASURE = """
import json, resource, sys
from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import FrameInput, open_video
from lightly_pipeline_tests.support.memory import peak_mib
try:
    with open_video(sys.argv[1]) as video:
        outcome = sum(1 for _ in video.frames(FrameInput(64, 64)))
except CorruptVideoError as error:
    outcome = error.reason
print(json.dumps([outcome, peak_mib(resource.getrusage(resource.RUSAGE_SELF))]))
"""


def measured(path: Path) -> tuple[int | str, float]:
    """Decodes in a process of its own; returns its outcome and its memory in MiB."""
    command = [sys.executable, "-c", _MEASURE, str(path)]
    outcome, mib = json.loads(subprocess.check_output(command))
    return outcome, mib


def test_a_pixel_bomb_costs_no_memory(fixture_videos: VideoFolder, tmp_path: Path) -> None:
    plain = fixture_videos["mjpeg.avi"]
    n_frames, base_mib = measured(plain)
    assert n_frames == 40
    path = tmp_path / "bomb.avi"
    path.write_bytes(bomb(plain.read_bytes(), first=True, later=True))
    outcome, mib = measured(path)
    assert isinstance(outcome, str)
    assert mib < base_mib + 50
    path.write_bytes(bomb(plain.read_bytes(), first=False, later=True))
    outcome, mib = measured(path)
    assert outcome == 1
    assert mib < base_mib + 50


def test_a_picture_too_large_is_refused_before_it_is_decoded(fixture_videos: VideoFolder) -> None:
    limits = DecodeLimits(max_pixels=100 * 100)
    for name in ("h264.mp4", "vp9.webm", "mpeg4.avi", "raw-rgb.avi", "h265.hevc", "prores.mov"):
        with (
            pytest.raises(CorruptVideoError),
            open_video(fixture_videos[name], limits=limits) as video,
        ):
            list(video.frames())


class Endless(io.RawIOBase):
    """A transport stream that starts again and again."""

    def __init__(self, content: bytes) -> None:
        self._content, self._position = content, 0

    def read(self, size: int = -1) -> bytes:
        start = self._position % len(self._content)
        part = self._content[start : start + size]
        self._position += len(part)
        return part

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: 10**12}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position


def test_an_endless_stream_is_bounded(tmp_path: Path) -> None:
    content = make_video(tmp_path, BY_NAME["h264.mp4"], "endless.ts").read_bytes()
    limits = DecodeLimits(max_frames=300)
    with (
        open_video(Endless(content), limits=limits) as video,  # type: ignore[arg-type]
        pytest.raises(CorruptVideoError, match="more than 300 frames"),
    ):
        for _ in video.frames():
            pass


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (DecodeLimits(min_time_s=0.001, time_per_playing_s=0), "decoding exceeded 0 s"),
        (DecodeLimits(max_time_without_frame_s=0), "no new frame in 0 s of decoding"),
        (DecodeLimits(min_read_bytes=0, max_reads=0.5), "takes more than 0.5 passes"),
    ],
)
def test_time_and_bytes_are_bounded(
    fixture_videos: VideoFolder, limits: DecodeLimits, reason: str
) -> None:
    source = fixture_videos["mjpeg.avi"]
    with pytest.raises(CorruptVideoError, match=reason), open_video(source, limits=limits) as video:
        list(video.frames(FrameInput(640, 480, "bicubic")))
    with open_video(source) as plain:
        index = plain.index()
    with (
        pytest.raises(CorruptVideoError, match=reason),
        open_video(source, index=index, limits=limits) as video,
    ):
        list(video.fetch(range(40)))


def test_a_video_does_not_pay_for_what_is_done_with_its_frames(
    fixture_videos: VideoFolder,
) -> None:
    limits = DecodeLimits(min_time_s=0.4, time_per_playing_s=0, max_time_without_frame_s=0.2)
    with open_video(fixture_videos["h264.mp4"], limits=limits) as video:
        for frame in video.frames():
            if frame.index % 15 == 3:
                busy(0.25)


def busy(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_video_does_not_pay_for_its_store(fixture_videos: VideoFolder) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            busy(0.05)
            return super().read(min(size or 0, 4096))

    source = Slow(fixture_videos["mjpeg.avi"].read_bytes())
    limits = DecodeLimits(min_time_s=0.5, time_per_playing_s=0, max_time_without_frame_s=0.15)
    for sampling in (FrameSampling(), FrameSampling(end_s=0.2)):
        with open_video(source, limits=limits) as video:
            assert list(video.frames(sampling=sampling))
            assert video.report.n_frames == 40


@pytest.mark.parametrize(
    "rule", [FrameSampling(keyframes_only=True), FrameSampling(start_s=59)], ids=str
)
def test_packets_that_are_passed_over_are_progress(tmp_path: Path, rule: FrameSampling) -> None:
    options = {"g": "500", "preset": "ultrafast", "x264-params": "log-level=none"}
    path = make_video(tmp_path, Recipe("long.mp4", "libx264", 1500, options=options))
    started = time.thread_time()
    with av.open(str(path)) as container:
        n_packets = sum(packet.size > 0 for packet in container.demux(video=0))
    reading_s = time.thread_time() - started
    # Reading all of it takes longer than a decoder may go without a frame.
    limits = DecodeLimits(max_time_without_frame_s=reading_s / 3)
    with open_video(path, limits=limits) as video:
        frames = list(video.frames(sampling=rule))
        assert video.report.index_source == "packets"
    assert n_packets == 1500
    assert [f.index for f in frames] == (
        [0, 500, 1000] if rule.keyframes_only else list(range(1475, 1500))
    )


def test_time_grows_with_the_playing_time_and_the_size() -> None:
    limits = DecodeLimits()
    assert limits.allowed_time_s(1000) == limits.allowed_time_s(1000, 6.0) == 120
    assert limits.allowed_time_s(1000, 60.0) == 1200
    assert limits.allowed_time_s(10**9) == 160_000


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_containers_are_closed_without_the_collector(fixture_videos: VideoFolder) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    path, broken = fixture_videos["h264.mp4"], io.BytesIO(b"no video" * 100)
    gc.collect()
    gc.disable()
    try:
        for attempt in range(240):
            if attempt == 40:
                before = resident()
            with open_video(path) as video:
                next(video.frames())
            with pytest.raises(CorruptVideoError):
                open_video(broken)
        assert resident() - before < 5e6
    finally:
        gc.enable()


def test_iphone_and_mov_with_h265_are_told_to_be_slow(
    fixture_videos: VideoFolder, tmp_path: Path
) -> None:
    with open_video(fixture_videos["h265.mov"]) as video:
        (warning,) = video.info.warnings
    assert warning.startswith("MOV with H.265 decodes slowly")
    assert "ffmpeg -i IN -c:v libx264" in warning
    for name in ("h265.mp4", "h264.mov", "h264.mp4", "prores.mov"):
        with open_video(fixture_videos[name]) as video:
            assert video.info.warnings == ()
    for codec in ("h264", "h265"):
        path = tmp_path / f"{codec}.mov"
        with (
            av.open(str(fixture_videos[f"{codec}.mov"])) as reading,
            av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as writing,
        ):
            writing.metadata["com.apple.quicktime.make"] = "Apple"
            writing.metadata["com.apple.quicktime.model"] = "iPhone 15 Pro"
            stream = writing.add_stream_from_template(reading.streams.video[0])
            for packet in reading.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    writing.mux(packet)
        with open_video(path) as video:
            (warning,) = video.info.warnings
        assert warning.startswith("an iPhone recording decodes slowly")


def with_tag_damaged(path: Path, tag: bytes) -> io.BytesIO:
    content = path.read_bytes()
    assert tag in content
    return io.BytesIO(content.replace(tag, tag[:3] + b"\xff"))


def test_a_codec_tag_that_is_no_text_ends_no_run(fixture_videos: VideoFolder) -> None:
    with open_video(with_tag_damaged(fixture_videos["mpeg4.mp4"], b"mp4v")) as video:
        assert sum(1 for _ in video.frames()) == 40
    for name, tag in (("mpeg4.avi", b"FMP4"), ("h264.mp4", b"avc1")):
        with pytest.raises(CorruptVideoError, match="decoder"):
            open_video(with_tag_damaged(fixture_videos[name], tag))
