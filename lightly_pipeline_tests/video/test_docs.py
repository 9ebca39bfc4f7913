"""docs/video.md lists exactly what the tests of this folder try."""

from pathlib import Path

import pytest

from lightly_pipeline.video import reasons
from lightly_pipeline.video.reasons import Reason
from lightly_pipeline_tests.support.indeo import PICTURES
from lightly_pipeline_tests.support.traits import TRAITS
from lightly_pipeline_tests.support.videos import PAIRS


def table(first_cell: str) -> list[list[str]]:
    """Returns the cells of the documentation's table whose header begins so, header included."""
    path = Path(__file__).resolve().parents[2] / "docs" / "video.md"
    if not path.exists():
        pytest.skip("installed without the documentation")
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_cell} |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def test_the_documented_pairs_of_container_and_codec_are_those_tested() -> None:
    header, *rows = table("codec")
    documented = {
        (codec, extension)
        for codec, *cells in rows
        for extension, cell in zip(header[1:], cells, strict=True)
        if cell == "yes"
    }
    tested = {(codec, f".{ext}") for ext, codecs in PAIRS.items() for codec in codecs.split()}
    assert documented == tested | {(codec, ".avi") for codec in PICTURES}


def test_every_reason_is_documented() -> None:
    _, *rows = table("what is said")
    known = [(r.effect, r.text, r.advice) for r in vars(reasons).values() if isinstance(r, Reason)]
    documented = [(row[1], row[0].strip("`"), row[2]) for row in rows]
    assert documented == known


def test_the_documented_traits_are_those_tested() -> None:
    _, *rows = table("file")
    assert {(row[0], int(row[3])) for row in rows} == {(t.name, len(t.numbers)) for t in TRAITS}
