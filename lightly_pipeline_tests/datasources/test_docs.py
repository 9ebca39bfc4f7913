"""docs/storage.md says what the code says."""

from pathlib import Path

import pytest

from lightly_pipeline.datasources.s3_reasons import reasons

DOCS = Path(__file__).parents[2] / "docs/storage.md"


def test_the_table_of_messages_is_that_of_the_code() -> None:
    if not DOCS.is_file():
        pytest.skip("not in a checkout")
    rows = [f"| `{codes}` | {says} | {do} |" for codes, says, do in reasons()]
    text = DOCS.read_text()
    assert "\n".join(rows) in text, "put this into docs/storage.md:\n" + "\n".join(rows)
