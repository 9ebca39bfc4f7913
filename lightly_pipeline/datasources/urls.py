"""A datasource from what a person writes: the one place where a store is chosen by its URL."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightly_pipeline.datasources.local import LocalDatasource
from lightly_pipeline.datasources.protocol import Datasource
from lightly_pipeline.datasources.secrets import refuse_secrets
from lightly_pipeline.errors import InvalidConfigurationError


def datasource_at(place: Datasource | str | Path) -> Datasource:
    """Returns a datasource that is given itself, or by what `datasource_from_url` takes."""
    return datasource_from_url(str(place)) if isinstance(place, str | Path) else place


def datasource_from_url(
    url: str, base: Path | None = None, options: Mapping[str, Any] | None = None
) -> Datasource:
    """Returns the datasource that a path names.

    Args:
        url: A folder, or `s3://bucket/prefix/`.
        base: Folder that relative paths start from; the working folder by default.
        options: Of `S3Datasource`; what is not given comes from the environment.

    Raises:
        InvalidConfigurationError: It is neither, or options are given for a folder.
    """
    scheme, separator, _ = url.partition("://")
    if separator:
        refuse_secrets(url, "path")
    if separator and scheme == "s3":
        from lightly_pipeline.datasources.s3 import S3Datasource

        return S3Datasource(url, **(options or {}))
    if separator:
        raise InvalidConfigurationError(
            f"{url!r}: {scheme}:// is not supported; give a folder or s3://bucket/prefix/"
        )
    # Not repeated: there may be secrets in it.
    if url.lower().startswith("s3:"):
        raise InvalidConfigurationError(
            "a path begins with s3: but not with s3://; give s3://bucket/prefix/, or ./s3:... for "
            "a folder of such a name"
        )
    if options:
        raise InvalidConfigurationError(
            f"{url!r} is a folder, and {', '.join(sorted(options))} are options of s3://: give "
            "s3://bucket/prefix/, or the folder alone"
        )
    return LocalDatasource((base or Path()) / Path(url).expanduser())
