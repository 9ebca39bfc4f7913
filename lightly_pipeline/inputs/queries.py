"""The embeddings that SIMILARITY compares with: frames of a tag, or images in a folder.

Images are untrusted: their size is bounded before they are decoded.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lightly_pipeline.candidates.earlier import EmbeddedVideo, embeddings_of
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.files import in_threads
from lightly_pipeline.logs import logger_of
from lightly_pipeline.runs.tags import Tag
from lightly_pipeline.video import FrameInput
from lightly_pipeline.video.crops import small_picture

if TYPE_CHECKING:
    from lightly_pipeline.embedding import CheckedEncoder

_logger = logger_of(__name__)
IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_MAX_IMAGE_BYTES = 256 * 1024 * 1024
_MAX_PIXELS = 8192 * 4320


@dataclass(frozen=True, slots=True)
class TagQuery:
    """The frames of a tag, of this or another dataset."""

    store: Datasource
    tag: Tag
    is_own: bool

    def embeddings(
        self, embedding_id: str, current: Mapping[str, EmbeddedVideo]
    ) -> NDArray[np.float32]:
        """Returns their embeddings, shape (Q, dim).

        Raises:
            LightlyPipelineError: They cannot be compared with `embedding_id`.
        """
        videos = current if self.is_own else {}
        try:
            return np.concatenate(
                [embeddings_of(self.store, p, embedding_id, videos) for p in self.tag.parts]
            )
        except LightlyPipelineError as error:
            raise LightlyPipelineError(
                f"tag {self.tag.name} of {self.store.describe()} as a query: {error}"
            ) from error


@dataclass(frozen=True, slots=True)
class FolderQuery:
    """The images of a folder.

    Attributes:
        name: Of the query in the configuration.
        folder: Where the images are.
        images: Their paths.
    """

    name: str
    folder: Datasource
    images: tuple[str, ...]

    def embeddings(self, encoder: "CheckedEncoder") -> NDArray[np.float32]:
        """Returns the embeddings of the images that decode, shape (Q, dim), in order of names.

        Raises:
            LightlyPipelineError: None of them does.
        """
        batches = [encoder.encode(batch) for batch in self._batches(encoder)]
        if not batches:
            raise LightlyPipelineError(
                f"query {self.name}: none of the {len(self.images)} images in "
                f"{self.folder.describe()} can be decoded"
            )
        return np.concatenate(batches)

    def _batches(self, encoder: "CheckedEncoder") -> Iterator[NDArray[np.uint8]]:
        wanted, batch = encoder.spec.frame_input, []
        assert wanted is not None
        for path, image in in_threads(self._reader(wanted), self.images):
            if isinstance(image, str):
                _logger.warning("query %s: %s: left out: %s", self.name, path, image)
                continue
            batch.append(image)
            if len(batch) == encoder.spec.batch_size:
                yield np.stack(batch)
                batch = []
        if batch:
            yield np.stack(batch)

    def _reader(self, wanted: FrameInput) -> Callable[[str], NDArray[np.uint8] | str]:
        def read(path: str) -> NDArray[np.uint8] | str:
            with self.folder.open(path) as file:
                content = file.read(_MAX_IMAGE_BYTES + 1)
            if len(content) > _MAX_IMAGE_BYTES:
                return f"larger than {_MAX_IMAGE_BYTES} bytes"
            try:
                return small_image(content, wanted)
            except ValueError as error:
                return str(error)

        return read


@dataclass(frozen=True, slots=True)
class TextQuery:
    """Words.

    Attributes:
        text: What is looked for, such as "a forklift at night".
    """

    text: str

    def embeddings(self, encoder: "CheckedEncoder") -> NDArray[np.float32]:
        """Returns the embedding of the words, shape (1, dim)."""
        return encoder.encode_texts([self.text])


def folder_query(name: str, folder: Datasource) -> FolderQuery:
    """Returns the images of a folder, which are decoded later.

    Raises:
        LightlyPipelineError: There is none.
    """
    paths = [item.path for item in folder.list()]
    images = tuple(path for path in paths if path.lower().endswith(IMAGE_EXTENSIONS))
    if not images:
        raise LightlyPipelineError(
            f"pipeline_config.similarity_folders.{name}: no images in {folder.describe()}; files "
            f"ending in {', '.join(IMAGE_EXTENSIONS)} are looked for, in all subfolders"
        )
    return FolderQuery(name, folder, images)


def small_image(content: bytes, wanted: FrameInput) -> NDArray[np.uint8]:
    """Decodes an image, upright, to what an encoder wants, shape (height, width, 3).

    Raises:
        ValueError: It is no image, damaged, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(content), formats=_FORMATS)
            if image.width * image.height > _MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are too many")
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError:
        raise ValueError("not an image") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"damaged: {error}") from None
    return small_picture(upright, wanted)
