"""Tables of chosen frames and of their predictions: CSV, Parquet, pandas.

A row per frame in the order of picks, and a row per prediction that names its frame by rank.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from lightly_pipeline.handover.frames import HandedFrame, HandedRun, PlaceOf
from lightly_pipeline.handover.predictions import Prediction
from lightly_pipeline.layout import shown_path

FRAMES_FILE = "frames.csv"
# Arrow's type by column: what pandas and Parquet are told, too, where every value is missing.
FRAME_COLUMNS = {
    "rank": "int64",
    "image": "string",
    "location": "string",
    "video": "string",
    "frame_index": "int64",
    "time_s": "float64",
    "pts": "int64",
    "width": "int32",
    "height": "int32",
    "distance": "float64",
    "decided_by": "string",
    "size_bytes": "int64",
    "sha256": "string",
}
PREDICTION_COLUMNS = {
    "rank": "int64",
    "image": "string",
    "task": "string",
    "label": "string",
    "score": "float64",
    "x": "float64",
    "y": "float64",
    "width": "float64",
    "height": "float64",
    "mask": "list<int64>",
    "keypoints": "list<float64>",
}


def csv_files(run: HandedRun, place_of: PlaceOf) -> Iterator[tuple[str, bytes]]:
    """Yields the tables as CSV files, lists in them as JSON; predictions where there are tasks."""
    yield FRAMES_FILE, frames_csv(run, place_of)
    if run.tasks:
        rows = [_flat(row) for row in _prediction_rows(run)]
        yield "predictions.csv", _csv(PREDICTION_COLUMNS, rows)


def frames_csv(run: HandedRun, place_of: PlaceOf) -> bytes:
    """Returns the table of frames."""
    return _csv(FRAME_COLUMNS, [_frame_row(frame, place_of) for frame in run.frames])


def parquet_files(run: HandedRun, place_of: PlaceOf) -> Iterator[tuple[str, bytes]]:
    """Yields the tables as Parquet files; predictions where there are tasks."""
    rows = [_frame_row(frame, place_of) for frame in run.frames]
    yield "frames.parquet", _parquet(FRAME_COLUMNS, rows)
    if run.tasks:
        yield "predictions.parquet", _parquet(PREDICTION_COLUMNS, list(_prediction_rows(run)))


def _frame_row(frame: HandedFrame, place_of: PlaceOf) -> dict[str, Any]:
    row = {name: getattr(frame, name) for name in FRAME_COLUMNS}
    # A folder above may be called what is no text.
    return {**row, "location": shown_path(place_of(frame))}


def _prediction_rows(run: HandedRun) -> Iterator[dict[str, Any]]:
    for frame in run.frames:
        for prediction in frame.predictions:
            yield {"rank": frame.rank, "image": frame.image, **_prediction_row(prediction)}


def _prediction_row(prediction: Prediction) -> dict[str, Any]:
    x, y, width, height = prediction.box or (None,) * 4
    return {
        "task": prediction.task,
        "label": prediction.label,
        "score": prediction.score,
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "mask": list(prediction.mask.runs) if prediction.mask else None,
        "keypoints": [value for point in prediction.keypoints for value in point] or None,
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return {key: json.dumps(v) if isinstance(v, list) else v for key, v in row.items()}


def _csv(columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"list<int64>": pa.list_(pa.int64()), "list<float64>": pa.list_(pa.float64())}
    schema = pa.schema(
        [(name, types.get(kind) or pa.type_for_alias(kind)) for name, kind in columns.items()]
    )
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), buffer, compression="zstd")
    return buffer.getvalue()
