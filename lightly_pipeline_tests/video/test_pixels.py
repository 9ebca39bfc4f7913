"""The pixels of a frame are the ones that its file means."""

import ctypes
import io
import itertools
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import av.video.reformatter
import numpy as np
import pytest
from av.video.reformatter import ColorRange, ColorTrc
from numpy.typing import NDArray
from PIL import Image

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import DecodeReport, FrameInput, open_video, reasons
from lightly_pipeline.video.cpu import avoid_gathers
from lightly_pipeline.video.orientation import Orientation, from_matrix
from lightly_pipeline.video.pixels import FullImages, checksum
from lightly_pipeline.video.types import UntaggedMatrix
from lightly_pipeline_tests.support.videos import (
    BY_NAME,
    X264,
    Recipe,
    VideoFolder,
    make_video,
    number_of,
    painted,
)

# Kr and Kb of the matrices by their H.273 number; FFmpeg converts to RGB with these.
WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
# Luma and chroma of the patches in eighths of the code range, some of them outside of RGB.
PATCHES = [(y, u, v) for y in (2, 4, 6) for u in (3, 4, 5) for v in (3, 4, 5)]
PATCH = 16
LOSSLESS = {**X264, "preset": "ultrafast", "qp": "0", "bf": "0"}


def planes_to_video(
    path: Path,
    planes: list[NDArray[np.generic]],
    pixel_format: str,
    *,
    codec: str = "libx264",
    matrix: int = 2,
    color_range: int = 0,
    trc: int = 2,
) -> Path:
    """Writes a video of one picture with exactly these planes and tags."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, values in zip(frame.planes, planes, strict=True):
        lines = np.zeros((plane.height, plane.line_size), dtype=np.uint8)
        rows = np.ascontiguousarray(values).view(np.uint8)
        lines[:, : rows.shape[1]] = rows
        plane.update(lines.tobytes())
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    frame.colorspace, frame.color_range = matrix, color_range
    with av.open(str(path), "w") as container:
        options = LOSSLESS if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        context = stream.codec_context
        context.colorspace, context.color_range, context.color_trc = matrix, color_range, trc
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def patch_planes(bits: int) -> list[NDArray[np.generic]]:
    """Returns 4:2:0 planes of flat patches side by side."""
    eighth, dtype = 2**bits // 8, np.uint8 if bits == 8 else np.uint16
    y, u, v = (np.array([patch[i] * eighth for patch in PATCHES], dtype) for i in range(3))
    return [
        np.broadcast_to(values.repeat(size), (size, size * len(PATCHES)))
        for values, size in ((y, PATCH), (u, PATCH // 2), (v, PATCH // 2))
    ]


def formula(bits: int, matrix: int, *, full: bool) -> NDArray[np.float64]:
    """Returns the RGB of the patches, 0 to 255, by ITU-T H.273."""
    scale = 2 ** (bits - 8)
    y, u, v = (np.array(values) * 2.0**bits / 8 for values in zip(*PATCHES, strict=True))
    luma = y / (2**bits - 1) if full else (y - 16 * scale) / (219 * scale)
    span = 2**bits - 1 if full else 224 * scale
    pb, pr = (u - 128 * scale) / span, (v - 128 * scale) / span
    kr, kb = WEIGHTS[matrix]
    red, blue = luma + 2 * (1 - kr) * pr, luma + 2 * (1 - kb) * pb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([red, green, blue], axis=1), 0, 1) * 255


def only_picture(
    path: Path, untagged_matrix: UntaggedMatrix = "ffmpeg"
) -> tuple[NDArray[np.uint8], DecodeReport]:
    with open_video(path, untagged_matrix=untagged_matrix) as video:
        (picture,) = [frame.to_rgb() for frame in video.frames()]
        (fetched,) = video.fetch([0])
        assert np.array_equal(fetched.to_rgb(), picture)
        return picture, video.report


def centres(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    return picture[PATCH // 2, PATCH // 2 :: PATCH].astype(float)


@pytest.mark.parametrize(
    ("bits", "matrix", "full"), list(itertools.product((8, 10), WEIGHTS, (False, True)))
)
def test_matrix_range_and_depth_are_the_tagged_ones(
    tmp_path: Path, bits: int, matrix: int, full: bool
) -> None:
    pixel_format = "yuv420p" if bits == 8 else "yuv420p10le"
    path = planes_to_video(
        tmp_path / "patches.mp4",
        patch_planes(bits),
        pixel_format,
        matrix=matrix,
        color_range=ColorRange.JPEG if full else ColorRange.MPEG,
    )
    picture, report = only_picture(path)
    expected = formula(bits, matrix, full=full)
    assert np.abs(centres(picture) - expected).max() <= 2
    name = {1: "BT.709", 6: "BT.601", 9: "BT.2020"}[matrix]
    assert report.colour == f"{name} {'full' if full else 'limited'}"
    with open_video(path) as video:
        small = next(video.frames(FrameInput(len(PATCHES) * 8, 8))).small
    assert small is not None
    assert np.abs(small[4, 4::8].astype(float) - expected).max() <= 4


@pytest.mark.parametrize(
    ("height", "policy", "matrix", "words"),
    [
        (64, "ffmpeg", 6, "BT.601 (assumed) limited"),
        (720, "ffmpeg", 6, "BT.601 (assumed) limited"),
        (64, "by_height", 6, "BT.601 (assumed) limited"),
        (720, "by_height", 1, "BT.709 (assumed) limited"),
    ],
)
def test_untagged_pictures_are_understood_by_the_stated_policy(
    tmp_path: Path, height: int, policy: UntaggedMatrix, matrix: int, words: str
) -> None:
    planes = [np.tile(p, (height // PATCH, 1)) for p in patch_planes(8)]
    path = planes_to_video(tmp_path / "untagged.mp4", planes, "yuv420p")
    picture, report = only_picture(path, policy)
    expected = formula(8, matrix, full=False)
    assert np.abs(centres(picture) - expected).max() <= 2
    assert report.colour == words
    with open_video(path, untagged_matrix=policy) as video:
        small = next(video.frames(FrameInput(len(PATCHES) * 8, 8))).small
    assert small is not None
    assert np.abs(small[4, 4::8].astype(float) - expected).max() <= 4


@pytest.mark.parametrize(
    ("tag", "matrix", "words"),
    [
        (8, 6, "BT.601 (assumed) limited"),
        (14, 6, "BT.601 (assumed) limited"),
        (10, 9, "BT.2020 limited"),
    ],
)
def test_matrices_that_cannot_be_converted_by_stop_no_video(
    tmp_path: Path, tag: int, matrix: int, words: str
) -> None:
    path = planes_to_video(tmp_path / "tagged.mp4", patch_planes(8), "yuv420p", matrix=tag)
    picture, report = only_picture(path)
    assert np.abs(centres(picture) - formula(8, matrix, full=False)).max() <= 2
    assert report.colour == words


def test_pictures_that_cannot_be_converted_are_a_corrupt_video() -> None:
    frame = av.VideoFrame(64, 64, "rgba128le")
    with pytest.raises(CorruptVideoError, match="format rgba128le cannot be converted"):
        FullImages("ffmpeg").of(frame, Orientation())


def test_tags_go_before_the_policy(tmp_path: Path) -> None:
    planes = [np.tile(p, (720 // PATCH, 1)) for p in patch_planes(8)]
    path = planes_to_video(tmp_path / "tagged.mp4", planes, "yuv420p", matrix=6)
    picture, _ = only_picture(path, "by_height")
    assert np.abs(centres(picture) - formula(8, 6, full=False)).max() <= 2


@pytest.mark.parametrize(
    ("trc", "name"), [(ColorTrc.SMPTE2084, "PQ"), (ColorTrc.ARIB_STD_B67, "HLG")]
)
def test_hdr_is_named_and_not_tone_mapped(tmp_path: Path, trc: int, name: str) -> None:
    path = planes_to_video(
        tmp_path / "hdr.mp4", patch_planes(10), "yuv420p10le", matrix=9, trc=int(trc)
    )
    picture, report = only_picture(path)
    assert np.abs(centres(picture) - formula(10, 9, full=False)).max() <= 2
    assert report.colour == f"BT.2020 limited HDR {name}"


@pytest.mark.parametrize(("bits", "pixel_format"), [(10, "yuv444p10le"), (12, "yuv444p12le")])
def test_the_extremes_of_deep_pictures_do_not_wrap_around(
    tmp_path: Path, bits: int, pixel_format: str
) -> None:
    greatest, neutral = 2**bits - 1, 2 ** (bits - 1)
    ramp = np.broadcast_to(np.linspace(0, greatest, 64).astype(np.uint16), (16, 64))
    chroma = np.full((16, 64), neutral, np.uint16)
    path = planes_to_video(
        tmp_path / "ramp.avi", [ramp, chroma, chroma], pixel_format, codec="ffv1"
    )
    picture, _ = only_picture(path)
    line = picture[8].astype(int)
    assert (line[0] == 0).all()
    assert (line[-1] == 255).all()
    assert (np.diff(line, axis=0) >= 0).all()


def test_chroma_is_where_the_stream_says(tmp_path: Path) -> None:
    """H.264's chroma sits on the left luma column: half a pixel more would be one level here."""
    width = 128
    columns = np.arange(width // 2)
    u = np.broadcast_to((64 + 2 * columns).astype(np.uint8), (16, width // 2))
    neutral = np.full((16, width // 2), 128, np.uint8)
    luma = np.full((32, width), 120, np.uint8)
    path = planes_to_video(
        tmp_path / "ramp.mp4", [luma, u, neutral], "yuv420p", matrix=1, color_range=ColorRange.JPEG
    )
    blue = only_picture(path)[0][16, :, 2].astype(float)
    position = np.arange(width)
    expected = 120 + 1.8556 * (64 + position - 128)
    inside = (expected > 5) & (expected < 250) & (position > 8) & (position < width - 8)
    assert abs((blue - expected)[inside].mean()) < 0.3


FFV1_FORMATS = (
    "yuv410p yuv411p yuv420p yuv422p yuv440p yuv444p yuva420p yuva444p gray gray10le gray16le "
    "yuv420p10le yuv422p10le yuv444p10le yuv420p12le yuv444p12le yuv444p16le "
    "gbrp10le gbrp12le gbrp16le bgr0 bgra"
)
LAYOUT_CODECS = {
    **dict.fromkeys(FFV1_FORMATS.split(), "ffv1"),
    "gbrp": "magicyuv",
    "gbrap": "magicyuv",
}


@pytest.mark.parametrize("size", [(160, 120), (161, 121)])
@pytest.mark.parametrize("pixel_format", LAYOUT_CODECS)
def test_every_layout_of_planes_gives_the_picture(
    tmp_path: Path, pixel_format: str, size: tuple[int, int]
) -> None:
    recipe = Recipe("x.avi", LAYOUT_CODECS[pixel_format], 2, pixel_format, size)
    path = make_video(tmp_path, recipe)
    with open_video(path) as video:
        frames = [(f.to_rgb(), f.small) for f in video.frames(FrameInput(*size, "bicubic"))]
        assert video.info.pixel_format == pixel_format
        again = [f.to_rgb() for f in video.fetch([0, 1])]
    for number, (rgb, small) in enumerate(frames):
        assert rgb.shape == (size[1], size[0], 3)
        assert np.array_equal(rgb, again[number])
        assert number_of(rgb) == number_of(small) == number
        original = painted(number, *size).astype(int)
        if pixel_format.startswith("gray"):
            original = np.repeat((original @ [0.299, 0.587, 0.114])[..., None], 3, axis=2)
        # Below the bars, where chroma is coarse and ends sharply.
        difference = np.abs(rgb[size[1] // 3 :].astype(int) - original[size[1] // 3 :])
        assert difference.mean() < (2 if "41" not in pixel_format else 4)
        assert np.abs(small.astype(int) - rgb).mean() < 2


def test_alpha_is_dropped_and_colours_stay(tmp_path: Path) -> None:
    pixels = np.zeros((16, 64), np.uint32)
    pixels[:] = np.linspace(0, 255, 64).astype(np.uint32) << 24 | 0x204080
    path = planes_to_video(tmp_path / "alpha.avi", [pixels], "bgra", codec="ffv1")
    picture, report = only_picture(path)
    assert (picture == (0x20, 0x40, 0x80)).all()
    assert report.colour == "RGB"


ONE = 1 << 16
# a, b, c, d of the display matrix: a point (x, y) is shown at (a x + c y, b x + d y).
MATRICES = {
    "upright": (1, 0, 0, 1),
    "quarter turn clockwise": (0, 1, -1, 0),
    "half turn": (-1, 0, 0, -1),
    "quarter turn back": (0, -1, 1, 0),
    "left and right swapped": (-1, 0, 0, 1),
    "top and bottom swapped": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed the other way": (0, -1, -1, 0),
}


def with_matrix(content: bytes, matrix: tuple[int, ...]) -> bytes:
    """Returns an MP4 file with a, b, c, d (16.16 fixed point) in the header of its track."""
    changed = bytearray(content)
    start = content.index(b"tkhd") + 44
    for place, value in zip((0, 1, 3, 4), matrix, strict=True):
        changed[start + 4 * place : start + 4 * place + 4] = value.to_bytes(4, "big", signed=True)
    return bytes(changed)


def shown(picture: NDArray[np.uint8], matrix: tuple[int, ...]) -> NDArray[np.uint8]:
    """Moves every pixel to where the matrix puts it, one by one."""
    a, b, c, d = matrix
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    to_x, to_y = a * x + c * y, b * x + d * y
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    out = np.empty((to_y.max() + 1, to_x.max() + 1, 3), np.uint8)
    out[to_y, to_x] = picture
    return out


@pytest.mark.parametrize("name", MATRICES)
def test_pictures_are_turned_and_mirrored_by_their_display_matrix(
    fixture_videos: VideoFolder, name: str
) -> None:
    content = fixture_videos["h264.mp4"].read_bytes()
    turned = with_matrix(content, tuple(ONE * value for value in MATRICES[name]))
    with open_video(io.BytesIO(content)) as video:
        (plain,) = (f.to_rgb() for f in video.fetch([7]))
    expected = shown(plain, MATRICES[name])
    height, width = expected.shape[:2]
    with open_video(io.BytesIO(turned)) as video:
        frame = next(f for f in video.frames(FrameInput(width, height, "bicubic")) if f.index == 7)
        assert (frame.row.width, frame.row.height) == (width, height)
        assert frame.small is not None
        assert frame.small.shape == expected.shape
        # The fast way to a small image handles chroma with less care.
        assert np.abs(frame.small.astype(int) - expected).mean() < 1
        (fetched,) = video.fetch([7])
        list(video.frames())
        assert (video.report.rotation is None) == (name == "upright")
    assert np.array_equal(fetched.to_rgb(), expected)
    assert fetched.to_rgb().flags.c_contiguous


# What editors and phones write in place of them: rounded, scaled, in floating point, bent.
NEARLY = {
    "rounded down": lambda v: v * (ONE - 1),
    "twice as large": lambda v: v * 2 * ONE,
    "tiny": lambda v: v * 7,
    "half a degree off": lambda v: v * ONE or 571,
    "noise": lambda v: v * ONE - 3,
}


@pytest.mark.parametrize("how", NEARLY)
@pytest.mark.parametrize("name", MATRICES)
def test_what_is_nearly_a_turn_is_taken_for_it(how: str, name: str) -> None:
    a, b, c, d = MATRICES[name]
    exact = np.array([ONE * a, ONE * b, 0, ONE * c, ONE * d, 0, 0, 0, 1 << 30], np.int32)
    near = exact.copy()
    near[[0, 1, 3, 4]] = [NEARLY[how](value) for value in MATRICES[name]]
    assert from_matrix(near) == from_matrix(exact)
    assert not from_matrix(near).irregular


def test_scales_of_both_sides_are_divided_out() -> None:
    wide = np.array([0, ONE * 4 // 3, 0, -ONE, 0, 0, 240 << 16, 0, 1 << 30], np.int32)
    assert str(from_matrix(wide)) == "transpose+mirror_x"


@pytest.mark.parametrize(
    "matrix", [(0, 0, 0, 0), (46341, 46341, -46341, 46341), (ONE, 1400, -1400, ONE)]
)
def test_a_matrix_that_is_no_turn_is_left_and_reported(
    fixture_videos: VideoFolder, matrix: tuple[int, ...]
) -> None:
    content = fixture_videos["h264.mp4"].read_bytes()
    with open_video(io.BytesIO(with_matrix(content, matrix))) as video:
        pictures = [f.to_rgb() for f in video.frames()]
        assert video.report.rotation == reasons.LEFT_AS_CODED()
        assert video.report.warnings == (reasons.LEFT_AS_CODED(),)
    assert {p.shape for p in pictures} == {(120, 160, 3)}
    assert [number_of(p) for p in pictures] == list(range(40))


@pytest.mark.parametrize("size", [(161, 121), (159, 90), (2, 2), (1, 1), (17, 200)])
def test_small_images_of_any_size_show_the_whole_picture(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    recipe = Recipe("odd.mp4", "libx264", 2, "yuv444p", size, X264)
    with open_video(make_video(tmp_path, recipe)) as video:
        frame = next(video.frames(FrameInput(64, 48, "bicubic")))
        scaled = Image.fromarray(frame.to_rgb()).resize((64, 48), Image.Resampling.BICUBIC)
    assert frame.small is not None
    assert np.abs(np.asarray(scaled).astype(int) - frame.small).mean() < 6


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "yuv444p"])
def test_pictures_are_the_same_whatever_instructions_make_them(
    tmp_path: Path, pixel_format: str
) -> None:
    path = make_video(tmp_path, Recipe("wide.mp4", "libx264", 2, pixel_format, (642, 362), X264))

    def pictures() -> list[NDArray[np.uint8]]:
        made = []
        for resampler in ("area", "bilinear", "bicubic"):
            with open_video(path) as video:
                for frame in video.frames(FrameInput(64, 64, resampler)):
                    assert frame.small is not None
                    made += [frame.small.copy(), frame.to_rgb()]
        return made

    ours = pictures()
    ctypes.CDLL(av.video.reformatter.__file__).av_force_cpu_flags(-1)
    try:
        theirs = pictures()
    finally:
        avoid_gathers()
    assert len(ours) == len(theirs) == 12
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_pixels_that_are_not_square_are_kept_and_told(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    recipe = BY_NAME["h264.mp4"]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=recipe.options)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        frame = av.VideoFrame.from_ndarray(painted(5), format="rgb24")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_video(path) as video:
        assert video.info.pixel_aspect == "4/3"
        assert next(video.frames()).to_rgb().shape == (120, 160, 3)


def test_fields_are_kept_woven_and_counted(tmp_path: Path) -> None:
    options = {"g": "12", "flags": "+ildct+ilme", "top": "1"}
    path = make_video(tmp_path, Recipe("woven.mpg", "mpeg2video", 12, options=options))
    with open_video(path) as video:
        assert len(list(video.frames())) == 12
        assert video.report.n_interlaced == 12


# Visible bytes in a line of each plane of a 33 x 17 picture, and lines of each plane.
LAYOUTS: dict[str, tuple[tuple[int, int], ...]] = {
    "yuv420p": ((33, 17), (17, 9), (17, 9)),
    "yuv422p10le": ((66, 17), (34, 17), (34, 17)),
    "yuv410p": ((33, 17), (9, 5), (9, 5)),
    "nv12": ((33, 17), (34, 9)),
    "p010le": ((66, 17), (68, 9)),
    "gray": ((33, 17),),
    "gray16le": ((66, 17),),
    "rgb24": ((99, 17),),
    "rgba": ((132, 17),),
    "rgb48le": ((198, 17),),
    "rgb555le": ((66, 17),),
    "gbrp": ((33, 17),) * 3,
    "gbrp12le": ((66, 17),) * 3,
    "pal8": ((33, 17), (1024, 1)),
    "monob": ((5, 17),),
}


@pytest.mark.parametrize("pixel_format", LAYOUTS)
def test_a_checksum_covers_every_visible_byte_and_no_other(pixel_format: str) -> None:
    frame = av.VideoFrame(33, 17, pixel_format)
    layout = LAYOUTS[pixel_format]
    assert len(frame.planes) == len(layout)
    rng = np.random.default_rng(0)
    contents = [
        rng.integers(0, 256, (n_lines, plane.line_size or plane.buffer_size), dtype=np.uint8)
        for plane, (_, n_lines) in zip(frame.planes, layout, strict=True)
    ]

    def checksum_of(change: Callable[[], None] = lambda: None) -> int:
        change()
        for plane, lines in zip(frame.planes, contents, strict=True):
            padded = np.zeros(plane.buffer_size, np.uint8)
            padded[: lines.size] = lines.reshape(-1)[: plane.buffer_size]
            plane.update(padded.tobytes())
        return checksum(frame)

    before = checksum_of()
    for lines, (n_bytes, n_lines) in zip(contents, layout, strict=True):
        for y, x in ((0, 0), (n_lines - 1, n_bytes - 1), (n_lines // 2, n_bytes // 2)):
            lines[y, x] ^= 1
            assert checksum_of() != before
            lines[y, x] ^= 1
        lines[:, n_bytes:] ^= 255
        assert checksum_of() == before
        lines[:, n_bytes:] ^= 255


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="compares with the ffmpeg command")
@pytest.mark.parametrize(
    ("codec", "pixel_format", "size", "position"),
    [
        ("libx264", "yuv420p", (160, 120), "in_h_chr_pos=0:in_v_chr_pos=128:"),
        ("libx264", "yuv420p", (162, 122), "in_h_chr_pos=0:in_v_chr_pos=128:"),
        ("libx264", "yuv420p10le", (160, 120), "in_h_chr_pos=0:in_v_chr_pos=128:"),
        ("libx264", "yuv422p", (160, 120), "in_h_chr_pos=0:"),
        ("libx264", "yuv444p", (161, 121), ""),
        ("ffv1", "yuv444p12le", (160, 120), ""),
        ("ffv1", "bgra", (161, 121), ""),
    ],
)
def test_pictures_equal_those_of_the_ffmpeg_command_told_the_chroma_position(
    tmp_path: Path, codec: str, pixel_format: str, size: tuple[int, int], position: str
) -> None:
    options = X264 if codec == "libx264" else {}
    name = "x.mp4" if codec == "libx264" else "x.avi"
    path = make_video(tmp_path, Recipe(name, codec, 3, pixel_format, size, options))
    scale = f"scale={position}flags=bicubic+accurate_rnd+full_chroma_int"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", scale]
    raw = subprocess.check_output([*command, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
    theirs = np.frombuffer(raw, np.uint8).reshape(3, size[1], size[0], 3)
    with open_video(path) as video:
        ours = np.stack([frame.to_rgb() for frame in video.frames()])
    assert np.abs(ours.astype(int) - theirs).max() == 0
