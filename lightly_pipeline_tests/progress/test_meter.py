"""What a person is shown of made-up runs, against what came of them."""

import random
import threading
from itertools import pairwise

import pytest

from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline_tests.progress.playing import Clip, Clock, Shown, play

_LANES = 4


def alike(n: int, frames: int = 1000) -> list[Clip]:
    return [Clip(10**8, frames, declared=frames) for _ in range(n)]


def unlike(n: int, *, declared: bool) -> list[Clip]:
    """Videos whose bytes say little of their frames: ten times more of these for one than other."""
    numbers = random.Random(3)
    sizes = [(int(numbers.uniform(3e7, 3e8)), int(numbers.uniform(500, 2000))) for _ in range(n)]
    return [Clip(size, frames, declared=frames if declared else None) for size, frames in sizes]


def tiny(n: int) -> list[Clip]:
    """Videos that take longer to open than to decode."""
    numbers = random.Random(4)
    return [
        Clip(numbers.randint(10_000, 90_000), numbers.randint(20, 60), opening_s=0.5)
        for _ in range(n)
    ]


def worst(shown: list[Shown], *, after: float) -> float:
    """Returns by how much the time left was wrong at most, as a share of the true one."""
    whole = shown[-1].time
    return max(
        abs(moment.view.left_s - moment.left_s) / max(moment.left_s, 10.0)
        for moment in shown
        if moment.view.left_s is not None and moment.time >= after * whole
    )


def jumps(shown: list[Shown]) -> list[float]:
    """Returns by how many seconds the end moved from one look to the next, as a share of the rest.

    An end that is true does not move at all.
    """
    return [
        abs(after.time + after.view.left_s - before.time - before.view.left_s)
        / max(before.view.left_s, 20.0)
        for before, after in pairwise(shown)
        if before.view.left_s is not None and after.view.left_s is not None
    ]


@pytest.mark.parametrize(
    ("clips", "lanes"),
    [
        (alike(1, 20_000), 1),
        (alike(60), _LANES),
        ([*alike(20), Clip(10**9, 20_000, declared=20_000)], _LANES),
    ],
    ids=["one long video", "videos alike", "one long video among short ones"],
)
def test_where_work_is_steady_the_time_left_is_true_and_only_goes_down(
    clips: list[Clip], lanes: int
) -> None:
    shown = play(clips, lanes=lanes)
    assert worst(shown, after=0.05) < 0.05
    left = [moment.view.left_s for moment in shown if moment.view.left_s is not None]
    assert all(round(later) <= round(earlier) for earlier, later in pairwise(left[10:]))
    assert len(left) > 0.95 * len(shown)


@pytest.mark.parametrize(
    ("clips", "error"),
    [
        (unlike(100, declared=True), 0.45),
        (unlike(100, declared=False), 0.5),
        (tiny(1000), 0.25),
        ([*tiny(500), Clip(10**9, 12_000, declared=12_000)], 0.2),
        ([Clip(4 * 10**8, 1000, 0.05, declared=1000) for _ in range(15)] + alike(60), 0.4),
    ],
    ids=["declared", "not declared", "a thousand tiny ones", "tiny ones and a long one", "4K"],
)
def test_videos_that_differ_are_judged_by_those_that_are_done(
    clips: list[Clip], error: float
) -> None:
    shown = play(clips, lanes=_LANES)
    middle = shown[: int(0.85 * len(shown))]
    assert worst(middle, after=0.15) < error
    assert max(jumps(middle)[20:]) < 0.15


def test_the_time_left_follows_when_the_machine_gets_slower() -> None:
    shown = play(alike(60), lanes=_LANES, slowness=lambda time: 2.0 if time > 40 else 1.0)
    assert worst(shown, after=0.5) < 0.2
    assert max(jumps(shown)[20:]) < 0.15


def test_a_container_that_declares_too_little_is_not_believed_for_longer_than_it_lasts() -> None:
    shown = play([Clip(10**9, 20_000, declared=10_000)])
    beyond = [s.view for s in shown if s.view.done > 10_500]
    assert len(beyond) > 80
    assert {view.left_s for view in beyond} == {None}
    assert {view.in_hand[0].total for view in beyond if view.in_hand} == {None}


def test_nothing_is_said_of_the_rest_where_nothing_is_known_of_it() -> None:
    shown = play([Clip(10**9, 5000)])
    assert {(s.view.left_s, s.view.total) for s in shown} == {(None, None)}
    assert shown[-1].view.rate == pytest.approx(100, rel=0.05)


def test_a_stalled_video_shows_as_stalled_and_goes_on_where_it_was() -> None:
    def stalls(time: float) -> float:
        return 1e9 if 50 < time < 250 else 1.0

    shown = play(alike(2, 10_000), slowness=stalls)
    by_time = {round(s.time): s.view for s in shown}
    assert not by_time[100].is_stalled
    assert by_time[120].is_stalled
    assert by_time[120].in_hand[0].is_stalled
    assert by_time[200].left_s is None
    assert by_time[200].rate < 1
    assert not by_time[255].is_stalled
    assert by_time[330].left_s == pytest.approx(shown[330].left_s, rel=0.1)


def test_the_longest_running_is_named_first() -> None:
    clock = Clock()
    step = ProgressMeter(clock=clock).begin("decode", "frames", sizes=[5, 5, 5])
    with step.item("first.mp4", 5), step.item("second.mp4", 5):
        clock.now += 5
        with step.item("third.mp4", 5) as item:
            item.add(3)
            view = step.view()
    assert [item.name for item in view.in_hand] == ["first.mp4", "second.mp4", "third.mp4"]
    assert [item.done for item in view.in_hand] == [0, 0, 3]
    assert (view.items_done, view.items_total) == (0, 3)
    assert (step.view().in_hand, step.view().items_done) == ((), 3)


def test_a_video_that_is_read_again_is_counted_once() -> None:
    meter = ProgressMeter()
    step = meter.begin("decode", "frames", sizes=[5])
    with step.item("a.mp4", 5) as item:
        item.add(80)
        item.restart()
        item.add(100)
    assert step.view().done == 100


def test_an_interrupted_video_is_not_over_and_a_failed_one_is() -> None:
    step = ProgressMeter().begin("decode", "frames", sizes=[5, 5])
    with pytest.raises(KeyboardInterrupt), step.item("a.mp4", 5):
        raise KeyboardInterrupt
    assert step.view().items_done == 0
    with pytest.raises(OSError, match="gone"), step.item("a.mp4", 5):
        raise OSError("gone")
    assert step.view().items_done == 1


def test_steps_follow_each_other_and_keep_what_they_did() -> None:
    clock = Clock()
    meter = ProgressMeter(clock=clock)
    meter("list", 1, None, "videos")
    clock.now += 4
    meter("list", 8, None, "videos")
    step = meter.begin("upload", "images", total=4)
    with step.item("a.mp4", total=4) as item:
        item.add(1)
        clock.now += 10
        listed, uploaded = meter.views()
        assert (listed.is_over, listed.done, listed.seconds, listed.rate) == (True, 8, 4, 2)
        assert (uploaded.is_over, uploaded.done, uploaded.total) == (False, 1, 4)
        assert uploaded.share == 0.25
        assert uploaded.in_hand[0].name == "a.mp4"
    meter.end()
    assert all(view.is_over for view in meter.views())


def test_a_step_that_begins_anew_is_judged_anew() -> None:
    clock = Clock()
    meter = ProgressMeter(clock=clock)
    for shard in range(2):
        for done in range(20):
            meter("select", done, 20, "picks")
            clock.now += 1 + shard
    (view,) = meter.views()
    assert view.rate == pytest.approx(0.5, rel=0.1)


def test_who_listens_hears_of_every_report_and_may_end_the_work() -> None:
    heard: list[tuple[str, int, int | None, str]] = []

    def listen(*report: object) -> None:
        heard.append(report)  # type: ignore[arg-type]
        if len(heard) == 4:
            raise KeyError("enough")

    meter = ProgressMeter(listen)
    meter("list", 1, None, "videos")
    step = meter.begin("decode", "frames", sizes=[5])
    with step.item("a.mp4", 5, total=64) as item:
        item.add(16)
        with pytest.raises(KeyError, match="enough"):
            item.add(16)
    assert heard[:4] == [
        ("list", 1, None, "videos"),
        ("decode", 0, None, "frames"),
        ("decode", 16, 64, "frames"),
        ("decode", 32, 64, "frames"),
    ]


def test_a_stopped_step_ends_whoever_counts() -> None:
    step = ProgressMeter().begin("decode", "frames", sizes=[5])
    with step.item("a.mp4", 5) as item:
        item.add(16)
        step.stop(InterruptedError())
        with pytest.raises(InterruptedError):
            item.add(16)


def test_threads_lose_no_count() -> None:
    meter = ProgressMeter()
    step = meter.begin("decode", "frames", sizes=[1] * 8)

    def work(number: int) -> None:
        with step.item(f"{number}.mp4", 1, total=2000) as item:
            for _ in range(2000):
                item.add(1)
                if not number:
                    meter.views()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    view = step.view()
    assert (view.done, view.items_done, view.in_hand) == (16_000, 8, ())


def test_who_listens_hears_of_each_count_also_from_several_threads() -> None:
    heard: list[int] = []
    step = ProgressMeter(lambda _, done, *rest: heard.append(done)).begin("upload", "images")
    threads = [threading.Thread(target=lambda: [step.add(1) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == list(range(2001))
