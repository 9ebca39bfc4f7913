"""Names: a video's path as a partition key, a table folder and a frame image; files of a run.

Pure functions, injective, tested with generated paths. Nothing is read or written here.
"""

import hashlib
import re
from urllib.parse import unquote_to_bytes

from lightly_pipeline.errors import InvalidConfigurationError

_KEPT = re.compile(rb"[A-Za-z0-9_./@:-]")
_MAX_SEGMENT_BYTES = 255
FRAMES_FOLDER = ".lightly/frames/"
RUNS_FOLDER = ".lightly/runs/"
TABLES_FOLDER = ".lightly/tables/"
THUMBNAILS_FOLDER = ".lightly/thumbnails/"
THUMBNAIL_SUFFIX = f"{THUMBNAILS_FOLDER}[filename]_thumb.[extension]"
"""Where Lightly puts thumbnails."""
CROPS_FOLDER = ".lightly/crops/"
ENCODERS_FOLDER = ".lightly/encoders/"
TRAINING_FOLDER = ".lightly/training/"
CHECKPOINT_FILE, MODEL_FILE = "checkpoint.ckpt", "model.json"
"""Of a run that trained a model; of one that used a trained model."""
MANIFEST_FILE, REPORT_FILE = "manifest.json", "report.html"
"""Of a run, in its folder."""
RUNS_PAGE = f"{RUNS_FOLDER}index.html"
"""The page of all runs."""
_ANY_FRAMES_FOLDER = re.compile(r"^\.lightly/frames(\.\d+(x\d+)?)?/")

Resize = int | tuple[int, int] | None
"""Size of images: None for the video's, the shorter edge, or (height, width)."""


def partition_key(video_path: str) -> str:
    """Returns the partition key of a video: reversible, and fit for the Dagster UI.

    Bytes outside `[A-Za-z0-9_./@:-]` are percent-encoded. So is every dot of a segment "." or
    ".." and of a run of three dots (the UI's range operator), a leading "/" and the second of two
    slashes: what a path or a selection would otherwise read as something else.

    >>> partition_key("day 1/front.mp4")
    'day%201/front.mp4'
    >>> video_path(partition_key("day 1/front.mp4"))
    'day 1/front.mp4'
    """
    raw = _encode(video_path)
    key = "".join(chr(byte) if _KEPT.match(bytes([byte])) else f"%{byte:02X}" for byte in raw)
    key = re.sub(r"\.{3,}", lambda dots: "%2E" * len(dots[0]), key)
    key = re.sub(r"(?<![^/])\.{1,2}(?![^/])", lambda dots: "%2E" * len(dots[0]), key)
    key = re.sub(r"(?<=/)/", "%2F", key)
    return "%2F" + key[1:] if key.startswith("/") else key


def video_path(partition_key: str) -> str:
    """Returns the path of a video from its partition key."""
    return unquote_to_bytes(partition_key).decode("utf-8", "surrogateescape")


def table_folder(embedding_id: str, video_path: str) -> str:
    """Returns where the table of a video lies: under the hash of its path, as paths can be long."""
    digest = path_digest(video_path)
    return f"{TABLES_FOLDER}{embedding_id}/{digest[:2]}/{digest}"


def path_digest(video_path: str) -> str:
    """Returns the hash by which the folder of a video's table is called."""
    return hashlib.sha256(_encode(video_path)).hexdigest()


def objects_folder(table_folder: str, task: str) -> str:
    """Returns where the objects of a task in a video lie, below the table of the video.

    >>> objects_folder(".lightly/tables/id/ab/abcd", "cars/v2")
    '.lightly/tables/id/ab/abcd/objects/cars-v2-56df30d2'
    """
    digest = hashlib.sha256(_encode(task)).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", task)[:40]
    return f"{table_folder}/objects/{readable}-{digest[:8]}"


def frame_name(video_path: str, index: int, n_frames: int, image_format: str) -> str:
    """Returns the name of a frame's image as Lightly gives it.

    Args:
        video_path: Relative to the INPUT root.
        index: Position among the decoded frames, from 0.
        n_frames: Decoded frames of the video; its digits are the index's width.
        image_format: Extension of the image, without dot.

    Returns:
        `{path without extension}-{index, zero-padded}-{extension}.{image format}`; segments that
        no store takes are percent-encoded.

    Example:
        >>> frame_name("day 1/front.mp4", 7, 1800, "png")
        'day 1/front-0007-mp4.png'
    """
    stem, _, extension = video_path.rpartition(".")
    number = str(index).zfill(len(str(n_frames)))
    name = f"{stem}-{number}-{extension}.{image_format}"
    return "/".join(_safe_segment(segment) for segment in name.split("/"))


def frame_path(
    video_path: str,
    index: int,
    n_frames: int,
    image_format: str,
    resize: Resize = None,
    mark: str = "",
) -> str:
    """Returns where the image of a frame lies in the LIGHTLY datasource.

    Args:
        video_path: Relative to the INPUT root.
        index: Position among the decoded frames, from 0.
        n_frames: Decoded frames of the video.
        image_format: Extension of the image, without dot.
        resize: Size that was asked for; images of each have a folder of their own.
        mark: Stands before the extension; tells images of one name apart.
    """
    ending = f"{mark}.{image_format}" if mark else image_format
    return frames_folder(resize) + frame_name(video_path, index, n_frames, ending)


def crop_path(task: str, frame: str, number: int, image_format: str, mark: str = "") -> str:
    """Returns where the crop of an object lies in the LIGHTLY datasource.

    Args:
        task: Name of the object's task.
        frame: Name of the frame's image without ending, as `frame_name` gives it.
        number: Of the object among those of the task in the frame, from 0.
        image_format: Extension, without dot.
        mark: Stands before the extension; tells crops of one name apart.

    Example:
        >>> crop_path("vehicles", "day 1/front-0007-mp4", 2, "png")
        '.lightly/crops/vehicles/day 1/front-0007-mp4-2.png'
    """
    ending = f"{mark}.{image_format}" if mark else image_format
    path = f"{task}/{frame}-{number}.{ending}"
    return CROPS_FOLDER + "/".join(map(_short_segment, path.split("/")))


def frames_folder(resize: Resize = None) -> str:
    """Returns the folder of all images of one size, which ends in "/".

    Args:
        resize: None for the size of the video, the shorter edge, or (height, width).
    """
    if resize is None:
        return FRAMES_FOLDER
    size = "x".join(str(edge) for edge in resize) if isinstance(resize, tuple) else str(resize)
    return f"{FRAMES_FOLDER.removesuffix('/')}.{size}/"


def image_name(image_path: str) -> str:
    """Returns the name of an image in the folder of all images of its size."""
    return _ANY_FRAMES_FOLDER.sub("", image_path)


def check_thumbnail_suffix(template: str) -> None:
    """Refuses a template of thumbnails that does not tell them apart, or leads elsewhere.

    Raises:
        InvalidConfigurationError: Says what is allowed.
    """
    below = template.removeprefix(THUMBNAILS_FOLDER)
    parts = below.split("/")
    leads_astray = any(part in ("", ".", "..") for part in parts)
    if below == template or leads_astray or "[filename]" not in below:
        raise InvalidConfigurationError(
            f"thumbnail_suffix {template!r}: give a path below {THUMBNAILS_FOLDER} with [filename] "
            f"in it, such as {THUMBNAIL_SUFFIX}; or leave it out for no thumbnails"
        )


def thumbnail_path(template: str, image_path: str) -> str:
    """Returns where the thumbnail of an image lies in the LIGHTLY datasource.

    Args:
        template: Has `[filename]` and `[extension]` in the place of those of the image's name.
        image_path: Of the image; those of every size have a folder of thumbnails of their own.

    Example:
        >>> thumbnail_path(THUMBNAIL_SUFFIX, ".lightly/frames.256/day 1/front-07-mp4.png")
        '.lightly/thumbnails.256/day 1/front-07-mp4_thumb.png'
    """
    name, size = image_name(image_path), ""
    if name == image_path:
        # Of an image in INPUT, whose name need not be one that LIGHTLY takes.
        name = "/".join(_safe_segment(segment) for segment in name.split("/"))
    else:
        size = image_path.removesuffix(f"/{name}").removeprefix(FRAMES_FOLDER[:-1])
    stem, _, extension = name.rpartition(".")
    below = template.removeprefix(THUMBNAILS_FOLDER)
    filled = re.sub(
        r"\[(filename|extension)\]",
        lambda part: stem if part[1] == "filename" else extension,
        below,
    )
    return f"{THUMBNAILS_FOLDER[:-1]}{size}/{'/'.join(map(_short_segment, filled.split('/')))}"


def run_path(run_id: str, name: str) -> str:
    """Returns where a run keeps the file `name`.

    >>> run_path("4b1c", "manifest.json")
    '.lightly/runs/4b1c/manifest.json'
    """
    return f"{RUNS_FOLDER}{run_id}/{name}"


def encoder_path(name: str) -> str:
    """Returns where a file of an encoder's weights lies."""
    return ENCODERS_FOLDER + name


def _safe_segment(segment: str) -> str:
    """Returns the segment as it is where every store takes it, else an escaped one.

    An escaped segment starts with "%": a raw one that does is escaped as well, so that no two
    segments become one.
    """
    raw = _encode(segment)
    plain = segment not in ("", ".", "..") and not segment.startswith("%") and _is_text(segment)
    if plain and len(raw) <= _MAX_SEGMENT_BYTES and not re.search(rb"[\x00-\x1f\x7f]", raw):
        return segment
    escaped = "%" + "".join(
        chr(byte) if re.match(rb"[A-Za-z0-9_.-]", bytes([byte])) else f"%{byte:02X}" for byte in raw
    )
    if len(escaped) <= _MAX_SEGMENT_BYTES:
        return escaped
    # Too long even so: keep what can be read of both ends, and the hash that tells twins apart.
    digest = hashlib.sha256(raw).hexdigest()
    return f"%{digest}-{escaped[1:80]}..{escaped[-80:]}"


def _short_segment(segment: str) -> str:
    """Returns a segment that stores take but for its length; an escaped one where it is too long.

    What a template adds to the longest names is too much for a disk.
    """
    return segment if len(_encode(segment)) <= _MAX_SEGMENT_BYTES else _safe_segment(segment)


def shown_path(path: str) -> str:
    """Returns a path for people and documents: bytes of its names that are no text are escaped."""
    return path.encode("utf-8", "backslashreplace").decode()


def _is_text(segment: str) -> bool:
    """Returns whether a name is UTF-8: buckets and some disks take no other."""
    return not any("\ud800" <= character <= "\udfff" for character in segment)


def _encode(path: str) -> bytes:
    # File names that are not UTF-8 reach Python as lone surrogates and leave it the same way.
    return path.encode("utf-8", "surrogateescape")
