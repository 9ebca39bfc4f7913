"""Which videos of the catalogue take part in a run, and what leaves the others out.

One rule after the other: the file of relevant filenames, then expiration. Each is a module of its
own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.inputs.relevant import RelevantVideos
from lightly_pipeline.steps.expiring import LastingVideos, lasting_videos
from lightly_pipeline.steps.relevant import relevant_videos
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import Catalog


@dataclass(frozen=True, slots=True)
class WantedVideos:
    """The videos of a catalogue that take part.

    Attributes:
        videos: They, in the order of the catalogue.
        relevant: What a file of relevant filenames left, if one was given.
        lasting: What `input_expiration` left of that, if it was given.
    """

    videos: tuple[StoredObject, ...]
    relevant: RelevantVideos | None
    lasting: LastingVideos | None

    @property
    def skipped(self) -> Mapping[str, str]:
        """Reason by path of relevant videos that are left out."""
        return self.lasting.skipped if self.lasting else {}


def wanted_videos(run: Run, catalog: Catalog) -> WantedVideos:
    """Returns which videos of a catalogue take part.

    Raises:
        LightlyPipelineError: None does, or one expires and the run is to abort then.
    """
    relevant = relevant_videos(run, catalog)
    videos = catalog.videos if relevant is None else relevant.videos
    lasting = lasting_videos(run, videos)
    return WantedVideos(videos if lasting is None else lasting.videos, relevant, lasting)
