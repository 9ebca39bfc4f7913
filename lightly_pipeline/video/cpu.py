"""Which of its instructions FFmpeg may choose; its results do not depend on it.

Belongs here: what FFmpeg cannot find out by itself. Nothing that changes a pixel.
"""

import ctypes
import platform

import av.video.reformatter

# Of libavutil/cpu.h.
_AVX2, _SLOW_GATHER = 0x8000, 0x2000000


def avoid_gathers() -> None:
    """Has swscale load pixels one by one instead of by AVX2 gathers.

    FFmpeg knows the older processors whose gathers are slow. On newer ones, too, scaling a large
    picture down takes 1.5 (1080p) to 3 times (4K) as long with them, to the same bits.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return
    try:
        # The extension module, for where FFmpeg itself lies differs from build to build.
        ffmpeg = ctypes.CDLL(av.video.reformatter.__file__)
        flags = ffmpeg.av_get_cpu_flags()
        if flags & _AVX2:
            ffmpeg.av_force_cpu_flags(flags | _SLOW_GATHER)
    except (OSError, AttributeError):
        # Linked in a way that hides FFmpeg: only slower.
        return
