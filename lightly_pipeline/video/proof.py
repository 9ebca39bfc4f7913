"""Finds out whether a part of a video can be decoded under the numbers of the whole.

Reads and tries; what is decided by is in `numbering.py`, what packets say in `headers`.
"""

from collections.abc import Callable

from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import reasons
from lightly_pipeline.video.container import OpenedStream
from lightly_pipeline.video.decode import Pass
from lightly_pipeline.video.headers import Unclear, headers_of
from lightly_pipeline.video.numbering import DecodePlan, plan_decoding
from lightly_pipeline.video.sampling import FrameSampling
from lightly_pipeline.video.types import DecodeLimits, UntaggedMatrix


def prove_plan(
    fresh: Callable[[], OpenedStream],
    close: Callable[[], None],
    sampling: FrameSampling,
    limits: DecodeLimits,
    untagged_matrix: UntaggedMatrix,
) -> tuple[DecodePlan | None, str | None]:
    """Returns what to decode where packets tell the frames' numbers, or why they do not.

    Args:
        fresh: Gives the stream at its start.
        close: Closes it.
        sampling: Which frames are wanted.
        limits: Bounds on what the file may cost.
        untagged_matrix: As for every pass.
    """
    try:
        opened = fresh()
        stream = opened.stream
        headers = headers_of(opened.info.codec, stream.codec_context.extradata)
        packets = Pass(opened, limits, untagged_matrix).survey(headers)
        seconds_per_pts = float(stream.time_base or 0)
        plan = plan_decoding(packets, sampling, seconds_per_pts, headers.reorder)
        close()
        _try(plan, Pass(fresh(), limits, untagged_matrix))
    except Unclear as doubt:
        return None, str(doubt)
    finally:
        close()
    return plan, None


def _try(plan: DecodePlan, decoding: Pass) -> None:
    """Decodes by a plan once without a use, for numbers cannot be taken back later.

    Raises:
        Unclear: What comes out is not what the packets said.
    """
    try:
        flags = [(frame.pts, bool(frame.key_frame)) for frame in decoding.frames(plan)]
    except CorruptVideoError as error:
        raise Unclear(error.reason) from None
    if decoding.report(plan).damaged:
        raise Unclear(reasons.DAMAGED_STREAM())
    plan.check(dict(flags), len(flags))
