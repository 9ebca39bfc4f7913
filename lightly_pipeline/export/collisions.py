"""Whether all images of a selection have a place of their own in a store that ignores case."""

from collections.abc import Callable

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.layout import frame_path
from lightly_pipeline.runs.records import SelectionRecord


def refuse_collisions(store: Datasource, record: SelectionRecord) -> None:
    """Refuses a selection of which two images would be one file.

    Raises:
        LightlyPipelineError: Names both.
    """
    spell: Callable[[str], str] = str.casefold if store.is_case_insensitive() else str
    seen: dict[str, str] = {}
    for frame in record.frames:
        n_frames = record.videos[frame.video].n_frames
        path = frame_path(frame.video, frame.frame_index, n_frames, record.image_format)
        other = seen.setdefault(spell(path), path)
        if other != path:
            raise LightlyPipelineError(
                f"the images {other} and {path} would be one file in {store.describe()}, which "
                "ignores case: rename one of the videos or use another LIGHTLY datasource"
            )
