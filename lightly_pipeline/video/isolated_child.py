"""The child of `isolated.py`: decodes one video for one request, within bounds, and ends.

Run as a module; the request comes on standard input, messages go to standard output.
"""

import json
import sys
from dataclasses import asdict
from typing import IO, Any

from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.video import reasons
from lightly_pipeline.video.child import end_with_parent
from lightly_pipeline.video.reader import Video, open_video
from lightly_pipeline.video.sampling import FrameSampling
from lightly_pipeline.video.types import DecodeLimits, FrameIndex, FrameInput, FrameRow, KeyPacket
from lightly_pipeline.video.wire import send


def _serve() -> None:
    """Answers one request on standard input: the child's whole life."""
    end_with_parent()
    request = json.loads(sys.stdin.buffer.read())
    output = sys.stdout.buffer
    try:
        bound(request["memory_bytes"], request["cpu_s"])
        if "rows" in request:
            _serve_fetch(request, output)
        else:
            _serve_frames(request, output)
        send(output, {"kind": "done"})
    except CorruptVideoError as error:
        send(output, {"kind": "corrupt", "reason": error.reason})
    except FrameChangedError as error:
        send(output, {"kind": "changed", "indices": error.indices})
    except MemoryError:
        send(output, {"kind": "corrupt", "reason": reasons.DECODING_TAKES_MEMORY()})
    output.flush()


def bound(memory_bytes: int, cpu_s: int) -> None:
    """Bounds this process: its address space, and its processor time in seconds."""
    import resource

    # At the soft limit of CPU time comes SIGXCPU, which says what it is; at the hard one SIGKILL.
    bounds = (
        (resource.RLIMIT_AS, (memory_bytes, memory_bytes)),
        (resource.RLIMIT_CPU, (cpu_s, cpu_s + 5)),
    )
    for kind, bound in bounds:
        try:
            resource.setrlimit(kind, bound)
        except (ValueError, OSError):
            # Not every system enforces every limit; the deadline remains.
            continue


def _open(request: dict[str, Any], index: FrameIndex | None) -> Video:
    return open_video(
        request["path"],
        index=index,
        limits=DecodeLimits(**request["limits"]),
        untagged_matrix=request["untagged_matrix"],
        video_stream=request["video_stream"],
    )


def _serve_frames(request: dict[str, Any], output: IO[bytes]) -> None:
    wanted = FrameInput(**request["frame_input"]) if request["frame_input"] else None
    with _open(request, None) as video:
        send(output, {"kind": "info", "info": video.info.as_dict()})
        pictures = request["pictures"]
        named = frozenset() if pictures == "all" else frozenset(pictures)
        for frame in video.frames(wanted, FrameSampling(**request["sampling"])):
            arrays = [] if frame.small is None else [frame.small]
            if pictures == "all" or frame.index in named:
                arrays.append(frame.to_rgb())
            header = {
                "kind": "frame",
                "row": asdict(frame.row),
                "shapes": [array.shape for array in arrays],
            }
            send(output, header, b"".join(array.tobytes() for array in arrays))
        send(output, {"kind": "report", "report": video.report.as_dict()})


def _serve_fetch(request: dict[str, Any], output: IO[bytes]) -> None:
    rows = [FrameRow.from_dict(row) for row in request["rows"]]
    index = FrameIndex(rows, [KeyPacket(*packet) for packet in request["key_packets"]])
    with _open(request, index) as video:
        for frame in video.fetch(request["indices"], ordered=False):
            rgb = frame.to_rgb()
            header = {"kind": "fetched", "index": frame.index, "rung": frame.rung}
            send(output, {**header, "shape": rgb.shape}, rgb.tobytes())


if __name__ == "__main__":
    _serve()
