"""Threads that work together: all is done once, and the first error ends it."""

import threading
from contextlib import suppress

import pytest

from lightly_pipeline.threads import (
    ContextThreadPool,
    SharedWork,
    StoppedError,
    none_spare,
    pause,
    raise_if_stopped,
)


def test_all_is_done_once_by_several_threads() -> None:
    done: list[int] = []
    by: set[int] = set()
    barrier = threading.Barrier(3)

    def work(item: int) -> None:
        if item < 3:
            barrier.wait(60)
        by.add(threading.get_ident())
        done.append(item)

    with ContextThreadPool(3) as pool:
        pool.submit(SharedWork(work, range(20)).run, pool.spare).result()
    assert sorted(done) == list(range(20))
    assert len(by) == 3


def test_one_thread_does_it_alone() -> None:
    done: list[int] = []
    SharedWork(done.append, [1, 2, 3]).run(none_spare)
    with ContextThreadPool(1) as pool:
        pool.submit(SharedWork(done.append, [4, 5]).run, pool.spare).result()
    assert done == [1, 2, 3, 4, 5]


def test_the_first_error_is_raised_and_nothing_begun_after_it() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        done.append(item)
        if item == 1:
            raise KeyError(item)

    with pytest.raises(KeyError):
        SharedWork(work, range(5)).run(none_spare)
    assert done == [0, 1]


def test_a_pool_that_is_shut_down_helps_nobody() -> None:
    pool = ContextThreadPool(2)
    pool.shutdown()
    done: list[int] = []
    SharedWork(done.append, [1, 2]).run(pool.spare)
    assert done == [1, 2]


def test_what_threads_wait_for_ends_when_who_waits_for_them_is_interrupted() -> None:
    begun = threading.Barrier(3)

    def wait_long() -> None:
        begun.wait()
        pause(3600)

    def wait_for_another() -> None:
        with ContextThreadPool(1) as inner:
            inner.submit(wait_long).result()

    with suppress(KeyboardInterrupt), ContextThreadPool(2) as pool:
        jobs = [pool.submit(wait_long), pool.submit(wait_for_another)]
        begun.wait()
        raise KeyboardInterrupt
    assert all(isinstance(job.exception(), StoppedError) for job in jobs)


def test_an_error_lets_jobs_that_have_begun_end_by_themselves() -> None:
    goes_on = threading.Event()

    def work() -> str:
        goes_on.set()
        pause(0.01)
        raise_if_stopped()
        return "done"

    with suppress(ValueError), ContextThreadPool(1) as pool:
        job = pool.submit(work)
        goes_on.wait()
        raise ValueError
    assert job.result() == "done"
