"""What the numbers of a picture mean: by its tags, and by policy where it has none.

Decisions and words only; converting is in `pixels.py`. Matrix and range are honoured, tone and
gamut are not mapped: HDR pictures keep their flat look, as in FFmpeg and in the original.
"""

from typing import Any

from av.video.reformatter import ColorRange, Colorspace, ColorTrc

from lightly_pipeline.video.types import UntaggedMatrix

# ITU-T H.273, matrix_coefficients; swscale refuses pictures with any other.
_RGB, _UNSPECIFIED, _BT2020, _BT2020_CONSTANT = 0, 2, 9, 10
_MATRICES = {
    1: "BT.709",
    4: "FCC",
    5: "BT.601",
    6: "BT.601",
    7: "SMPTE 240M",
    _BT2020: "BT.2020",
}
_RANGES = tuple(ColorRange)
_HDR = {ColorTrc.SMPTE2084: "PQ", ColorTrc.ARIB_STD_B67: "HLG"}
_HD_LINES = 720


def settle_tags(frame: Any) -> None:
    """Takes tags of an `av.VideoFrame` that cannot be converted by for absent.

    BT.2020 with constant luminance is read as that without, which is near.
    """
    matrix = frame.colorspace
    if matrix not in _MATRICES and matrix not in (_RGB, _UNSPECIFIED):
        frame.colorspace = _BT2020 if matrix == _BT2020_CONSTANT else _UNSPECIFIED
    if frame.color_range not in _RANGES:
        frame.color_range = ColorRange.UNSPECIFIED


def assumed_matrix(frame: Any, policy: UntaggedMatrix) -> Colorspace | None:
    """Returns the matrix to convert an untagged `av.VideoFrame` with.

    Args:
        frame: A decoded frame.
        policy: "ffmpeg" leaves it to FFmpeg, which takes BT.601 whatever the size; "by_height"
            takes BT.709 from 720 lines on.

    Returns:
        None where the tags, or FFmpeg, decide.
    """
    is_untagged = frame.colorspace == _UNSPECIFIED
    if policy == "by_height" and is_untagged and frame.height >= _HD_LINES:
        return Colorspace.ITU709
    return None


def describe_colour(frame: Any, policy: UntaggedMatrix) -> str:
    """Returns how an `av.VideoFrame` is understood, for the report: "BT.709 limited", ..."""
    if frame.format.is_rgb or frame.colorspace == _RGB:
        return "RGB"
    words = [_MATRICES.get(frame.colorspace, "BT.601 (assumed)")]
    if assumed_matrix(frame, policy) is not None:
        words = ["BT.709 (assumed)"]
    words.append("full" if frame.color_range == ColorRange.JPEG else "limited")
    if frame.color_trc in _HDR:
        words.append(f"HDR {_HDR[ColorTrc(frame.color_trc)]}")
    return " ".join(words)
