"""First step: what a run needs is there, and which videos the INPUT datasource holds."""

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import StoredObject, list_videos, verify_access
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import Catalog, read_catalog, write_catalog

_logger = logger_of(__name__)


def check_first(run: Run) -> None:
    """Tries what a run needs before any work: permissions, its encoder, what its strategies read.

    Raises:
        DatasourceError: A permission is missing, unless `bypass_verify` is set.
        LightlyPipelineError: The encoder, or something that a strategy reads, is missing or wrong.
    """
    if not run.config.worker.datasource.bypass_verify:
        verify_access(run.dataset.input, writable=False)
        verify_access(run.dataset.lightly, writable=True)
    _ = run.encoder, run.plan, run.relevant_filenames, run.own_vectors


def list_catalog(run: Run) -> Catalog:
    """Lists the videos of the INPUT datasource and remembers them.

    Raises:
        LightlyPipelineError: There is no video.
    """
    dataset = run.dataset
    # An empty answer is a verdict like any other: it is asked for twice.
    videos = _listed(run) or _listed(run)
    if not videos:
        raise LightlyPipelineError(
            f"no videos in {dataset.input.describe()}: files ending in .mp4, .m4v, .hevc, .mpg, "
            ".mpeg, .avi, .mov or .webm are looked for, in all subfolders"
        )
    catalog = Catalog(tuple(videos))
    write_catalog(dataset.lightly, catalog)
    _logger.info("%d videos in %s", len(videos), dataset.input.describe())
    return catalog


def _listed(run: Run) -> list[StoredObject]:
    videos = []
    for video in list_videos(run.dataset.input):
        videos.append(video)
        run.progress("list", len(videos), None, "videos")
    return videos


def stored_catalog(dataset: Dataset) -> Catalog:
    """Returns the catalogue of the last listing.

    Raises:
        LightlyPipelineError: Nothing was listed yet.
    """
    catalog = read_catalog(dataset.lightly)
    if catalog is None:
        raise LightlyPipelineError(
            f"dataset {dataset.name} has no catalogue yet: list its videos first "
            "(materialize video_catalog)"
        )
    return catalog
