"""Stores that misbehave on purpose."""

from pathlib import Path

from lightly_pipeline import Dataset
from lightly_pipeline.layout import table_folder
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.tables.frames import FRAMES_FILE


def refuse_table(dataset: Dataset, video: str) -> Path:
    """Makes a folder store refuse one video's table: a folder is where its file should be."""
    tables = Run(dataset, resolve_config(dataset), "any").table_id
    folder = Path(dataset.lightly.describe(), table_folder(tables, video))
    place = folder / FRAMES_FILE
    place.mkdir(parents=True)
    return place
