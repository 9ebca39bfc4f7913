"""The child of `isolated.py`: decodes one image after the other, within bounds, until none comes.

Run as a module: images come on standard input, frames go to standard output.
"""

import sys
from dataclasses import asdict
from typing import Any

from lightly_pipeline.errors import CorruptImageError
from lightly_pipeline.images.decoding import read_rgb
from lightly_pipeline.images.frames import ImageFrames
from lightly_pipeline.video.child import end_with_parent
from lightly_pipeline.video.isolated_child import bound
from lightly_pipeline.video.types import FrameInput
from lightly_pipeline.video.wire import receive, send

_CPU_S = 24 * 3600


def _serve() -> None:
    """Answers until standard input ends: the child's whole life."""
    end_with_parent()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    begun = receive(requests)
    assert begun is not None
    frames = ImageFrames(FrameInput(**begun[0]["wanted"]))
    bound(begun[0]["memory_bytes"], _CPU_S)
    while (request := receive(requests)) is not None:
        send(answers, *_answer(frames, *request))
        answers.flush()


def _answer(
    frames: ImageFrames, header: dict[str, Any], content: bytes
) -> tuple[dict[str, Any], bytes]:
    try:
        frame = frames.of(read_rgb(content), header["index"])
    except CorruptImageError as error:
        return {"corrupt": error.reason}, b""
    assert frame.small is not None
    return {"row": asdict(frame.row), "shape": frame.small.shape}, frame.small.tobytes()


if __name__ == "__main__":
    _serve()
