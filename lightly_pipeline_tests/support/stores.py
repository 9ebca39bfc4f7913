"""Stores that misbehave on purpose."""

from pathlib import Path

from lightly_pipeline import Dataset
from lightly_pipeline.layout import table_folder
from lightly_pipeline.steps.setup import resolve_config, table_id
from lightly_pipeline.tables.frames import FRAMES_FILE


def refuse_table(dataset: Dataset, video: str) -> Path:
    """Makes a folder store refuse one video's table: a folder is where its file should be."""
    tables = table_id(resolve_config(dataset))
    folder = Path(dataset.lightly.describe(), table_folder(tables, video))
    place = folder / FRAMES_FILE
    place.mkdir(parents=True)
    return place
