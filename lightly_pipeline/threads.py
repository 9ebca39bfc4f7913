"""Threads that know for whom they work: their jobs see the context of whoever gave them.

What is logged in a job then belongs to the run that the job is part of.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
Spare = Callable[[Callable[[], None], int], None]
"""Has a job run up to so many times on threads that have nothing else to do, or not at all."""


def none_spare(job: Callable[[], None], n_times: int) -> None:
    """Stands for no thread that is free."""
    del job, n_times


class ContextThreadPool(ThreadPoolExecutor):
    """A thread pool that runs each job in a copy of the context it was submitted in."""

    def submit(
        self,
        fn: Callable[_Parameters, _Result],
        /,
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> Future[_Result]:
        """Schedules `fn(*args, **kwargs)`."""
        context = copy_context()
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
