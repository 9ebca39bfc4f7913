"""Memory, file handles and threads of processes over time: as a CSV file, as a picture."""

import csv
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

from lightly_pipeline.threads import repeated


@dataclass(frozen=True)
class Sample:
    """What one process held at one time.

    Attributes:
        seconds: Since the beginning.
        name: What the process is for.
        pid: Its number; another one after it was started again.
        memory_mb: Resident, of the process alone.
        n_handles: Open files, sockets and pipes.
        n_threads: Its threads.
        cpu_s: User and system time so far.
    """

    seconds: float
    name: str
    pid: int
    memory_mb: float
    n_handles: int
    n_threads: int
    cpu_s: float


class Sampler:
    """Looks at processes now and then.

    Args:
        processes: Gives their numbers by name, each time anew.
        every_s: Seconds between two looks.
    """

    def __init__(self, processes: Callable[[], Mapping[str, int]], every_s: float) -> None:
        self._processes, self._every_s = processes, every_s
        self._began = time.monotonic()
        self.samples: list[Sample] = []

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Looks while the context lasts."""

        def look() -> None:
            self.samples += self._look()

        with repeated(look, every_s=self._every_s):
            yield

    def _look(self) -> Iterator[Sample]:
        seconds = round(time.monotonic() - self._began, 1)
        for name, pid in self._processes().items():
            try:
                process = psutil.Process(pid)
                times = process.cpu_times()
                yield Sample(
                    seconds,
                    name,
                    pid,
                    round(process.memory_info().rss / 1e6, 1),
                    process.num_fds(),
                    process.num_threads(),
                    round(times.user + times.system, 1),
                )
            except psutil.Error:
                # It was killed meanwhile.
                continue


def lives(samples: Sequence[Sample]) -> dict[tuple[str, int], list[Sample]]:
    """Returns the samples of each process by name and number."""
    found: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.name, sample.pid].append(sample)
    return dict(found)


def write_csv(samples: Sequence[Sample], path: Path) -> None:
    """Writes the samples as a table."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Sample)])
        writer.writeheader()
        writer.writerows(map(asdict, samples))


def plot(
    samples: Sequence[Sample],
    done: Mapping[str, Sequence[tuple[float, int]]],
    marks: Sequence[tuple[float, str]],
    path: Path,
) -> None:
    """Draws the samples below each other, with what was done and what happened meanwhile.

    Args:
        samples: Of all processes.
        done: Counts over time, by name.
        marks: Seconds and words of what happened.
        path: Of the picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 9), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    for name, counts in done.items():
        axes[0].step([t / 60 for t, _ in counts], [n for _, n in counts], label=name, where="post")
    axes[0].set_ylabel("videos")
    shown = (("memory, MB", "memory_mb"), ("open handles", "n_handles"))
    colours = {name: f"C{i}" for i, name in enumerate(sorted({s.name for s in samples}))}
    for axis, (label, attribute) in zip(axes[1:], shown, strict=True):
        labelled = set()
        for (name, _), of_one in lives(samples).items():
            axis.plot(
                [sample.seconds / 60 for sample in of_one],
                [getattr(sample, attribute) for sample in of_one],
                color=colours[name],
                label=None if name in labelled else name.replace("_", " "),
            )
            labelled.add(name)
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
    for axis in axes:
        for seconds, _ in marks:
            axis.axvline(seconds / 60, color="0.6", linewidth=0.8, linestyle="--")
        axis.legend(loc="upper left", fontsize="small")
    for seconds, words in marks:
        place = (seconds / 60, 1.01)
        axes[0].annotate(
            words, place, xycoords=("data", "axes fraction"), rotation=20, fontsize="small"
        )
    axes[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=110)
