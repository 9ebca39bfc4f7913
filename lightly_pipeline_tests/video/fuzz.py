"""Mutated videos, each decoded in a forked child with its memory and time bounded.

`make fuzz` runs it over many files and prints a table; the tests run a few fixed ones. Every file
follows from its number alone, so a failure can be repeated: `--first NUMBER --files 1`.
"""

import argparse
import io
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lightly_pipeline.errors import CorruptVideoError, FrameChangedError
from lightly_pipeline.video import FrameInput, open_video
from lightly_pipeline_tests.support.memory import peak_mib
from lightly_pipeline_tests.support.traits import TRAITS
from lightly_pipeline_tests.support.videos import RECIPES, make_video

MIB = 1024**2
_MEMORY_BYTES = 4096 * MIB
_HANG_S = 30
# Wall time says little on a busy machine; this only ends what sleeps.
_WALL_S = 300
_BOUNDARIES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def flip_bits(content: bytearray, rng: random.Random, _: bytes) -> None:
    for _number in range(rng.choice((1, 4, 32, 256))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def overwrite_header(content: bytearray, rng: random.Random, _: bytes) -> None:
    for _number in range(rng.choice((1, 8, 64))):
        content[rng.randrange(min(len(content), 1024))] = rng.randrange(256)


def cut(content: bytearray, rng: random.Random, _: bytes) -> None:
    del content[rng.randrange(len(content)) :]


def delete_part(content: bytearray, rng: random.Random, _: bytes) -> None:
    start = rng.randrange(len(content))
    del content[start : start + rng.randrange(1, 4096)]


def duplicate_part(content: bytearray, rng: random.Random, _: bytes) -> None:
    start = rng.randrange(len(content))
    content[start:start] = content[start : start + rng.randrange(1, 4096)]


def write_boundary(content: bytearray, rng: random.Random, _: bytes) -> None:
    for _number in range(rng.choice((1, 4, 16))):
        n_bytes = rng.choice((1, 2, 4, 8))
        order = rng.choice(("big", "little"))
        value = (rng.choice(_BOUNDARIES) & (256**n_bytes - 1)).to_bytes(n_bytes, order)
        # Tables of sizes and offsets are at the two ends of most containers.
        places = (rng.randrange(len(content)), rng.randrange(min(len(content), 2048)))
        start = rng.choice((*places, len(content) - 1 - places[1]))
        content[start : start + n_bytes] = value


def wipe_part(content: bytearray, rng: random.Random, _: bytes) -> None:
    start = rng.randrange(len(content))
    length = min(rng.randrange(1, 8192), len(content) - start)
    content[start : start + length] = bytes([rng.choice((0, 0xFF))]) * length


def splice(content: bytearray, rng: random.Random, other: bytes) -> None:
    del content[rng.randrange(len(content)) :]
    content += other[rng.randrange(len(other)) :]


MUTATIONS: tuple[Callable[[bytearray, random.Random, bytes], None], ...] = (
    flip_bits,
    overwrite_header,
    cut,
    delete_part,
    duplicate_part,
    write_boundary,
    wipe_part,
    splice,
)


def make_seeds(folder: Path) -> list[bytes]:
    """Returns short videos of all containers, codecs and traits."""
    paths = [make_video(folder, replace(recipe, n_frames=8)) for recipe in RECIPES]
    paths += [trait.make(folder) for trait in TRAITS]
    return [path.read_bytes() for path in paths]


def mutated(seeds: Sequence[bytes], number: int) -> bytes:
    """Returns the file of a number."""
    rng = random.Random(number)
    content = bytearray(seeds[number % len(seeds)])
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(MUTATIONS)(content, rng, rng.choice(seeds))
        if not content:
            break
    return bytes(content)


@dataclass
class Result:
    """What became of all files.

    Attributes:
        outcomes: Files by what was said of them.
        failures: Crashes, hangs, errors that are nobody's outcome: kind by file number.
        changed: Files of which a frame that is not called damaged could not be fetched again.
        worst_rss_mib: Above an idle child.
        worst_cpu_s: Of a child.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    changed: list[int] = field(default_factory=list)
    worst_rss_mib: float = 0.0
    worst_cpu_s: float = 0.0


def run(seeds: Sequence[bytes], numbers: Sequence[int], *, progress: bool = False) -> Result:
    """Decodes the files of some numbers, one child after the other."""
    result = Result()
    idle_mib = peak_mib(_in_child(lambda: "idle")[1])
    started = time.monotonic()
    for done, number in enumerate(numbers, 1):
        content = mutated(seeds, number)
        answer, usage = _in_child(lambda content=content, number=number: _decode(content, number))
        kind, _, detail = answer.partition(":")
        if kind in ("crash", "hang", "error"):
            result.failures[number] = answer
            print(f"file {number}: {answer}", file=sys.stderr, flush=True)
        result.outcomes[kind] += 1
        if detail == "changed":
            result.changed.append(number)
        result.worst_rss_mib = max(result.worst_rss_mib, peak_mib(usage) - idle_mib)
        result.worst_cpu_s = max(result.worst_cpu_s, usage.ru_utime + usage.ru_stime)
        if progress and done % 500 == 0:
            line = f"{done}/{len(numbers)} files, {time.monotonic() - started:.0f} s"
            print(f"{line}, worst {result.worst_rss_mib:.0f} MiB", file=sys.stderr, flush=True)
    return result


def _decode(content: bytes, number: int) -> str:
    rng = random.Random(number)
    try:
        with open_video(io.BytesIO(content)) as video:
            rows = [frame.row for frame in video.frames(FrameInput(64, 64))]
            damaged = video.report.damaged
            good = [row.index for row in rows if not row.damaged]
            try:
                list(video.fetch(rng.sample(good, min(3, len(good)))))
            except FrameChangedError:
                return "damaged frames:changed"
    except CorruptVideoError as error:
        return "no frames" if error.reason.startswith("no frames") else "refused"
    return "damaged frames" if damaged else "all frames"


def _in_child(work: Callable[[], str]) -> tuple[str, resource.struct_rusage]:
    """Runs `work` in a forked child; returns its answer, or how it died, and what it used."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (_HANG_S, _HANG_S))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(_WALL_S)
        try:
            answer = work()
        except Exception as error:  # noqa: BLE001  reported, whatever it is
            answer = f"error: {error!r}"
        os.write(writing, answer.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read().decode()
    _, status, usage = os.wait4(pid, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hung = number in (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL)
        answer = f"{'hang' if hung else 'crash'}: signal {number}"
    return answer, usage


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what became of the files; returns 1 if any was not handled."""
    parser = argparse.ArgumentParser(description="Decodes mutated videos.")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        seeds = make_seeds(Path(folder))
    numbers = range(options.first, options.first + options.files)
    result = run(seeds, numbers, progress=not options.json)
    if options.json:
        print(json.dumps(vars(result)))
        return bool(result.failures)
    print(f"{options.files} files from {len(seeds)} seeds")
    for outcome, count in result.outcomes.most_common():
        print(f"  {outcome:<24}{count:>8}")
    kinds = Counter(text.partition(":")[0] for text in result.failures.values())
    print(f"crashes                   {kinds['crash']:>8}")
    print(f"hangs over {_HANG_S} CPU s       {kinds['hang']:>8}")
    print(f"other errors              {kinds['error']:>8}")
    print(f"frames not fetched again  {len(result.changed):>8} files {result.changed[:20]}")
    print(f"worst memory over idle    {result.worst_rss_mib:>8.0f} MiB")
    print(f"worst CPU time            {result.worst_cpu_s:>8.1f} s")
    return bool(result.failures)


if __name__ == "__main__":
    sys.exit(main())
