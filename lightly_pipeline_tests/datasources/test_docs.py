"""docs/storage.md says what the code says."""

from pathlib import Path
from types import ModuleType

import pytest

from lightly_pipeline.datasources import azure_reasons, gcs_reasons, s3_reasons

DOCS = Path(__file__).parents[2] / "docs/storage.md"


@pytest.mark.parametrize("module", [s3_reasons, gcs_reasons, azure_reasons])
def test_the_tables_of_messages_are_those_of_the_code(module: ModuleType) -> None:
    if not DOCS.is_file():
        pytest.skip("not in a checkout")
    rows = [f"| `{codes}` | {says} | {do} |" for codes, says, do in module.reasons()]
    text = DOCS.read_text()
    assert "\n".join(rows) in text, "put this into docs/storage.md:\n" + "\n".join(rows)
