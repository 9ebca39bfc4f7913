"""Dates in answers of stores are read as botocore reads them."""

import pytest
from botocore.utils import parse_timestamp

from lightly_pipeline.datasources.s3_client import parse_date


@pytest.mark.parametrize(
    "date",
    [
        "2026-03-01T12:00:07.250Z",
        "2026-03-01T12:00:07Z",
        "2026-03-01T12:00:07.123456789Z",
        "2026-03-01T12:00:07",
        "2026-03-01T12:00:07+01:00",
        "2026-03-01 12:00:07Z",
        "Sun, 01 Mar 2026 12:00:07 GMT",
        "1772366407",
        1772366407.5,
    ],
)
def test_a_date_is_what_botocore_makes_of_it(date: str | float) -> None:
    expected = parse_timestamp(date)  # type: ignore[arg-type]
    assert parse_date(date) == expected
    assert parse_date(date).utcoffset() == expected.utcoffset()


def test_what_is_no_date_is_refused_as_by_botocore() -> None:
    with pytest.raises(ValueError, match="tomorrow"):
        parse_date("tomorrow..T..Z")
    with pytest.raises(ValueError, match="13"):
        parse_date("2026-13-01T12:00:07Z")
