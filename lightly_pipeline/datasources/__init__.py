"""Object stores: one protocol, a folder and buckets behind it, and the names things have in them.

Nothing here knows what a frame, an embedding or a selection is.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lightly_pipeline.datasources.protocol import (
    ByteRange,
    Datasource,
    StoredObject,
    Traffic,
    traffic_of,
)

if TYPE_CHECKING:
    from lightly_pipeline.datasources.access import still_answers, verify_access
    from lightly_pipeline.datasources.azure import AzureDatasource
    from lightly_pipeline.datasources.documents import concurrently, read_document, read_file
    from lightly_pipeline.datasources.gcs import GCSDatasource
    from lightly_pipeline.datasources.local import LocalDatasource
    from lightly_pipeline.datasources.s3 import S3Datasource
    from lightly_pipeline.datasources.second_look import confirmed
    from lightly_pipeline.datasources.urls import datasource_at, datasource_from_url
    from lightly_pipeline.datasources.videos import (
        IMAGE_EXTENSIONS,
        VIDEO_EXTENSIONS,
        is_image_path,
        is_video_path,
        list_images,
        list_videos,
    )

__all__ = [
    "IMAGE_EXTENSIONS",
    "VIDEO_EXTENSIONS",
    "AzureDatasource",
    "ByteRange",
    "Datasource",
    "GCSDatasource",
    "LocalDatasource",
    "S3Datasource",
    "StoredObject",
    "Traffic",
    "concurrently",
    "confirmed",
    "datasource_at",
    "datasource_from_url",
    "is_image_path",
    "is_video_path",
    "list_images",
    "list_videos",
    "read_document",
    "read_file",
    "still_answers",
    "traffic_of",
    "verify_access",
]

_HOMES = {
    "AzureDatasource": "azure",
    "GCSDatasource": "gcs",
    "LocalDatasource": "local",
    "S3Datasource": "s3",
    "IMAGE_EXTENSIONS": "videos",
    "VIDEO_EXTENSIONS": "videos",
    "concurrently": "documents",
    "confirmed": "second_look",
    "datasource_at": "urls",
    "datasource_from_url": "urls",
    "is_image_path": "videos",
    "is_video_path": "videos",
    "list_images": "videos",
    "list_videos": "videos",
    "read_document": "documents",
    "read_file": "documents",
    "still_answers": "access",
    "verify_access": "access",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
