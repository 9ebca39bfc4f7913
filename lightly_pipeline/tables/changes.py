"""Which frames get an embedding of their own: those that differ from the last one that has.

Decided on the small images that the encoder wants, in whole numbers, so that every machine decides
alike. What becomes of the others is written in `writing.py`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.video import DecodedFrame

# Levels are counted in 16ths, gains in 1024ths.
_LEVEL, _GAIN = 16, 1024
_LEAST_GAIN, _MOST_GAIN = _GAIN // 2, _GAIN * 2


class _Picture(NamedTuple):
    """A small image without its brightness, and the sum of its squares."""

    values: NDArray[np.int32]
    power: int


class ChangeFilter:
    """Tells frames that changed from those that look like the last one that did.

    Args:
        threshold: Of `difference`, above which a frame has changed.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._reference: _Picture | None = None

    def is_changed(self, frame: DecodedFrame) -> bool:
        """Returns whether the next frame has changed; if so, those after it are compared with it.

        A damaged frame always has, and none is compared with it.
        """
        assert frame.small is not None
        if frame.row.damaged:
            self._reference = None
            return True
        picture = _picture(frame.small)
        is_changed = (
            self._reference is None or _difference(self._reference, picture) > self._threshold
        )
        if is_changed:
            self._reference = picture
        return is_changed


def difference(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Returns how much an image differs from another, exposure apart.

    The mean absolute difference of all numbers once a gain (of all channels, a half to two) and an
    offset (of each channel) are taken out, those of least squares.

    Args:
        reference: Shape (H, W, 3).
        image: The same.

    Returns:
        Levels, 0 to 255.
    """
    return _difference(_picture(reference), _picture(image))


def _picture(image: NDArray[np.uint8]) -> _Picture:
    values = image.astype(np.int32) * _LEVEL
    n_pixels = values.shape[0] * values.shape[1]
    values -= ((values.sum(axis=(0, 1), dtype=np.int64) + n_pixels // 2) // n_pixels).astype(
        np.int32
    )
    return _Picture(values, int(np.square(values).sum(dtype=np.int64)))


def _difference(reference: _Picture, picture: _Picture) -> float:
    common = int((reference.values * picture.values).sum(dtype=np.int64))
    gain = _GAIN * common // picture.power if picture.power else _GAIN
    gain = min(max(gain, _LEAST_GAIN), _MOST_GAIN)
    levels = np.abs(_GAIN * reference.values - gain * picture.values)
    whole = int(levels.sum(dtype=np.int64))
    return whole / (_GAIN * _LEVEL * reference.values.size)
