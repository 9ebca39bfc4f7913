"""The columns of a frame table, as plain data: name, type, what it says.

Written once, for the Parquet schema (`frames.py`) and for who shows the table without reading it.
Nothing heavy is imported.
"""

from typing import NamedTuple


class Column(NamedTuple):
    """One column.

    Attributes:
        name: As in `FrameRow` or `Quality`.
        type: As Arrow calls it.
        description: What it says of a frame.
        nullable: Whether a frame may have no value.
    """

    name: str
    type: str
    description: str
    nullable: bool = False


OWN_COLUMNS = (
    Column("index", "int64", "Position among the decoded frames, from 0."),
    Column("pts", "int64", "Presentation time in the stream's time base.", nullable=True),
    Column("time_s", "float64", "Presentation time in seconds.", nullable=True),
    Column("keyframe", "bool", "The decoder's flag of a key frame."),
    Column("corrupt", "bool", "The decoder's flag of a picture with parts missing."),
    Column("damaged", "bool", "Whether it shows what is not in the stream, or refers to it."),
    Column("width", "int32", "Of the upright frame, pixels."),
    Column("height", "int32", "Of the upright frame, pixels."),
    Column("checksum", "uint64", "xxh3_64 of the visible bytes of all planes."),
    Column("position", "int64", "Byte of the file where its packet begins.", nullable=True),
)
"""What a frame is."""

QUALITY_COLUMNS = (
    Column("uniform_row_ratio", "float64", "Share of rows that show next to nothing, 0 to 1."),
    Column("luminance", "float64", "Mean grey, 0 (black) to 100 (white)."),
    Column("contrast", "float64", "Standard deviation of grey, 0 to 0.5."),
    Column("sharpness", "float64", "Response to edges: below 10 for a blurred picture."),
    Column("mean_red", "float64", "Mean of red, 0 to 1."),
    Column("mean_green", "float64", "Mean of green, 0 to 1."),
    Column("mean_blue", "float64", "Mean of blue, 0 to 1."),
)
"""What its picture looks like."""
