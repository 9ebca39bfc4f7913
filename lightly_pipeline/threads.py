"""Threads that know for whom they work: their jobs see the context of whoever gave them.

What is logged in a job then belongs to the run that the job is part of.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


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
