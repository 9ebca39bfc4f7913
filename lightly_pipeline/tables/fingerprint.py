"""Names the content of a table before it is made, so that nothing is computed twice.

Pure functions of texts and numbers; neither torch nor av is needed. What a fingerprint is
compared with is in `lightly_pipeline.tables.outcome`.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version

from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.tables.shards import ImageShard

SCHEMA_VERSION = 8
"""Raised when the files' layout or meaning changes: older tables are then made anew."""


def embedding_id(
    encoder_identity: str,
    decoder_version: str,
    frame_sampling: str = "all",
    untagged_matrix: str = "ffmpeg",
    video_stream: int | None = None,
    embed_changed: float | None = None,
) -> str:
    """Returns the id that embeddings share exactly when they may be compared.

    Args:
        encoder_identity: Encoder, hash of its weights and its preprocessing.
        decoder_version: Releases of PyAV and of the FFmpeg libraries inside it.
        frame_sampling: Which frames of a video are considered.
        untagged_matrix: How pictures without colour tags are understood.
        video_stream: Which of several video streams is read, where that is not left to FFmpeg.
        embed_changed: By how much frames have to differ to be embedded, where not all are.

    Returns:
        A name safe in every store: the encoder's name and 16 hex digits.
    """
    if video_stream is not None:
        frame_sampling = f"{frame_sampling} video_stream={video_stream}"
    if embed_changed is not None:
        frame_sampling = f"{frame_sampling} embed_changed={embed_changed!r}"
    parts = [encoder_identity, decoder_version, frame_sampling, untagged_matrix, SCHEMA_VERSION]
    name = encoder_identity.split(" ", maxsplit=1)[0]
    slug = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)[:40]
    return f"{slug}-{_hash(parts)[:16]}"


def video_fingerprint(video: StoredObject, embedding_id: str) -> str:
    """Returns the fingerprint of one video's table: same fingerprint, same content."""
    parts = [video.path, video.size_bytes, video.etag, embedding_id, SCHEMA_VERSION]
    return _hash([*parts, _image_decoder()] if isinstance(video, ImageShard) else parts)


@cache
def _image_decoder() -> str:
    """Returns the release that decides over the pixels of images."""
    return f"pillow {version('pillow')}"


def catalog_hash(videos: Iterable[StoredObject]) -> str:
    """Returns a hash of which videos there are, in which version; holds one of them at a time."""
    digest, separator = hashlib.sha256(b"["), b""
    for video in videos:
        digest.update(separator + _text(_identity(video)))
        separator = b","
    digest.update(b"]")
    return digest.hexdigest()


def _identity(video: StoredObject) -> list[object]:
    """Returns what tells a version of a video, or which images of a shard take part."""
    left_out = [sorted(video.left_out)] if isinstance(video, ImageShard) else []
    return [video.path, video.size_bytes, video.etag, *left_out]


def _hash(parts: object) -> str:
    return hashlib.sha256(_text(parts)).hexdigest()


def _text(parts: object) -> bytes:
    return json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode()
