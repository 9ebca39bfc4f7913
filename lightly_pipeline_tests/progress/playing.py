"""Plays made-up videos on a meter, by a clock of its own: what a person would have been shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.progress import ProgressMeter, StepView
from lightly_pipeline.steps.processing import work_order

BATCH = 16


@dataclass(frozen=True)
class Clip:
    """A made-up video.

    Attributes:
        size: Bytes.
        frames: How many it has.
        frame_s: How long one takes.
        opening_s: How long it takes before the first.
        declared: How many its container promises.
    """

    size: int
    frames: int
    frame_s: float = 0.01
    opening_s: float = 0.0
    declared: int | None = None


@dataclass(frozen=True)
class Shown:
    """What was shown at a time, and how long it took from there in truth."""

    time: float
    view: StepView
    left_s: float


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def play(
    clips: Sequence[Clip],
    *,
    lanes: int = 1,
    slowness: Callable[[float], float] = lambda _: 1.0,
    look_s: float = 1.0,
) -> list[Shown]:
    """Works on clips in lanes, in the order of the pipeline, and looks at the meter now and then.

    Args:
        clips: The videos.
        lanes: How many are in hand at once.
        slowness: By how much everything takes longer, by the time since the start.
        look_s: How often somebody looks.
    """
    clock = Clock()
    meter = ProgressMeter(clock=clock)
    names = {f"{number}.mp4": clip for number, clip in enumerate(clips)}
    stored = [StoredObject(name, clip.size, "") for name, clip in names.items()]
    waiting = work_order(stored)
    step = meter.begin("decode", "frames", sizes=[clip.size for clip in clips])
    started, tick, next_look = clock.now, 0.02, clock.now
    running: list[tuple] = []
    views: list[tuple[float, StepView]] = []
    while waiting or running:
        while waiting and len(running) < lanes:
            video = waiting.pop(0)
            clip = names[video.path]
            context = step.item(video.path, clip.size)
            item = context.__enter__()
            item.expect(clip.declared)
            running.append([clip, context, item, -clip.opening_s])
        clock.now += tick
        for lane in list(running):
            clip, context, item, spent = lane
            lane[3] = spent + tick / slowness(clock.now - started)
            reached = min(max(int(lane[3] / clip.frame_s), 0), clip.frames)
            if reached - item.done >= BATCH or (reached == clip.frames and item.done < reached):
                item.add(reached - item.done)
            if lane[3] >= clip.frames * clip.frame_s:
                context.__exit__(None, None, None)
                running.remove(lane)
        if clock.now >= next_look:
            next_look += look_s
            views.append((clock.now - started, step.view()))
    total = clock.now - started
    return [Shown(time, view, total - time) for time, view in views]
