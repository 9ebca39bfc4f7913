"""A datasource from what a person types."""

from pathlib import Path

from lightly_pipeline.datasources.local import LocalDatasource
from lightly_pipeline.datasources.protocol import Datasource
from lightly_pipeline.errors import InvalidConfigurationError


def datasource_from_url(url: str, base: Path | None = None) -> Datasource:
    """Returns the datasource that a path names.

    Args:
        url: A folder, or `s3://bucket/prefix/` (credentials and endpoint from the environment).
        base: Folder that relative paths start from; the working folder by default.

    Raises:
        InvalidConfigurationError: It is neither.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        return LocalDatasource((base or Path()) / Path(url).expanduser())
    if scheme == "s3":
        from lightly_pipeline.datasources.s3 import S3Datasource

        return S3Datasource(url)
    raise InvalidConfigurationError(
        f"{url!r}: {scheme}:// is not supported; give a folder or s3://bucket/prefix/"
    )
