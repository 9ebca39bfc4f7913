"""A datasource from what a person writes: the one place where a store is chosen by its URL."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from lightly_pipeline.datasources.local import LocalDatasource
from lightly_pipeline.datasources.protocol import Datasource
from lightly_pipeline.datasources.secrets import refuse_secrets
from lightly_pipeline.errors import InvalidConfigurationError

_FORMS = {
    "s3": "s3://bucket/prefix/",
    "gs": "gs://bucket/prefix/",
    "az": "az://container/prefix/",
}
SCHEMES = tuple(_FORMS)
"""What the URL of a bucket begins with, before `://`."""
FORMS = "s3://bucket/prefix/, gs://bucket/prefix/ or az://container/prefix/"
_SPELT_OTHERWISE = {"gcs": "gs", "azure": "az", "abfs": "az", "abfss": "az", "wasbs": "az"}


def datasource_at(place: Datasource | str | Path) -> Datasource:
    """Returns a datasource that is given itself, or by what `datasource_from_url` takes."""
    return datasource_from_url(str(place)) if isinstance(place, str | Path) else place


def datasource_from_url(
    url: str, base: Path | None = None, options: Mapping[str, Any] | None = None
) -> Datasource:
    """Returns the datasource that a path names.

    Args:
        url: A folder, `s3://bucket/prefix/`, `gs://bucket/prefix/` or `az://container/prefix/`.
        base: Folder that relative paths start from; the working folder by default.
        options: Of the store's class; what is not given comes from the environment.

    Raises:
        InvalidConfigurationError: It is none of them, or options are given that it does not have.
    """
    scheme, separator, _ = url.partition("://")
    if separator:
        refuse_secrets(url, "path")
        return _bucket(url, scheme, options or {})
    # Not repeated: there may be secrets in it.
    if url.lower().startswith(tuple(f"{known}:" for known in SCHEMES)):
        known = url.partition(":")[0].lower()
        raise InvalidConfigurationError(
            f"a path begins with {known}: but not with {known}://; give {_FORMS[known]}, or "
            f"./{known}:... for a folder of such a name"
        )
    if options:
        raise InvalidConfigurationError(
            f"{url!r} is a folder, and {', '.join(sorted(options))} are options of s3://, gs:// or "
            "az://: give one of these, or the folder alone"
        )
    return LocalDatasource((base or Path()) / Path(url).expanduser())


def _bucket(url: str, scheme: str, options: Mapping[str, Any]) -> Datasource:
    if scheme not in _FORMS:
        advice = _SPELT_OTHERWISE.get(scheme)
        meant = f"write {_FORMS[advice]}" if advice else f"give a folder, {FORMS}"
        raise InvalidConfigurationError(f"{url!r}: {scheme}:// is not supported; {meant}")
    kind = _class_of(scheme)
    known = {field.name for field in fields(kind) if field.init}
    if unknown := sorted(set(options) - known):
        raise InvalidConfigurationError(f"{', '.join(unknown)}: no option of {scheme}://")
    datasource: Datasource = kind(url, **options)
    return datasource


def _class_of(scheme: str) -> Any:
    if scheme == "gs":
        from lightly_pipeline.datasources.gcs import GCSDatasource

        return GCSDatasource
    if scheme == "az":
        from lightly_pipeline.datasources.azure import AzureDatasource

        return AzureDatasource
    from lightly_pipeline.datasources.s3 import S3Datasource

    return S3Datasource
