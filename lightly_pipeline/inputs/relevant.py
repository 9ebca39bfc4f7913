"""Relevant filenames: a file that names the videos, or images, that take part.

In the original's grammar: a line is a path, or a prefix and `*`, and after it patterns of
gitignore: what they match is left out, `!` brings it back. What becomes of the files is
`steps.relevant`'s business.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from io import BytesIO

from pathspec import GitIgnoreSpec

from lightly_pipeline.datasources import Datasource, StoredObject
from lightly_pipeline.errors import LightlyPipelineError, ObjectNotFoundError
from lightly_pipeline.tables.catalog import Catalog

OPTION = "worker_config.relevant_filenames_file"
_OUTSIDE = ("/", "./", "../")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RelevantVideos:
    """What a file of relevant filenames leaves of a listing.

    Attributes:
        videos: Those that it names, in the order of the listing; or shards with the images that it
            names.
        n_files: How many videos or images these are.
        n_listed: Of how many.
        n_lines: Lines with something in them.
        n_rejected: Of these, lines that cannot be used.
        n_double: Of these, lines that were there before.
        n_unmatched: Of these, lines that name no video.
        warnings: A line for each of the three that occurs, with the first cases.
    """

    videos: tuple[StoredObject, ...]
    n_files: int
    n_listed: int
    n_lines: int
    n_rejected: int
    n_double: int
    n_unmatched: int
    warnings: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """Returns the numbers by name, for records."""
        return {
            "n_videos": self.n_files,
            "n_listed": self.n_listed,
            "n_lines": self.n_lines,
            "n_rejected": self.n_rejected,
            "n_double": self.n_double,
            "n_unmatched": self.n_unmatched,
        }


@dataclass(slots=True)
class Cases:
    """How many lines something is wrong with, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Counts one more."""
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(text)


@dataclass(frozen=True, slots=True)
class RelevantFilenames:
    """A file of relevant filenames.

    Attributes:
        location: The file, for messages.
        n_lines: Lines with something in them.
        paths: Lines that are paths.
        prefixes: By prefix the lines that begin with it, and what their patterns leave out.
        rejected: Lines that cannot be used.
        doubles: Lines that were there before.
    """

    location: str
    n_lines: int
    paths: frozenset[str]
    prefixes: Mapping[str, Sequence[tuple[str, GitIgnoreSpec]]]
    rejected: Cases
    doubles: Cases

    def among(self, listed: Catalog) -> RelevantVideos:
        """Returns which videos, or images, of a listing are named."""
        lengths = sorted({len(prefix) for prefix in self.prefixes})
        used: set[str] = set()

        def is_named(file: StoredObject) -> bool:
            path = file.path
            lines = [path] if path in self.paths else []
            lines += [
                line
                for length in lengths
                if length <= len(path)
                for line, left_out in self.prefixes.get(path[:length], ())
                if not left_out.match_file(path)
            ]
            used.update(lines)
            return bool(lines)

        named = listed.among(is_named)
        unused = self._texts() - used
        unmatched = Cases(len(unused), nsmallest(_SHOWN, unused))
        return RelevantVideos(
            named.videos,
            named.n_files,
            listed.n_files,
            self.n_lines,
            self.rejected.count,
            self.doubles.count,
            unmatched.count,
            self._warnings(unmatched),
        )

    def _texts(self) -> set[str]:
        return {line for lines in self.prefixes.values() for line, _ in lines} | self.paths

    def _warnings(self, unmatched: Cases) -> tuple[str, ...]:
        cases = {
            "rejected": self.rejected,
            "there twice, and used once": self.doubles,
            "of no file in INPUT": unmatched,
        }
        return tuple(
            f"{found.count} of {self.n_lines} lines are {what}: {'; '.join(found.first)}"
            + ("; ..." if found.count > _SHOWN else "")
            for what, found in cases.items()
            if found.count
        )


def read_relevant(store: Datasource, path: str) -> RelevantFilenames:
    """Returns the file of relevant filenames at a path of the LIGHTLY datasource.

    Raises:
        LightlyPipelineError: It is not there, or no text.
    """
    location = store.location(path)
    try:
        content = store.read(path)
    except ObjectNotFoundError:
        raise LightlyPipelineError(f"{OPTION} needs {location}, which does not exist") from None
    if b"\0" in content:
        raise LightlyPipelineError(f"{location} is no text in UTF-8: save it as such ({OPTION})")
    content = content.removeprefix(b"\xef\xbb\xbf")
    # File names that are no text reach Python the same way.
    return parse_relevant(
        (line.decode(errors="surrogateescape") for line in BytesIO(content)), path
    )


def parse_relevant(lines: Iterable[str], location: str) -> RelevantFilenames:
    """Returns what lines of relevant filenames say.

    Args:
        lines: In order, with or without their ends.
        location: The file, for messages.
    """
    seen: set[str] = set()
    paths: set[str] = set()
    prefixes: dict[str, list[tuple[str, GitIgnoreSpec]]] = {}
    rejected, doubles = Cases(), Cases()
    specs: dict[tuple[str, ...], GitIgnoreSpec] = {}
    n_lines = 0
    for number, whole in enumerate(lines, start=1):
        line = whole.rstrip()
        if not line:
            continue
        n_lines += 1
        prefix, star, rest = line.partition("*")
        reason = _reason_against(line, rest)
        if reason is not None:
            rejected.add(f"line {number}: {line} ({reason})")
        elif line in seen:
            doubles.add(f"line {number}: {line}")
        elif not star:
            paths.add(line)
        else:
            patterns = tuple(rest.split())
            try:
                if patterns not in specs:
                    specs[patterns] = GitIgnoreSpec.from_lines(patterns)
            except ValueError as error:
                rejected.add(f"line {number}: {line} ({error})")
            else:
                prefixes.setdefault(prefix, []).append((line, specs[patterns]))
        seen.add(line)
    return RelevantFilenames(location, n_lines, frozenset(paths), prefixes, rejected, doubles)


def _reason_against(line: str, rest: str) -> str | None:
    if line.startswith(_OUTSIDE):
        return "paths are relative to INPUT, without /, ./ or ../ in front"
    if rest and not rest[0].isspace():
        return "* ends a prefix: patterns follow after a space, and leave out"
    return None
