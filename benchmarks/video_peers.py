"""Measures other readers of frames for `benchmarks.video`; runs alone, in their interpreter.

python video_peers.py NAME VIDEO WIDTH HEIGHT [--pictures FILE]
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator

import numpy as np


def opencv(video: str, size: tuple[int, int], method: str) -> Iterator[np.ndarray]:
    """Yields every frame by `VideoCapture` and `resize`."""
    import cv2

    cv2.setNumThreads(1)
    interpolation = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}[method]
    capture = cv2.VideoCapture(video, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    while True:
        ok, picture = capture.read()
        if not ok:
            return
        yield cv2.resize(picture, size, interpolation=interpolation)[..., ::-1]


def torchcodec(video: str, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yields every frame by `VideoDecoder` with its own resizing."""
    import torch
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    torch.set_num_threads(1)
    decoder = VideoDecoder(
        video,
        num_ffmpeg_threads=1,
        seek_mode="approximate",
        dimension_order="NHWC",
        transforms=[Resize((size[1], size[0]))],
    )
    for frame in decoder:
        yield frame.numpy()


def decord(video: str, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yields every frame by `VideoReader` with its own resizing."""
    from decord import VideoReader, cpu

    for frame in VideoReader(video, ctx=cpu(0), width=size[0], height=size[1], num_threads=1):
        yield frame.asnumpy()


READERS: dict[str, Callable[[str, tuple[int, int]], Iterator[np.ndarray]]] = {
    "opencv area": lambda video, size: opencv(video, size, "area"),
    "opencv linear": lambda video, size: opencv(video, size, "linear"),
    "torchcodec": torchcodec,
    "decord": decord,
}
IMPORTS = {"opencv area": "cv2", "opencv linear": "cv2", "torchcodec": "torchcodec.decoders"}


def main() -> None:
    """Prints the CPU seconds of one pass as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("video")
    parser.add_argument("width", type=int)
    parser.add_argument("height", type=int)
    parser.add_argument("--pictures")
    options = parser.parse_args()
    size = options.width, options.height
    __import__(IMPORTS.get(options.reader, options.reader))
    started = sum(os.times()[:2])
    frames = sum(1 for _ in READERS[options.reader](options.video, size))
    used = sum(os.times()[:2]) - started
    if not frames:
        raise SystemExit("no frames, and no error")
    if options.pictures:
        places = {frames * i // 5 for i in range(5)}
        reader = READERS[options.reader](options.video, size)
        np.save(options.pictures, np.stack([p for i, p in enumerate(reader) if i in places]))
    print(json.dumps({"cpu": used, "frames": frames}))


if __name__ == "__main__":
    main()
