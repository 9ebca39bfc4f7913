"""Cameras over lossy networks: what is known to be damaged, and whether the rest is fetched again.

`make loss` runs it over many seeds and prints the table of docs/video.md; the tests run a few. A
line says of all seeds together: frames decoded, called damaged, not called damaged though they show
something else than was sent ("unseen"), fetched again one by one, and wrong, of which the pictures
could not be had again.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.video import open_video
from lightly_pipeline_tests.support.lossy import CAMERAS, Camera, indexed, pictures_sent

RATES = (0.0001, 0.001, 0.01, 0.05)
_FETCHED_OF_EACH = 12


@dataclass
class Line:
    """What became of the frames of one camera at one rate."""

    frames: int = 0
    damaged: int = 0
    unseen: int = 0
    fetched: int = 0
    wrong: int = 0
    with_damaged: int = 0
    wrong_with_damaged: int = 0


def look(camera: Camera, rate: float, seeds: Sequence[int]) -> Line:
    """Decodes what is received with each seed, and fetches some frames of it again.

    Every other seed the pictures are taken while the frames are held, as a caller may.
    """
    line = Line()
    for seed in seeds:
        content = camera.received(rate, seed)
        try:
            rows = _held(content) if seed % 2 else indexed(content)
        except CorruptVideoError:
            continue
        line.frames += len(rows)
        line.damaged += sum(row.damaged for row in rows)
        sent = pictures_sent(camera.name)
        line.unseen += sum(not row.damaged and row.checksum not in sent for row in rows)
        rng = random.Random(seed)
        good = [row.index for row in rows if not row.damaged]
        wanted = rng.sample(good, min(_FETCHED_OF_EACH, len(good)))
        line.fetched += len(wanted)
        line.wrong += _not_fetched(content, wanted)
        bad = [row.index for row in rows if row.damaged]
        some = rng.sample(bad, min(2, len(bad)))
        line.with_damaged += len(some)
        line.wrong_with_damaged += _not_fetched(content, some)
    return line


def _held(content: bytes) -> list:  # type: ignore[type-arg]
    with open_video(BytesIO(content)) as video:
        return [(frame.to_rgb(), frame.row)[1] for frame in video.frames()]


def _not_fetched(content: bytes, wanted: Sequence[int]) -> int:
    with open_video(BytesIO(content)) as video:
        try:
            found = sum(1 for _ in video.fetch(wanted))
        except FrameChangedError as error:
            return len(error.indices)
    return len(wanted) - found


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns 1 if a frame that is not damaged could not be fetched again."""
    parser = argparse.ArgumentParser(description="Decodes videos with lost packets.")
    parser.add_argument("--seeds", type=int, default=200, help="in all, shared by the rates")
    parser.add_argument("cameras", nargs="*", default=list(CAMERAS))
    options = parser.parse_args(arguments)
    print(
        "| stream | lost | rate | frames | damaged | unseen | fetched | wrong "
        "| damaged: fetched | wrong |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    n_wrong = 0
    for name in options.cameras:
        for number, rate in enumerate(RATES):
            camera = CAMERAS[name]
            line = look(camera, rate, range(number, options.seeds, len(RATES)))
            figures = " | ".join(str(value) for value in vars(line).values())
            print(f"| {name} | {camera.lose} | {100 * rate:g} % | {figures} |", flush=True)
            n_wrong += line.wrong
    return bool(n_wrong)


if __name__ == "__main__":
    sys.exit(main())
