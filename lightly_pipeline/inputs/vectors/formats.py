"""Opens a file of vectors as what its name says it is."""

from collections.abc import Callable

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.inputs.vectors.blocks import VectorFile
from lightly_pipeline.inputs.vectors.csv_file import CsvFile
from lightly_pipeline.inputs.vectors.npy_file import NpyFile
from lightly_pipeline.inputs.vectors.parquet_file import ParquetFile
from lightly_pipeline.inputs.vectors.place import Place, find_place

_FORMATS: dict[str, Callable[[Place], VectorFile]] = {
    ".csv": CsvFile,
    ".parquet": ParquetFile,
    ".npy": NpyFile,
}


def open_vectors(lightly: Datasource, written: str) -> VectorFile:
    """Returns a file whose header was read and checked.

    Args:
        lightly: The LIGHTLY datasource.
        written: `worker_config.embeddings`.

    Raises:
        LightlyPipelineError: It is not there, or not what its ending says.
    """
    place = find_place(lightly, written)
    return _FORMATS[place.ending](place)
