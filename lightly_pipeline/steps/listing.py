"""First step: what a run needs is there, and which videos or images the INPUT datasource holds."""

from collections.abc import Iterator, Sequence

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import (
    IMAGE_EXTENSIONS,
    StoredObject,
    list_images,
    list_videos,
    verify_access,
)
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.steps.training import check_training
from lightly_pipeline.tables.batches import Dealt, deal_videos, read_batches, write_batches
from lightly_pipeline.tables.catalog import Catalog, read_catalog, write_catalog
from lightly_pipeline.tables.shards import ImageShard, deal, write_shards

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
    if run.config.worker.enable_training:
        check_training(run)
    else:
        _ = run.encoder
    _ = run.plan, run.relevant_filenames, run.own_vectors


def list_catalog(run: Run) -> Catalog:
    """Lists the videos, or images, of the INPUT datasource and remembers them.

    Raises:
        LightlyPipelineError: There is none.
    """
    dataset = run.dataset
    # An empty answer is a verdict like any other: it is asked for twice.
    files = _listed(run) or _listed(run)
    if not files:
        raise LightlyPipelineError(_nothing_in(dataset))
    catalog = Catalog(tuple(_dealt(dataset, files) if dataset.of_images else files))
    write_catalog(dataset.lightly, catalog)
    what = "images" if dataset.of_images else "videos"
    _logger.info("%d %s in %s", len(files), what, dataset.input.describe())
    return catalog


def list_files(dataset: Dataset) -> Iterator[StoredObject]:
    """Yields what the INPUT datasource holds of the dataset's type: videos, or images."""
    return list_images(dataset.input) if dataset.of_images else list_videos(dataset.input)


def _listed(run: Run) -> list[StoredObject]:
    files = []
    unit = "images" if run.dataset.of_images else "videos"
    for file in list_files(run.dataset):
        files.append(file)
        run.progress("list", len(files), None, unit)
    return files


def _nothing_in(dataset: Dataset) -> str:
    where = dataset.input.describe()
    if not dataset.of_images:
        return (
            f"no videos in {where}: files ending in .mp4, .m4v, .hevc, .mpg, "
            ".mpeg, .avi, .mov or .webm are looked for, in all subfolders"
        )
    has_videos = next(list_videos(dataset.input), None) is not None
    hint = "; there are videos: make it a dataset of videos (DatasetType.VIDEOS)"
    return (
        f"no images in {where}: files ending in {', '.join(sorted(IMAGE_EXTENSIONS))} are looked "
        f"for, in all subfolders{hint if has_videos else ''}"
    )


def _dealt(dataset: Dataset, images: Sequence[StoredObject]) -> list[ImageShard]:
    """Returns the shards of images; what new ones hold is stored."""
    catalog = read_catalog(dataset.lightly)
    before = [v for v in (catalog.videos if catalog else ()) if isinstance(v, ImageShard)]
    shards = deal(before, images)
    known = {shard.path for shard in before}
    write_shards(dataset.lightly, [shard for shard in shards if shard.path not in known])
    return shards


def deal_batches(dataset: Dataset, catalog: Catalog, most_videos: int) -> Dealt:
    """Returns the batches of a catalogue, and remembers which videos each holds.

    Args:
        dataset: The dataset.
        catalog: Of its last listing.
        most_videos: In a batch.
    """
    before = read_batches(dataset.lightly)
    dealt = deal_videos(before, catalog.videos, most_videos)
    known = {batch.name: batch for batch in before}
    changed = [batch for batch in dealt.batches if batch != known.get(batch.name)]
    write_batches(dataset.lightly, changed)
    return dealt


def stored_catalog(dataset: Dataset) -> Catalog:
    """Returns the catalogue of the last listing.

    Raises:
        LightlyPipelineError: Nothing was listed yet.
    """
    catalog = read_catalog(dataset.lightly)
    if catalog is None:
        what = "images" if dataset.of_images else "videos"
        raise LightlyPipelineError(
            f"dataset {dataset.name} has no catalogue yet: list its {what} first "
            "(materialize video_catalog)"
        )
    return catalog
