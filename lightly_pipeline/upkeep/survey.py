"""What a clean-up looks at before it calls anything not needed: how old, how used, what is there.

One listing of the tables, one of INPUT, and the documents that name files (`references.py`). Which
files are not needed is decided in `retention.py`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from lightly_pipeline.datasources import Datasource, StoredObject, list_videos
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.layout import TABLES_FOLDER, THUMBNAIL_SUFFIX, path_digest
from lightly_pipeline.tables.catalog import read_catalog
from lightly_pipeline.tables.shards import ImageShard
from lightly_pipeline.upkeep.owned import table_file
from lightly_pipeline.upkeep.references import References, read_references

DAY_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what nothing needs is kept.

    Attributes:
        older_than_days: Nothing younger is removed, whatever it is.
        unused_days: After how long without a use tables of another embedding id are old, runs
            that never completed are given up, and tables that were begun.
        keep_runs: Of how many newest runs reports, logs and selections are kept; all by default.
        runs_older_than_days: After how long reports, logs and selections of runs are removed;
            never by default. Both given, a run loses them when both say so.

    Raises:
        InvalidConfigurationError: A number is negative.
    """

    older_than_days: float = 1.0
    unused_days: float = 30.0
    keep_runs: int | None = None
    runs_older_than_days: float | None = None

    def __post_init__(self) -> None:
        for name in ("older_than_days", "unused_days", "keep_runs", "runs_older_than_days"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise InvalidConfigurationError(f"{name} {value}: give a number of 0 or more")


@dataclass
class Survey:
    """What was looked at before anything is called not needed.

    Attributes:
        store: The LIGHTLY datasource.
        retention: How long things are kept.
        now_s: The time by which ages are told, Unix time.
        thumbnail_suffix: Of the dataset.
        references: What documents name.
        present: Hashes of the paths of all videos in INPUT, or of the shards of the catalogue; None
            where that is not known.
        shards: Hashes of the lists of the catalogue's shards of images; None without any.
        notes: What is left alone for want of knowledge, in a line each.
        newest_s: When something was last written, by table id.
        known: Hashes of the paths of all videos that have a table.
    """

    store: Datasource
    retention: Retention
    now_s: float
    thumbnail_suffix: str
    references: References
    present: Collection[bytes] | None
    shards: Collection[str] | None
    notes: list[str] = field(default_factory=list)
    newest_s: dict[str, float] = field(default_factory=dict)
    known: set[bytes] = field(default_factory=set)

    def is_young(self, stored: StoredObject, days: float | None = None) -> bool:
        """Returns whether a file is to be kept for its age, or because that is not known."""
        least = self.retention.older_than_days if days is None else days
        if stored.modified_s is None:
            return True
        return self.now_s - stored.modified_s < max(least, self.retention.older_than_days) * DAY_S


def survey(
    store: Datasource,
    retention: Retention,
    *,
    now_s: float,
    source: Datasource | None = None,
    thumbnail_suffix: str | None = None,
) -> Survey:
    """Looks at what there is and what is named.

    Args:
        store: The LIGHTLY datasource.
        retention: How long things are kept.
        now_s: The time by which ages are told, Unix time.
        source: The INPUT datasource of a dataset of videos; without it, no video is known to be
            gone.
        thumbnail_suffix: Of the dataset; Lightly's by default.

    Raises:
        DatasourceError: A store failed.
        InvalidConfigurationError: INPUT is not the place that the tables were made of.
    """
    references = read_references(store)
    found = Survey(
        store, retention, now_s, thumbnail_suffix or THUMBNAIL_SUFFIX, references, None, None
    )
    for item in store.list(TABLES_FOLDER):
        file = table_file(item.path)
        if file is not None:
            found.known.add(bytes.fromhex(file.digest))
            written_s = now_s if item.modified_s is None else item.modified_s
            found.newest_s[file.table_id] = max(
                found.newest_s.get(file.table_id, written_s), written_s
            )
    _look_for_videos(found, source)
    if references.unreadable:
        found.notes += [f"{problem}: no image is removed" for problem in references.unreadable]
    return found


def _look_for_videos(found: Survey, source: Datasource | None) -> None:
    """Finds out which videos, or shards of images, there are."""
    catalog = read_catalog(found.store)
    shards = [v for v in (catalog.videos if catalog else ()) if isinstance(v, ImageShard)]
    if shards:
        found.present = {bytes.fromhex(path_digest(shard.path)) for shard in shards}
        found.shards = {shard.etag for shard in shards}
        return
    if source is None:
        found.notes.append("INPUT is not given: tables of videos that are gone are not looked for")
        return
    present = {bytes.fromhex(path_digest(video.path)) for video in list_videos(source)}
    if found.known and not found.known & present:
        raise InvalidConfigurationError(
            f"none of the {len(found.known)} videos that have tables in {found.store.describe()} "
            f"is in {source.describe()}: is it the INPUT of this dataset, and mounted? Leave INPUT "
            "out to clean up without it"
        )
    found.present = present
