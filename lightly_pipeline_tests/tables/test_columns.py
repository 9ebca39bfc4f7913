"""The columns as they are described are those of the rows, and of the files."""

from dataclasses import fields

from lightly_pipeline.tables.columns import OWN_COLUMNS, QUALITY_COLUMNS
from lightly_pipeline.tables.frames import SCHEMA
from lightly_pipeline.video import FrameRow, Quality


def test_every_field_of_a_row_is_a_column_in_the_same_order() -> None:
    own = [field.name for field in fields(FrameRow) if field.name != "quality"]
    assert [column.name for column in OWN_COLUMNS] == own
    assert [column.name for column in QUALITY_COLUMNS] == [field.name for field in fields(Quality)]


def test_the_files_have_the_described_columns() -> None:
    described = [*OWN_COLUMNS, *QUALITY_COLUMNS]
    assert SCHEMA.names == [column.name for column in described]
    for column in described:
        field = SCHEMA.field(column.name)
        assert str(field.type).replace("double", "float64") == column.type
        assert field.nullable == column.nullable
