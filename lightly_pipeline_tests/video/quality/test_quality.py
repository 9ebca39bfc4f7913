"""Quality numbers say what a person would: dark, colourful, blurred, striped."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import Interpolation
from hypothesis import given, settings
from hypothesis import strategies as st

from lightly_pipeline.datasources import LocalDatasource
from lightly_pipeline.inputs.quality import column_of
from lightly_pipeline.tables.frames import FRAMES_FILE, FrameTableWriter, read_rows
from lightly_pipeline.video import FrameInput, FrameRow, Quality, open_video
from lightly_pipeline.video.orientation import Orientation
from lightly_pipeline.video.quality.meter import QualityMeter
from lightly_pipeline.video.quality.numbers import shrunk_size, uniform_rows
from lightly_pipeline.video.quality.screen import sampled, screened
from lightly_pipeline_tests.support.videos import BY_NAME, VideoFolder

UPRIGHT = Orientation()
LIGHTLY_NAMES = [
    "uniformRowRatio",
    "luminance",
    "sharpness",
    "contrast",
    "meanRed",
    "meanGreen",
    "meanBlue",
    "width",
    "height",
]


def ratio_by_definition(grey: np.ndarray) -> float:
    """Lightly's `uniformRowRatio`, written with torch."""
    height, width = grey.shape
    # In grey levels, not divided by 255: a response of exactly 5 would fall to either side.
    picture = torch.from_numpy(grey.astype(np.float32))[None, None]
    if height > 400:
        size = int(height * (400 / height)), max(3, int(width * (400 / height)))
        picture = torch.nn.functional.interpolate(picture, size, mode="bilinear")
    kernel = torch.full((1, 1, 3, 3), -1.0)
    kernel[0, 0, 1, 1] = 8
    flat = torch.nn.functional.conv2d(picture, kernel)[0, 0].abs() < 5
    return float((flat.float().mean(1) > 0.97).float().mean())


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def measured(rgb: np.ndarray, pixel_format: str = "yuv444p", **how: Orientation) -> Quality:
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
    frame = frame.reformat(format=pixel_format, interpolation=exact)
    meter = QualityMeter("ffmpeg")
    (quality,) = meter.of([meter.glance(frame, how.get("orientation", UPRIGHT))])
    return quality


@settings(max_examples=20)
@given(st.integers(3, 600), st.integers(3, 300), st.integers(0, 10**6), st.floats(0, 12))
def test_uniform_rows_follow_lightlys_definition(
    height: int, width: int, seed: int, strength: float
) -> None:
    rng = np.random.default_rng(seed)
    per_row = rng.random((height, 1)) * strength
    grey = np.clip(rng.normal(128, per_row, (height, width)), 0, 255).astype(np.uint8)
    _, rows = shrunk_size(width, height)
    uniform = uniform_rows(lambda lines: grey[lines], (width, height), np.arange(rows - 2))
    assert abs(uniform.mean() - ratio_by_definition(grey)) <= 1.01 / (rows - 2)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv420p10le", "gbrp", "rgb24"])
@pytest.mark.parametrize(("empty", "expected"), [(slice(0, 0), 0.0), (slice(360, 720), 0.5)])
def test_the_empty_part_of_a_picture_is_its_ratio(
    pixel_format: str, empty: slice, expected: float
) -> None:
    rgb = noise(720, 960)
    rgb[empty] = 128
    quality = measured(rgb, pixel_format)
    assert quality.uniform_row_ratio == pytest.approx(expected, abs=0.01)


def test_rows_are_those_of_the_upright_picture() -> None:
    rgb = noise(480, 720)
    rgb[:, :360] = 90
    turned = Orientation(transpose=True, mirror_x=True)
    assert measured(rgb).uniform_row_ratio == 0
    assert measured(rgb, orientation=turned).uniform_row_ratio == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv422p10le", "gbrp", "rgb24"])
def test_flat_colour_is_measured_within_three_of_255(pixel_format: str) -> None:
    rgb = np.full((64, 96, 3), (200, 100, 50), dtype=np.uint8)
    q = measured(rgb, pixel_format)
    found = [255 * q.mean_red, 255 * q.mean_green, 255 * q.mean_blue]
    assert found == pytest.approx([200, 100, 50], abs=3)
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert q.luminance == pytest.approx(grey / 2.55, abs=1)
    assert (q.contrast, q.sharpness) == pytest.approx((0, 0), abs=0.005)
    assert q.uniform_row_ratio == 1


def test_means_are_those_of_the_whole_picture() -> None:
    ramp = np.linspace(0, 255, 1280).astype(np.uint8)
    rgb = np.broadcast_to(ramp[None, :, None], (720, 1280, 3)).copy()
    q = measured(rgb)
    assert q.luminance == pytest.approx(50, abs=0.5)
    assert q.contrast == pytest.approx((1 / 12) ** 0.5, abs=0.01)


def test_blur_lowers_sharpness_and_size_hardly_matters() -> None:
    from PIL import Image, ImageFilter

    sharp = Image.fromarray(noise(90, 160)).resize((640, 360), Image.Resampling.BICUBIC)
    blurred = sharp.filter(ImageFilter.GaussianBlur(3))
    large = sharp.resize((1920, 1080), Image.Resampling.BICUBIC)
    reference = measured(np.asarray(sharp)).sharpness
    assert measured(np.asarray(blurred)).sharpness < reference / 5
    assert measured(np.asarray(large)).sharpness == pytest.approx(reference, rel=0.3)


def test_full_and_limited_range_give_the_same_numbers() -> None:
    rgb = noise(90, 160).repeat(4, 0).repeat(4, 1)
    limited, full = measured(rgb, "yuv444p"), measured(rgb, "yuvj444p")
    assert limited.sharpness == pytest.approx(full.sharpness, rel=0.02)
    assert limited.luminance == pytest.approx(full.luminance, rel=0.02)


def test_a_damaged_frame_in_letterboxed_material_shows() -> None:
    rgb = noise(720, 960)
    rgb[:90] = rgb[-90:] = 0
    damaged = rgb.copy()
    damaged[400:] = 128
    meter = QualityMeter("ffmpeg")
    ratios = []
    for start in range(0, 200, 4):
        pictures = [damaged if number == 150 else rgb for number in range(start, start + 4)]
        frames = [av.VideoFrame.from_ndarray(p, format="rgb24") for p in pictures]
        glances = [meter.glance(f.reformat(format="yuv420p"), UPRIGHT) for f in frames]
        ratios += [quality.uniform_row_ratio for quality in meter.of(glances)]
    assert ratios[150] == pytest.approx((90 + 320) / 720, abs=0.02)
    others = ratios[:150] + ratios[151:]
    assert others == pytest.approx([0.25] * 199, abs=0.02)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
@pytest.mark.parametrize("size", [(64, 48), (722, 406), (1920, 1080), (1081, 1919)])
def test_how_a_plane_lies_in_memory_changes_no_number(size: tuple[int, int], dtype: str) -> None:
    width, height = size
    random = np.random.default_rng(0)
    padded = random.integers(0, 256, (height + 8, -(-width // 64) * 64 + 64)).astype(dtype)
    picture = np.array(padded[:height, :width])
    turned = np.array(picture.T).T
    ways = [screened(sampled(luma, size), size, 16, 235) for luma in (padded, picture, turned)]
    assert all(np.array_equal(way.response, ways[0].response) for way in ways)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (9, 2), (3, 3), (5, 401), (401, 5)])
def test_tiny_pictures_have_numbers(size: tuple[int, int]) -> None:
    q = measured(noise(*size))
    assert 0 <= q.uniform_row_ratio <= 1
    assert np.isfinite(q.sharpness)


@pytest.mark.parametrize(
    "name",
    ["h264.mp4", "prores.mov", "qtrle-alpha.mov", "smc.mov", "mjpeg.avi"],
)
def test_every_pixel_format_is_measured(fixture_videos: VideoFolder, name: str) -> None:
    with open_video(fixture_videos[name]) as video:
        qualities = [frame.row.quality for frame in video.frames()]
    assert len(qualities) == BY_NAME[name].n_frames
    for q in qualities:
        assert 0 <= q.uniform_row_ratio <= 1
        assert 0 < q.luminance < 100
        assert 0 < q.contrast < 0.5
        assert q.sharpness > 1
        assert all(0 < mean < 1 for mean in (q.mean_red, q.mean_green, q.mean_blue))


def test_numbers_do_not_depend_on_the_encoder(fixture_videos: VideoFolder) -> None:
    with open_video(fixture_videos["vp9.webm"]) as video:
        alone = [frame.row for frame in video.frames()]
        small = [frame.row for frame in video.frames(FrameInput(224, 224, "bilinear"))]
    assert alone == small


def test_the_table_keeps_them_under_the_documented_columns(
    fixture_videos: VideoFolder, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    with open_video(fixture_videos["h264.mp4"]) as video:
        rows: list[FrameRow] = [frame.row for frame in video.frames()]
    store = LocalDatasource(tmp_path)
    with store.writer(f"t/{FRAMES_FILE}") as file, FrameTableWriter(file) as table:
        for row in rows:
            table.append(row)
    assert read_rows(store, "t") == rows
    columns = set(pq.read_schema(tmp_path / "t" / FRAMES_FILE).names)
    assert {column_of(f"lightly.{name}") for name in LIGHTLY_NAMES} <= columns


def test_colour_tags_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "red.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv444p"
        stream.codec_context.colorspace = 1
        red = np.zeros((64, 64, 3), np.uint8)
        red[..., 0] = 255
        frame = av.VideoFrame.from_ndarray(red, format="rgb24")
        frame = frame.reformat(format="yuv444p", dst_colorspace="ITU709")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_video(path) as video:
        quality = next(iter(video.frames())).row.quality
    assert 255 * quality.mean_red == pytest.approx(255, abs=2)
    assert 255 * quality.mean_green == pytest.approx(0, abs=2)
