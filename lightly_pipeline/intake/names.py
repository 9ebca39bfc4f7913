"""Which frame of which video an image of another tool is, told by its name.

The name is that of the frame's image as this package makes it, or ends in it; which videos there
are is the caller's to know.
"""

import re
from collections.abc import Iterable

from lightly_pipeline.candidates.rows import FRAME_STEM
from lightly_pipeline.inputs.bulk_files import stem_of

_FOLDERS_OF_FRAMES = re.compile(r"^.*?\.lightly/frames(?:\.\d+(?:x\d+)?)?/")


class FrameFinder:
    """Finds frames by names of images.

    Args:
        videos: Paths of the videos that there are; None where that is not known: names are taken
            as they are then.
    """

    def __init__(self, videos: Iterable[str] | None) -> None:
        self._knows_videos = videos is not None
        self._stems: set[tuple[str, str]] = set()
        self._by_last_part: dict[tuple[str, str], list[str]] = {}
        for path in videos or ():
            stem, _, extension = path.rpartition(".")
            self._stems.add((stem, extension))
            last = stem.rpartition("/")[2]
            self._by_last_part.setdefault((last, extension), []).append(stem)

    def frame_of(self, image: str) -> str:
        """Returns the name of the frame's files, without ending.

        Folders in front of a video's path are left out, and may be missing where the name of the
        file alone tells which video it is.

        Raises:
            ValueError: No frame is called so; says why.
        """
        name = stem_of(_FOLDERS_OF_FRAMES.sub("", image.replace("\\", "/")))
        parts = FRAME_STEM.fullmatch(name)
        if parts is None:
            raise ValueError("no name of a frame, such as sub/video-012-mp4.png")
        stem, digits, extension = parts.groups()
        if not self._knows_videos:
            return name
        while (stem, extension) not in self._stems:
            _, slash, rest = stem.partition("/")
            if not slash:
                stem = self._only_one(stem, extension)
                break
            stem = rest
        return f"{stem}-{digits}-{extension}"

    def _only_one(self, last: str, extension: str) -> str:
        fitting = self._by_last_part.get((last, extension), [])
        if len(fitting) == 1:
            return fitting[0]
        if not fitting:
            raise ValueError("no such video")
        raise ValueError(f"{len(fitting)} videos are called {last}.{extension}")
