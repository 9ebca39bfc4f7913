"""What a person writes for a place names a store, or is refused with what to write."""

from pathlib import Path

import pytest

from lightly_pipeline.datasources import LocalDatasource, datasource_from_url
from lightly_pipeline.errors import InvalidConfigurationError


@pytest.mark.parametrize("url", ["s3:/bucket/x", "s3:bucket", "S3:/bucket"])
def test_an_s3_url_that_lacks_a_slash_is_no_folder(url: str) -> None:
    with pytest.raises(InvalidConfigurationError, match="give s3://bucket/prefix/"):
        datasource_from_url(url)


def test_a_folder_of_any_name_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "s3:" / "x").mkdir(parents=True)
    assert isinstance(datasource_from_url("./s3:/x", tmp_path), LocalDatasource)
