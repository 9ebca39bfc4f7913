"""The runbook quotes messages as they are, names every check, and nothing that is gone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightly_pipeline import Dataset, LocalDatasource, build_definitions

ROOT = Path(__file__).resolve().parents[1]
RUNBOOK = ROOT / "docs" / "runbook.md"
MONITORING = ROOT / "docs" / "monitoring.md"
GAP = "…"

pytestmark = pytest.mark.skipif(not RUNBOOK.exists(), reason="not in a checkout")


def first_cells(page: Path, heading: str) -> list[str]:
    """What stands in backticks in the first column of the tables below a heading."""
    section = page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def texts() -> Iterator[str]:
    """Every text of the package's source, with a gap for what is put in."""
    for file in (ROOT / "lightly_pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [v.value if isinstance(v, ast.Constant) else GAP for v in node.values]
                yield "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_message_of_the_runbook_is_one_of_the_package() -> None:
    quoted = first_cells(RUNBOOK, "Messages that end a run")
    assert len(quoted) > 30
    source = "\n".join(texts())
    assert [message for message in quoted if message not in source] == []


@pytest.mark.parametrize(
    ("page", "heading"), [(RUNBOOK, "By check"), (MONITORING, "Checks")], ids=["runbook", "list"]
)
def test_every_check_is_explained(page: Path, heading: str, tmp_path: Path) -> None:
    limits = {name: {"warn": 1} for name in ("coverage_radius", "waiting_hours", "arrival_hours")}
    places = {name: LocalDatasource(tmp_path / name) for name in ("input", "lightly")}
    graph = build_definitions(Dataset("street", **places, checks=limits)).resolve_asset_graph()
    checks = {key.name for key in graph.asset_check_keys}
    assert checks <= set(first_cells(page, heading))
