"""YOLO (Ultralytics): a text file per image, and the `data.yaml` that names the classes.

One task's boxes, or outlines where it has masks; what is known of a frame is in `frames.csv`
beside them, as the format has no other place. Written here and not by `labelformat`, whose
`data.yaml` is read relative to the working folder and which writes no masks.
"""

from collections.abc import Iterator, Sequence

import yaml

from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.handover.frames import HandedFrame, HandedRun, PlaceOf
from lightly_pipeline.handover.masks import Point
from lightly_pipeline.handover.predictions import PredictedTask, Prediction

IMAGES = "images/"
_LABELS = "labels/"


def image_path(frame: HandedFrame) -> str:
    """Returns where the image of a frame lies.

    Ultralytics finds a label by replacing the last folder `images` of the image's path: no folder
    below ours may be called like this. A name that begins with "%" is no other image's.
    """
    parts = frame.name.split("/")
    return IMAGES + "/".join("%images" if part == "images" else part for part in parts)


def files(run: HandedRun, place_of: PlaceOf) -> Iterator[tuple[str, bytes]]:  # noqa: ARG001
    """Yields the description and a file of labels per image; classes are counted from 0.

    Raises:
        InvalidConfigurationError: The dataset has several tasks with boxes or masks.
    """
    task = _only_task(run)
    names = dict(enumerate(task.task.categories)) if task else {}
    description = {"train": IMAGES.rstrip("/"), "val": IMAGES.rstrip("/"), "names": names}
    yield "data.yaml", yaml.safe_dump(description, sort_keys=False, allow_unicode=True).encode()
    for frame in run.frames:
        lines = [_line(prediction, frame) for prediction in (frame.of_task(task) if task else ())]
        name = image_path(frame).removeprefix(IMAGES).rpartition(".")[0]
        yield f"{_LABELS}{name}.txt", "".join(f"{line}\n" for line in lines if line).encode()


def _only_task(run: HandedRun) -> PredictedTask | None:
    located = [task for task in run.tasks if not task.is_classification]
    if len(located) > 1:
        names = ", ".join(task.name for task in located)
        raise InvalidConfigurationError(
            f"YOLO takes the classes of one prediction task, and there are {names}: name one "
            "(--task)"
        )
    return located[0] if located else None


def _line(prediction: Prediction, frame: HandedFrame) -> str:
    if prediction.mask is not None:
        points = _joined(prediction.mask.outlines())
        shares = [v for x, y in points for v in (x / frame.width, y / frame.height)]
    elif prediction.box is not None:
        x, y, width, height = prediction.box
        centre = ((x + width / 2) / frame.width, (y + height / 2) / frame.height)
        shares = [*centre, width / frame.width, height / frame.height]
    else:
        return ""
    values = " ".join(f"{share:.8g}" for share in shares)
    return f"{prediction.category} {values}" if shares else ""


def _joined(lines: Sequence[Sequence[Point]]) -> list[Point]:
    """Returns one closed line of several: there and back again between their first points."""
    joined: list[Point] = []
    for line in lines:
        joined += [*line, line[0]]
    return joined + [line[0] for line in reversed(lines[:-1])]
