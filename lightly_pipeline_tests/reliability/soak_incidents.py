"""What is done to a deployment during a soak, and the story of what happened when."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from lightly_pipeline_tests.support.clock import JumpingClock
from lightly_pipeline_tests.support.dagster_parts import DagsterParts

_JUMP_S = 3600


@dataclass
class Story:
    """What happened, for the summary and the picture: seconds since the beginning, and words."""

    began: float = field(default_factory=time.monotonic)
    marks: list[tuple[float, str]] = field(default_factory=list)
    arrived: list[tuple[float, int]] = field(default_factory=list)
    selected: list[tuple[float, int]] = field(default_factory=list)
    injected: dict[str, int] = field(default_factory=dict)

    def now(self) -> float:
        """Returns the seconds since the beginning."""
        return round(time.monotonic() - self.began, 1)

    def mark(self, words: str) -> None:
        """Notes that something happened just now."""
        self.marks.append((self.now(), words))
        print(f"{self.now():7.1f} s  {words}", flush=True)


def kill_run_worker(parts: DagsterParts, story: Story) -> None:
    """Kills the next process that is seen at executing steps of a run."""

    def kill() -> None:
        while not (workers := list(filter(None, map(parts.worker_of, parts.active_runs())))):
            time.sleep(0.2)
        with suppress(psutil.NoSuchProcess):
            workers[0].kill()
            story.mark("run worker killed")

    threading.Thread(target=kill, daemon=True).start()


def kill_daemon(parts: DagsterParts, story: Story) -> None:
    """Kills the daemon, and starts another one after some seconds."""
    parts.kill("daemon")
    story.mark("daemon killed")
    time.sleep(3)
    parts.start_daemon()


def jump(clock: JumpingClock | None, story: Story) -> None:
    """Sets the clock of everything an hour ahead, where there is such a clock."""
    if clock is not None:
        clock.jump(_JUMP_S)
        story.mark("clock 1 h ahead")
