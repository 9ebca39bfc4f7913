"""Which frame of which video an image of another tool is, told by its name.

The name is that of the frame's image as this package makes it, or ends in it; which files there
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
        files: Paths of the videos that there are, or of the images of a dataset of images; None
            where that is not known: names are taken as they are then.
    """

    def __init__(self, files: Iterable[str] | None) -> None:
        self._files = None if files is None else set(files)
        self._by_last_part: dict[str, list[str]] = {}
        for path in self._files or ():
            self._by_last_part.setdefault(path.rpartition("/")[2], []).append(path)

    def frame_of(self, image: str) -> str:
        """Returns the name of the frame's image, as lines of predictions have it.

        Folders in front of a file's path are left out, and may be missing where the name of the
        file alone tells which one it is.

        Raises:
            ValueError: No frame is called so; says why.
        """
        name = _FOLDERS_OF_FRAMES.sub("", image.replace("\\", "/"))
        if self._files and (path := self._known(name)):
            return path
        parts = FRAME_STEM.fullmatch(stem_of(name))
        if parts is None:
            raise ValueError("no name of a frame, such as sub/video-012-mp4.png")
        stem, digits, extension = parts.groups()
        if self._files is not None:
            path = self._known(f"{stem}.{extension}")
            if path is None:
                raise ValueError("no such video")
            stem = path.removesuffix(f".{extension}")
        return f"{stem}-{digits}-{extension}.png"

    def _known(self, path: str) -> str | None:
        """Returns the file that a path ends in, or that alone is called like it."""
        assert self._files is not None
        while path not in self._files:
            _, slash, rest = path.partition("/")
            if not slash:
                fitting = self._by_last_part.get(path, [])
                if len(fitting) > 1:
                    raise ValueError(f"{len(fitting)} files are called {path}")
                return fitting[0] if fitting else None
            path = rest
        return path
