"""Which file `worker_config.embeddings` means: one in LIGHTLY, on this machine or in a bucket."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from lightly_pipeline.datasources import Datasource, datasource_from_url
from lightly_pipeline.errors import LightlyPipelineError, ObjectNotFoundError

OPTION = "worker_config.embeddings"
FOLDER = ".lightly/embeddings/"


@dataclass(frozen=True, slots=True)
class Place:
    """A file in a store.

    Attributes:
        store: Where it is.
        path: Its path there.
    """

    store: Datasource
    path: str

    @property
    def location(self) -> str:
        """The file, for people."""
        return self.store.location(self.path)

    @property
    def ending(self) -> str:
        """Of its name, in lower case, with the dot."""
        return PurePosixPath(self.path).suffix.lower()

    def beside(self, ending: str) -> "Place":
        """Returns the file of the same name with another ending."""
        return Place(self.store, self.path[: -len(self.ending)] + ending)

    def open(self) -> BinaryIO:
        """Opens it for reading.

        Raises:
            LightlyPipelineError: It is not there; says where it may be.
        """
        try:
            return self.store.open(self.path)
        except ObjectNotFoundError:
            raise LightlyPipelineError(
                f"{OPTION} needs {self.location}, which does not exist"
            ) from None


def find_place(lightly: Datasource, written: str) -> Place:
    """Returns where a file is.

    Args:
        lightly: The LIGHTLY datasource: paths that begin with `.lightly/` are there.
        written: Such a path, that of a file on this machine, or `s3://bucket/key`.

    Raises:
        LightlyPipelineError: There is no such file.
    """
    if written.startswith(".lightly/"):
        place = Place(lightly, written)
    else:
        folder, slash, name = written.rpartition("/")
        place = Place(datasource_from_url(folder + slash if folder else slash or "."), name)
    if place.store.stat(place.path) is None:
        in_lightly = FOLDER + place.path
        is_there = place.store is not lightly and lightly.stat(in_lightly) is not None
        hint = f"; write {in_lightly} for the one in LIGHTLY" if is_there else ""
        raise LightlyPipelineError(f"{OPTION} needs {place.location}, which does not exist{hint}")
    return place
