"""Threads that know for whom they work: their jobs see the context of whoever gave them.

What is logged in a job then belongs to the run that the job is part of. When whoever waits for the
threads is interrupted, what they wait for ends, too.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from types import TracebackType
from typing import Generic, ParamSpec, TypeVar

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_Item = TypeVar("_Item")
Spare = Callable[[Callable[[], None], int], None]
"""Has a job run up to so many times on threads that have nothing else to do, or not at all."""


_STOP: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


class StoppedError(BaseException):
    """Who waits for this thread was interrupted; no failure of what the thread worked on."""


def pause(seconds: float) -> None:
    """Waits, unless whoever waits for this thread is interrupted.

    Raises:
        StoppedError: It was.
    """
    stop = _STOP.get()
    if stop is None:
        time.sleep(seconds)
    elif stop.wait(seconds):
        raise StoppedError


def raise_if_stopped() -> None:
    """Ends the work of this thread if whoever waits for it was interrupted.

    Raises:
        StoppedError: It was.
    """
    stop = _STOP.get()
    if stop is not None and stop.is_set():
        raise StoppedError


def none_spare(job: Callable[[], None], n_times: int) -> None:
    """Stands for no thread that is free."""
    del job, n_times


@contextmanager
def repeated(call: Callable[[], None], *, every_s: float, at_ends: bool = False) -> Iterator[None]:
    """Calls now and then, on a thread of its own, while the context lasts.

    Args:
        call: What is called.
        every_s: Seconds between two calls.
        at_ends: Whether it is called at once and in the end, too.
    """
    stop = threading.Event()

    def repeat() -> None:
        if at_ends:
            call()
        while not stop.wait(every_s):
            call()
        if at_ends:
            call()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class ContextThreadPool(ThreadPoolExecutor):
    """A thread pool that runs each job in a copy of the context it was submitted in.

    As a context it waits for its jobs in the end, and on an error drops those that have not begun.
    When it is interrupted (Ctrl-C, a signal, Dagster's own), pauses of its jobs end, and of the
    pools that they made.

    Args:
        n_threads: At most.
    """

    def __init__(self, n_threads: int) -> None:
        super().__init__(n_threads)
        self._stop = _STOP.get() or threading.Event()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and not issubclass(kind, Exception | GeneratorExit):
            self._stop.set()
        self.shutdown(wait=True, cancel_futures=kind is not None)

    def submit(
        self,
        fn: Callable[_Parameters, _Result],
        /,
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> Future[_Result]:
        """Schedules `fn(*args, **kwargs)`."""
        context = copy_context()
        context.run(_STOP.set, self._stop)
        return super().submit(lambda: context.run(fn, *args, **kwargs))

    def spare(self, job: Callable[[], None], n_times: int) -> None:
        """Runs a job up to so many times, once what was submitted before is begun; a `Spare`.

        Nobody may wait for it: it never runs where the pool is shut down before its turn comes. So
        a job of the pool may ask for it.
        """
        for _ in range(min(n_times, self._max_workers - 1)):
            try:
                self.submit(job)
            except RuntimeError:
                return


class SharedWork(Generic[_Item]):
    """Items that whoever has them works on, together with threads that are free.

    Args:
        work: Called with each item once, on any of the threads.
        items: In the order in which they are begun.

    Attributes:
        error: The first one that was raised; no other item is begun after it.
    """

    def __init__(self, work: Callable[[_Item], None], items: Sequence[_Item]) -> None:
        self._work, self._left = work, iter(items)
        self._n_items, self._n_begun = len(items), 0
        self._changed = threading.Condition()
        self.error: BaseException | None = None

    def run(self, spare: Spare) -> None:
        """Works on all items; returns when the last thread has ended.

        Raises:
            BaseException: The first error of any thread.
        """
        spare(self._help, self._n_items - 1)
        self._help()
        with self._changed:
            self._changed.wait_for(lambda: not self._n_begun)
        if self.error is not None:
            raise self.error

    def _help(self) -> None:
        while (taken := self._take()) is not None:
            try:
                self._work(*taken)
            except BaseException as error:  # noqa: BLE001  raised by `run`, on its thread
                self.error = self.error or error
            finally:
                with self._changed:
                    self._n_begun -= 1
                    self._changed.notify_all()

    def _take(self) -> tuple[_Item] | None:
        with self._changed:
            if self.error is not None:
                return None
            for item in self._left:
                self._n_begun += 1
                return (item,)
            return None
