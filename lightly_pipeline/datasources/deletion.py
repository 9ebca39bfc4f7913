"""Removes many objects of a bucket: by the thousand where the store can, else one by one.

What is to go is decided elsewhere. Retries and the words for what a store refuses are the
datasource's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from lightly_pipeline.datasources.documents import concurrently
from lightly_pipeline.errors import DatasourceError, PermissionDeniedError

_AT_ONCE = 1000


class _Deleting(Protocol):
    def delete(self, path: str) -> None: ...


class BatchUnknownError(Exception):
    """The store does not take a request to delete several objects."""


def deleted(
    store: _Deleting,
    paths: Sequence[str],
    delete_some: Callable[[Sequence[str]], Mapping[str, DatasourceError]],
) -> dict[str, DatasourceError]:
    """Removes objects of a store.

    Args:
        store: Removes one.
        paths: The objects.
        delete_some: Removes up to a thousand; returns why by path for those that are left, or
            raises BatchUnknownError.

    Returns:
        Why, by path, for all that are left.
    """
    problems: dict[str, DatasourceError] = {}
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        try:
            problems |= delete_some(some)
        except BatchUnknownError:
            problems |= _one_by_one(store, some)
    return problems


def _one_by_one(store: _Deleting, paths: Sequence[str]) -> dict[str, DatasourceError]:
    def problem(path: str) -> DatasourceError | None:
        try:
            store.delete(path)
        except PermissionDeniedError as error:
            return error
        return None

    found = zip(paths, concurrently(problem, paths), strict=True)
    return {path: error for path, error in found if error is not None}
