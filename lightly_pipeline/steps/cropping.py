"""The boxes of chosen frames whose crops are to be stored; part of the third step.

They are kept with the selection, so that an upload elsewhere or later stores the objects that the
choice was made by. How crops become images is in `export.crops`.
"""

from collections import defaultdict
from dataclasses import replace

from lightly_pipeline.datasources import concurrently
from lightly_pipeline.datasources.documents import FEW
from lightly_pipeline.layout import table_folder
from lightly_pipeline.runs.records import Box, SelectionRecord
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.handle import VideoTable

_FrameBoxes = dict[str, dict[int, tuple[Box, ...]]]


def with_boxes(run: Run, record: SelectionRecord) -> SelectionRecord:
    """Returns the record with the boxes of its frames, where crops of them are wanted."""
    from lightly_pipeline.inputs.object_plan import crop_tasks
    from lightly_pipeline.tables.objects import ObjectTable

    tasks = crop_tasks(run.config)
    if not tasks:
        return record
    chosen: dict[str, list[int]] = defaultdict(list)
    for frame in record.frames:
        chosen[frame.video].append(frame.frame_index)

    def read(video: str) -> _FrameBoxes:
        folder = table_folder(record.embedding_id, video)
        table = VideoTable(run.dataset.lightly, folder, record.videos[video].fingerprint)
        found: _FrameBoxes = {}
        for task in tasks:
            objects = ObjectTable(table, task)
            outcome = objects.outcome()
            of_task = objects.boxes_of(outcome, chosen[video]) if outcome else {}
            found[task] = {
                index: tuple(Box(*box) for box in boxes.tolist())
                for index, boxes in of_task.items()
            }
        return found

    boxes = dict(zip(chosen, concurrently(read, chosen, at_once=FEW), strict=True))
    frames = tuple(
        replace(
            frame,
            boxes={
                task: of_task[frame.frame_index]
                for task, of_task in boxes[frame.video].items()
                if frame.frame_index in of_task
            },
        )
        for frame in record.frames
    )
    return replace(record, frames=frames)
