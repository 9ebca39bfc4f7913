"""Removes what nothing needs, or says what that would be.

Which files those are is decided in `retention.py`; nothing but what it names is ever deleted, and
only while no run is in progress.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.layout import RUNS_PAGE
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.runs.marks import alone, runs_in_progress
from lightly_pipeline.upkeep.retention import Kind, Removable, removable
from lightly_pipeline.upkeep.survey import Retention, survey

_DEFAULT = Retention()
_AT_ONCE = 1000
_MAX_EXAMPLES, _MAX_FAILED = 3, 1000


@dataclass(slots=True)
class Tally:
    """How much of one kind there is.

    Attributes:
        n_files: Objects.
        n_bytes: Their size.
        n_groups: Tables, runs, or images that they are of.
        examples: Paths of the first of them.
    """

    n_files: int = 0
    n_bytes: int = 0
    n_groups: int = 0
    examples: list[str] = field(default_factory=list)
    _last_group: str | None = None

    def add(self, item: Removable) -> None:
        """Counts a file; files of one group come one after the other."""
        self.n_files += 1
        self.n_bytes += item.stored.size_bytes
        self.n_groups += item.group != self._last_group
        self._last_group = item.group
        if len(self.examples) < _MAX_EXAMPLES:
            self.examples.append(item.stored.path)


@dataclass(frozen=True, slots=True)
class CleanResult:
    """What nothing needs, and whether it was removed.

    Attributes:
        place: The LIGHTLY datasource, for people.
        is_deleted: Whether it was removed; else it was only looked for.
        kinds: How much, by kind, of what is removed, or would be.
        failed: Why, by path, files are still there that were to be removed; the first 1000.
        n_failed: How many those are.
        notes: What was left alone for want of knowledge, in a line each.
        in_progress: Runs that are on; while they are, nothing is removed.
    """

    place: str
    is_deleted: bool
    kinds: Mapping[Kind, Tally]
    failed: Mapping[str, str]
    n_failed: int
    notes: Sequence[str]
    in_progress: Sequence[str]

    @property
    def n_files(self) -> int:
        """Objects of all kinds."""
        return sum(tally.n_files for tally in self.kinds.values())

    @property
    def n_bytes(self) -> int:
        """Their size."""
        return sum(tally.n_bytes for tally in self.kinds.values())

    def as_dict(self) -> dict[str, Any]:
        """Returns JSON-able values."""
        kinds = {kind: asdict(tally) for kind, tally in self.kinds.items()}
        for values in kinds.values():
            del values["_last_group"]
        return {
            "place": self.place,
            "is_deleted": self.is_deleted,
            "n_files": self.n_files,
            "n_bytes": self.n_bytes,
            "kinds": kinds,
            "failed": dict(self.failed),
            "n_failed": self.n_failed,
            "notes": list(self.notes),
            "in_progress": list(self.in_progress),
        }


def clean(
    dataset: Dataset,
    *,
    delete: bool = False,
    older_than_days: float = 1.0,
    unused_days: float = 30.0,
    keep_runs: int | None = None,
    runs_older_than_days: float | None = None,
    progress: Progress = silent,
) -> CleanResult:
    """Finds what nothing needs any more in the LIGHTLY datasource of a dataset, and removes it.

    An image that a manifest, tag or datapool entry names is never removed, nor anything of INPUT,
    nor a file that is not certainly of this package. docs/how-to/clean-and-repair.md lists all.

    Args:
        dataset: The dataset.
        delete: Remove it; by default it is only looked for.
        older_than_days: Nothing younger is removed.
        unused_days: After how long without a use tables of another embedding id are old, and runs
            and tables that were begun are given up.
        keep_runs: Of how many newest runs reports, logs and selections are kept; all by default.
        runs_older_than_days: After how long those of runs are removed; never by default.
        progress: Told how many files were found.

    Raises:
        InvalidConfigurationError: A number is wrong, or INPUT holds none of the videos.
        RunInProgressError: Runs are on, so nothing was removed.
        DatasourceError: A store failed, or does not allow to delete.
    """
    return clean_store(
        dataset.lightly,
        source=None if dataset.of_images else dataset.input,
        delete=delete,
        retention=Retention(older_than_days, unused_days, keep_runs, runs_older_than_days),
        thumbnail_suffix=dataset.thumbnail_suffix,
        progress=progress,
    )


def clean_store(
    store: Datasource,
    *,
    source: Datasource | None = None,
    delete: bool = False,
    retention: Retention = _DEFAULT,
    thumbnail_suffix: str | None = None,
    progress: Progress = silent,
    on_file: Callable[[Removable], None] = lambda _: None,
) -> CleanResult:
    """Does what `clean` does, where it is not known what INPUT is, too.

    Args:
        store: The LIGHTLY datasource.
        source: The INPUT datasource of videos; without it, none counts as gone.
        delete: As in `clean`.
        retention: How long things are kept.
        thumbnail_suffix: Of the dataset; Lightly's by default.
        progress: Told how many files were found.
        on_file: Told of each, before it is removed.

    Raises:
        LightlyPipelineError: As `clean` does.
    """
    kinds: dict[Kind, Tally] = {}
    failed: dict[str, str] = {}
    kept_groups: set[str] = set()
    n_failed, n_found = 0, 0
    guard: AbstractContextManager[float] = alone(store) if delete else nullcontext(time.time())
    with guard as store_s:
        # A clock that is ahead, here or there, must not make anything older than it is.
        found = survey(
            store,
            retention,
            now_s=min(time.time(), store_s),
            source=source,
            thumbnail_suffix=thumbnail_suffix,
        )
        for batch in _batches(removable(found)):
            n_found += len(batch)
            progress("clean", n_found, None, "files")
            for item in batch:
                on_file(item)
            problems = _removed(store, batch, kept_groups) if delete else {}
            n_failed += len(problems)
            for path, problem in islice(problems.items(), _MAX_FAILED - len(failed)):
                failed[path] = str(problem)
            for item in batch:
                if item.stored.path not in problems:
                    kinds.setdefault(item.kind, Tally()).add(item)
            if len(problems) == len(batch) and not kinds:
                # Not one of them: this is no matter of single files.
                raise next(iter(problems.values()))
        if delete:
            _renew_page(store, kinds)
    in_progress = () if delete else tuple(runs_in_progress(store))
    return CleanResult(
        store.describe(), delete, kinds, failed, n_failed, tuple(found.notes), in_progress
    )


def _batches(items: Iterable[Removable]) -> Iterator[list[Removable]]:
    left = iter(items)
    while batch := list(islice(left, _AT_ONCE)):
        yield batch


def _removed(
    store: Datasource, batch: Sequence[Removable], kept: set[str]
) -> dict[str, DatasourceError]:
    """Removes files, and returns why those that are still there are.

    Args:
        store: The LIGHTLY datasource.
        batch: The files.
        kept: Tables whose outcome could not be removed, which keep their other files; added to.
    """
    firsts = [item for item in batch if item.is_first]
    problems = dict(store.delete_many([item.stored.path for item in firsts]))
    kept |= {item.group for item in firsts if item.stored.path in problems}
    others = [item for item in batch if not item.is_first]
    problems |= {
        item.stored.path: DatasourceError("kept, as the outcome of its table could not be removed")
        for item in others
        if item.group in kept
    }
    problems |= store.delete_many([i.stored.path for i in others if i.group not in kept])
    return problems


def _renew_page(store: Datasource, kinds: Mapping[Kind, Tally]) -> None:
    """Writes the page of all runs anew, whose links to removed reports lead nowhere."""
    from lightly_pipeline.report.history import write_history

    if "old_runs" in kinds and store.stat(RUNS_PAGE) is not None:
        write_history(store)
