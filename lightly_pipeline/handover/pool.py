"""The frames that a run chose from, found again: what was listed, embedded and not left out.

Of the tables as they are now: videos that were replaced or removed since are missing, and counted.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lightly_pipeline.candidates.earlier import EmbeddedVideo
from lightly_pipeline.candidates.loading import embedded_videos
from lightly_pipeline.datasources import Datasource, StoredObject, concurrently
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.runs.name_lists import read_duplicate_filenames, read_relevant_filenames
from lightly_pipeline.runs.records import SelectionRecord, read_selection
from lightly_pipeline.tables.catalog import read_catalog
from lightly_pipeline.tables.handle import video_table
from lightly_pipeline.tables.outcome import VideoOutcome

if TYPE_CHECKING:
    from lightly_pipeline.inputs.vectors.own import OwnVectors

_logger = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class CandidatePool:
    """The candidates of one run.

    Attributes:
        record: What the run selected.
        videos: Those whose frames took part, in the order of the listing.
        duplicates: Names of images of the frames that were left out as exact copies.
    """

    record: SelectionRecord
    videos: tuple[EmbeddedVideo, ...]
    duplicates: frozenset[str]

    @property
    def dim(self) -> int:
        """Length of an embedding; 0 where no video is left."""
        return self.videos[0].dim if self.videos else 0

    def name_of(self, video: EmbeddedVideo, index: int) -> str:
        """Returns the name that the image of a frame has or would have."""
        return video.as_rows().image_name(index, self.record.image_format)


def read_pool(store: Datasource, run_id: str, *, with_processed: bool = False) -> CandidatePool:
    """Finds the candidates of a run again.

    Args:
        store: The LIGHTLY datasource.
        run_id: Id of the run.
        with_processed: Whether videos count that only earlier datapool runs chose from.

    Raises:
        LightlyPipelineError: The run has no selection, or there is no catalogue any more.
        DatasourceError: A store failed.
    """
    record = read_selection(store, run_id)
    catalog = read_catalog(store)
    if catalog is None:
        raise LightlyPipelineError(
            f"{store.describe()} has no catalogue of videos any more: run again to list them"
        )
    wanted = read_relevant_filenames(store, run_id)
    if wanted is not None:
        catalog = catalog.among(lambda file: file.path in wanted)
    if catalog.hash != record.catalog_hash:
        _logger.warning(
            "videos were listed anew since run %s: those that were replaced or removed are missing",
            run_id,
        )
    if record.datapool is not None and not (with_processed or _takes_all(record.config)):
        processed = record.datapool.processed
        catalog = catalog.among(lambda file: file.path in processed)
    listed = catalog.videos

    def outcome(video: StoredObject) -> VideoOutcome | None:
        return video_table(store, record.table_id, video).outcome()

    outcomes = concurrently(outcome, listed)
    known = [(video, o) for video, o in zip(listed, outcomes, strict=True) if o is not None]
    if len(known) < len(listed):
        _logger.warning("%d videos have no embeddings any more", len(listed) - len(known))
    videos = embedded_videos(
        store,
        record.table_id,
        known,
        with_damaged=record.config["pipeline_config"]["damaged_frames"] == "include",
        own=_own_vectors(store, record),
    )
    duplicates = read_duplicate_filenames(store, run_id)
    return CandidatePool(record, tuple(videos.values()), frozenset(duplicates))


def _own_vectors(store: Datasource, record: SelectionRecord) -> "OwnVectors | None":
    """Returns the user's own vectors that a run compared; None where it compared others.

    Raises:
        LightlyPipelineError: They are not there any more.
    """
    written = record.config["worker_config"].get("embeddings")
    if not written:
        return None
    from lightly_pipeline.inputs.vectors.formats import open_vectors
    from lightly_pipeline.inputs.vectors.reading import read_vectors

    own = read_vectors(open_vectors(store, written))
    if own.embedding_id != record.embedding_id:
        raise LightlyPipelineError(
            f"{own.location} was changed since run {record.run_id} compared its vectors "
            f"({record.embedding_id} then, {own.embedding_id} now): put it back to export them"
        )
    return own


def _takes_all(config: dict[str, Any]) -> bool:
    return bool(config["worker_config"]["datasource"]["process_all"])
