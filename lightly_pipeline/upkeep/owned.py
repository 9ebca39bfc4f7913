"""Which files below `.lightly/` are certainly ours, by their path; every other one is left alone.

Pure functions, the inverse of `lightly_pipeline.layout`. A name that could be somebody else's is
nobody's: `None`.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, get_args
from urllib.parse import unquote_to_bytes

from lightly_pipeline.config.worker import ImageFormat
from lightly_pipeline.datasources import is_video_path
from lightly_pipeline.layout import (
    CROPS_FOLDER,
    FRAMES_FOLDER,
    RUNS_FOLDER,
    TABLES_FOLDER,
    THUMBNAIL_SUFFIX,
    THUMBNAILS_FOLDER,
    TRAINING_FOLDER,
    crop_path,
    frame_name,
    path_digest,
)
from lightly_pipeline.tables.shards import SHARDS_FOLDER

OUTCOME, ATTEMPT, OBJECTS_OUTCOME = "outcome.json", "attempt.json", "objects.json"
ROWS, EMBEDDINGS = "frames.parquet", "embeddings.npy"
_TASK = r"objects/[A-Za-z0-9_-]{1,40}-[0-9a-f]{8}"
_TABLE = re.compile(
    rf"{re.escape(TABLES_FOLDER)}(?P<table_id>[A-Za-z0-9_-]{{1,40}}-[0-9a-f]{{16}})"
    r"/(?P<two>[0-9a-f]{2})/(?P<digest>(?P=two)[0-9a-f]{62})/"
    r"(?P<name>outcome\.json|attempt\.json|frames\.parquet|embeddings\.npy|images\.json"
    r"|segments/\d{4,}\.zip|objects/attempt\.json"
    rf"|{_TASK}/objects\.json|{_TASK}/[0-9a-f]{{16}}/(?:boxes\.parquet|embeddings\.npy))"
)
_SHARD = re.compile(
    rf"{re.escape(SHARDS_FOLDER)}(?P<two>[0-9a-f]{{2}})/(?P<digest>(?P=two)[0-9a-f]{{62}})\.json"
)
_ENDING = (
    rf"(?P<ending>(?:[0-9a-f]{{16}}\.|[0-9a-f]{{64}}\.)?(?:{'|'.join(get_args(ImageFormat))}))"
)
_SIZE = r"(?P<size>\.\d+(?:x\d+)?)?/"
_IMAGE = re.compile(rf"{re.escape(FRAMES_FOLDER[:-1])}{_SIZE}(?P<frame>.+?)\.{_ENDING}")
_CROP = re.compile(rf"(?P<frame>.+)-(?P<number>\d+)\.{_ENDING}")
_THUMBNAIL = re.compile(rf"{re.escape(THUMBNAILS_FOLDER[:-1])}{_SIZE}(?P<name>.+)")
_FRAME = re.compile(r"(?P<stem>.+)-(?P<index>\d+)-(?P<extension>[^-./]+)", re.DOTALL)
_RUN = re.compile(rf"{re.escape(RUNS_FOLDER)}(?P<run_id>[^/]+)/(?P<name>[^/]+)")
RUN_RECORDS = frozenset({"manifest.json", "embeddings.npy", "selection.json", "model.json"})
"""What tags, the datapool, exports and repairs need of a run."""
RUN_ARTEFACTS = frozenset(
    {
        "corruptness_check_information.json",
        "sequence_information.json",
        "input_problems.json",
        "relevant_filenames.txt",
        "duplicate_filenames.txt",
        "report_numbers.json",
        "report.html",
        "report.pdf",
        "report_v2.json",
        "report.json",
        "log.txt",
        "memlog.txt",
    }
)
"""What else a run leaves, for people."""


MODEL = "checkpoint.ckpt"
"""The model that a run has trained; others may embed with it."""
STATE = "state.ckpt"
_TRAINING = re.compile(
    rf"{re.escape(TRAINING_FOLDER)}(?:[0-9a-f]{{16}}/(?P<name>model\.json|state\.ckpt)"
    r"|attempts/(?P<two>[0-9a-f]{2})/(?P=two)[0-9a-f]{62}/(?P<attempt>attempt\.json))"
)


class TableFile(NamedTuple):
    """A file of the table of a video, or shard.

    Attributes:
        table_id: Of the tables.
        digest: SHA-256 of the video's path, hexadecimal.
        name: Relative to the table's folder.
    """

    table_id: str
    digest: str
    name: str


class FrameImage(NamedTuple):
    """A frame of which a path is an image, or a crop.

    Attributes:
        digest: SHA-256 of the video's path, hexadecimal.
        frame_index: Of the frame in the video.
    """

    digest: str
    frame_index: int


def table_file(path: str) -> TableFile | None:
    """Returns which file of a table a path is.

    >>> table_file(".lightly/tables/notes.txt")
    """
    found = _TABLE.fullmatch(path)
    return TableFile(found["table_id"], found["digest"], found["name"]) if found else None


def shard_digest(path: str) -> str | None:
    """Returns the hash of a shard of images whose list a path is."""
    found = _SHARD.fullmatch(path)
    return found["digest"] if found else None


def run_file(path: str) -> tuple[str, str] | None:
    """Returns the run and the name of a file that a run leaves."""
    found = _RUN.fullmatch(path)
    if found is None or found["name"] not in RUN_RECORDS | RUN_ARTEFACTS | {MODEL}:
        return None
    return found["run_id"], found["name"]


def training_file(path: str) -> str | None:
    """Returns the name of a file that trainings leave beside those of runs.

    >>> training_file(".lightly/training/0123456789abcdef/state.ckpt")
    'state.ckpt'
    >>> training_file(".lightly/training/notes.txt")
    """
    found = _TRAINING.fullmatch(path)
    return (found["name"] or found["attempt"]) if found else None


def frame_image(path: str) -> FrameImage | None:
    """Returns which frame's image a path is.

    >>> frame_image(".lightly/frames/day 1/front-0007-mp4.png").frame_index
    7
    >>> frame_image(".lightly/frames/day 1/front.png")
    """
    found = _IMAGE.fullmatch(path)
    return _frame(found["frame"], f".{found['ending']}") if found else None


def crop_frames(path: str) -> Iterator[FrameImage]:
    """Yields the frames that a path can be the crop of: a task's name may have slashes, too."""
    below = path.removeprefix(CROPS_FOLDER)
    parts = below.split("/")
    found = _CROP.fullmatch(parts[-1])
    if below == path or found is None:
        return
    for n_of_task in range(1, len(parts)):
        task, frame = "/".join(parts[:n_of_task]), "/".join([*parts[n_of_task:-1], found["frame"]])
        image = _frame(frame)
        if image is not None and path == crop_path(
            task, frame, int(found["number"]), found["ending"]
        ):
            yield image


def thumbnail_image(path: str, template: str = THUMBNAIL_SUFFIX) -> str | None:
    """Returns where the image lies that a path is the thumbnail of.

    Args:
        path: Below `.lightly/`.
        template: `thumbnail_suffix` of the dataset.
    """
    found = _THUMBNAIL.fullmatch(path)
    if found is None or template.count("[filename]") != 1:
        return None
    pattern = re.escape(template.removeprefix(THUMBNAILS_FOLDER))
    pattern = pattern.replace(re.escape("[filename]"), "(?P<stem>.+)", 1)
    pattern = pattern.replace(re.escape("[extension]"), r"(?P<extension>[^./]+)", 1)
    name = re.fullmatch(pattern, found["name"])
    if name is None or "extension" not in name.groupdict():
        return None
    size = found["size"] or ""
    return f"{FRAMES_FOLDER[:-1]}{size}/{name['stem']}.{name['extension']}"


def _frame(name: str, ending: str = "") -> FrameImage | None:
    """Returns the frame that a name without its ending is that of."""
    raw = [_raw_segment(segment) for segment in name.split("/")]
    found = None if None in raw else _FRAME.fullmatch("/".join(map(str, raw)))
    if found is None:
        return None
    video = f"{found['stem']}.{found['extension']}"
    index, n_frames = int(found["index"]), int("9" * len(found["index"]))
    # Only what this release would write itself: nothing else is taken for ours.
    made = frame_name(video, index, n_frames, ending.removeprefix("."))
    if not is_video_path(video) or made.removesuffix("." if not ending else "") != name + ending:
        return None
    return FrameImage(path_digest(video), index)


def _raw_segment(segment: str) -> str | None:
    """Returns what an escaped part of a name stands for; None where that cannot be told."""
    if not segment.startswith("%"):
        return segment
    if re.match(r"%[0-9a-f]{64}-", segment):
        return None
    return unquote_to_bytes(segment[1:]).decode("utf-8", "surrogateescape")
