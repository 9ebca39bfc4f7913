"""Which videos of a listing take part in a run; the catalogue keeps all of them.

Partitions and sensors go by the catalogue, so a run that looks at a part of it takes nothing from
the others. What the file of relevant filenames says is parsed in `inputs.relevant`.
"""

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.relevant import OPTION, RelevantVideos
from lightly_pipeline.logs import logger_of
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import Catalog

_logger = logger_of(__name__)


def relevant_videos(run: Run, catalog: Catalog) -> RelevantVideos | None:
    """Returns the videos that take part; None where all of them do.

    Raises:
        LightlyPipelineError: None does, or the file that names them cannot be read.
    """
    filenames = run.relevant_filenames
    if filenames is None:
        return None
    relevant = filenames.among(catalog)
    what = "images" if run.dataset.of_images else "videos"
    _logger.info("%d of %d %s are relevant", relevant.n_files, relevant.n_listed, what)
    for warning in relevant.warnings:
        _logger.warning("%s: %s", filenames.location, warning)
    if not relevant.videos:
        raise LightlyPipelineError(
            f"{OPTION}: {filenames.location} names none of the {relevant.n_listed} {what} in "
            f"{run.dataset.input.describe()}: {'; '.join(relevant.warnings) or 'it is empty'}"
        )
    return relevant
