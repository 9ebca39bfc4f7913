"""A run or a tag into one tool's format: reads the frames, stores its files and the images.

Which files those are is in the tools' modules; a tool is one of them and a line here.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lightly_pipeline.datasources import Datasource, concurrently, datasource_at
from lightly_pipeline.errors import (
    InvalidConfigurationError,
    LightlyPipelineError,
    ObjectNotFoundError,
)
from lightly_pipeline.handover import (
    coco,
    cvat,
    datumaro,
    fiftyone,
    label_studio,
    labelbox,
    lists,
    output_folder,
    read_urls,
    tables,
    yolo,
)
from lightly_pipeline.handover.embeddings import write_embeddings_csv, write_embeddings_parquet
from lightly_pipeline.handover.frames import (
    HandedFrame,
    HandedRun,
    PlaceOf,
    read_run,
    read_tagged,
)
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.runs.finding import LATEST, find_run
from lightly_pipeline.runs.tags import Tag, read_tag

MARKER_FILE = "export.json"
URL_VALID_S = 7 * 24 * 3600
"""How long signed URLs are valid: S3's maximum. Those signed with a role end with its session."""
_N_COPIERS = 8


@dataclass(frozen=True, slots=True)
class Tool:
    """How a tool is written for.

    Attributes:
        files: Gives its files, from the frames and the places of their images.
        image_path: Gives where a copy of a frame's image lies among them; None for tools that
            read images where they are.
        names_copies: Whether its files name the copies; else they say where the images come from.
        says_all: Whether its files say all that is known of a frame; else `frames.csv` does.
        signs: Whether its files name images by signed URLs, whoever asks for them.
    """

    files: Callable[[HandedRun, PlaceOf], Iterator[tuple[str, bytes]]]
    image_path: Callable[[HandedFrame], str] | None = None
    names_copies: bool = False
    says_all: bool = True
    signs: bool = False


def _below(folder: str) -> Callable[[HandedFrame], str]:
    return lambda frame: folder + frame.name


TOOLS: Mapping[str, Tool] = {
    "csv": Tool(tables.csv_files),
    "parquet": Tool(tables.parquet_files),
    "coco": Tool(coco.files, _below(coco.IMAGES)),
    "cvat": Tool(cvat.files, _below(cvat.IMAGES)),
    "datumaro": Tool(datumaro.files, _below(datumaro.IMAGES)),
    "fiftyone": Tool(fiftyone.files, _below(fiftyone.IMAGES), names_copies=True),
    "label-studio": Tool(label_studio.files),
    "labelbox": Tool(labelbox.files, says_all=False),
    "read-urls": Tool(read_urls.files, says_all=False, signs=True),
    "yolo": Tool(yolo.files, yolo.image_path, says_all=False),
}
WHOLE_RUNS: Mapping[str, Callable[..., int]] = {
    "embeddings-csv": write_embeddings_csv,
    "embeddings-parquet": write_embeddings_parquet,
    "lightly-output": output_folder.write_output_folder,
}
"""About every frame that a run chose from, not about the chosen frames alone."""
FILENAMES = "filenames"
FORMATS = (*TOOLS, *WHOLE_RUNS, FILENAMES)


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written.

    Attributes:
        run_id: Id of the run; None where frames of a tag were written.
        to: The format.
        location: Where it was written.
        n_frames: Frames in it; names, of lists of these.
        n_predictions: Predictions in it.
        n_images: Images that were copied.
        skipped: Reason by location of predictions that could not be used.
        tag: Name of the tag, if that was written.
    """

    run_id: str | None
    to: str
    location: str
    n_frames: int
    n_predictions: int = 0
    n_images: int = 0
    skipped: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None


def export_run(
    lightly: Datasource | str | Path,
    run: str = LATEST,
    *,
    to: str,
    out: Datasource | str | Path,
    tag: str | None = None,
    task: str | None = None,
    copy_images: bool | None = None,
    signed_urls: bool = False,
    source: Datasource | str | Path | None = None,
    progress: Progress = silent,
) -> ExportResult:
    """Writes chosen frames for another tool, with what the dataset predicts for them.

    Args:
        lightly: The LIGHTLY datasource, a folder, or s3://bucket/prefix/.
        run: "latest", the id of a run, or how one begins.
        to: One of `FORMATS`.
        out: Where it is written: nothing but an earlier export of the same may be there.
        tag: Name of a tag whose frames are meant, in place of a run's.
        task: The only prediction task that is wanted; all by default.
        copy_images: Whether images are copied beside the tool's files, for the tools that can
            have them there; they are by default.
        signed_urls: Give images as URLs that anyone can read for 7 days at most, instead of paths
            and s3:// ones.
        source: Where the chosen images of an image dataset are; by default INPUT as the run names
            it.
        progress: Told how many images were copied.

    Raises:
        InvalidConfigurationError: There is no such format or task, or it does not go together.
        RunNotFoundError: There is no such run, or it has not completed.
        TagNotFoundError: There is no such tag.
        LightlyPipelineError: Something else is at `out`, or an image is not what the run stored.
        DatasourceError: A store failed.
    """
    store, target = datasource_at(lightly), datasource_at(out)
    if to not in FORMATS:
        raise InvalidConfigurationError(f"no format {to!r}; {did_you_mean(to, FORMATS)}")
    place = None if source is None else datasource_at(source)
    images = ImageOptions(copy_images, signed_urls, place)
    if tag is not None:
        if run != LATEST:
            raise InvalidConfigurationError("give a run or a tag, not both")
        return _export_tag(store, read_tag(store, tag), to, target, task, images, progress)
    run_id = find_run(store, run)
    if to in TOOLS:
        handed = read_run(store, run_id, task=task, source=place)
        return _export_frames(handed, to, target, task, images, progress)
    _begin(target, {"run_id": run_id, "to": to})
    if to == FILENAMES:
        n_names = lists.write_filenames(store, run_id, target)
        return ExportResult(run_id, to, target.describe(), n_names)
    n_rows = WHOLE_RUNS[to](store, run_id, target, progress=progress)
    return ExportResult(run_id, to, target.describe(), n_rows)


class ImageOptions(NamedTuple):
    """How an export treats images: `copy_images`, `signed_urls` and `source` of `export_run`."""

    copy: bool | None
    signed_urls: bool
    source: Datasource | None


def _export_tag(
    store: Datasource,
    tag: Tag,
    to: str,
    target: Datasource,
    task: str | None,
    images: ImageOptions,
    progress: Progress,
) -> ExportResult:
    if to in TOOLS:
        handed = read_tagged(store, tag, task=task, source=images.source)
        return _export_frames(handed, to, target, task, images, progress)
    if to != FILENAMES:
        raise InvalidConfigurationError(
            f"{to} is about all frames that a run chose from: name the run and leave the tag out"
        )
    _begin(target, {"tag": tag.name, "created": tag.created, "to": to})
    lists.write_names(tag.filenames, target)
    return ExportResult(None, to, target.describe(), len(tag.frames), tag=tag.name)


def _export_frames(
    run: HandedRun,
    to: str,
    target: Datasource,
    task: str | None,
    images: ImageOptions,
    progress: Progress,
) -> ExportResult:
    tool = TOOLS[to]
    image_path = None if images.copy is False else tool.image_path
    if images.copy and image_path is None:
        raise InvalidConfigurationError(f"{to} reads images where they are; leave copying out")
    place_of = _place_of(run.images_in, signed_urls=images.signed_urls or tool.signs)
    if image_path and tool.names_copies:
        place_of = image_path
    files = list(tool.files(run, place_of))
    if not tool.says_all:
        files.append((tables.FRAMES_FILE, tables.frames_csv(run, place_of)))
    created = {"created": run.created} if run.is_tag else {}
    which = {"tag" if run.is_tag else "run_id": run.name, "to": to, "dataset": run.dataset}
    _begin(target, {**which, "task": task, **created})
    if image_path:
        _copy(run.images_in, run.frames, target, image_path, progress)
    for path, content in files:
        target.write(path, content)
    return ExportResult(
        None if run.is_tag else run.name,
        to,
        target.describe(),
        len(run.frames),
        n_predictions=sum(len(frame.predictions) for frame in run.frames),
        n_images=len(run.frames) if image_path else 0,
        skipped=run.skipped,
        tag=run.name if run.is_tag else None,
    )


def _place_of(store: Datasource, *, signed_urls: bool) -> PlaceOf:
    if signed_urls:
        return lambda frame: store.read_url(frame.image, valid_s=URL_VALID_S)
    return lambda frame: frame.location


def _begin(target: Datasource, what: Mapping[str, str | None]) -> None:
    """Leaves a mark of what is exported; another thing in its place is left alone.

    Raises:
        LightlyPipelineError: There is one.
    """
    mark = json.dumps(what, indent=1).encode()
    try:
        if target.read(MARKER_FILE) == mark:
            return
        other: str | None = MARKER_FILE
    except ObjectNotFoundError:
        target.write(MARKER_FILE, mark, if_absent=True)
        paths = (item.path for item in target.list())
        other = next((path for path in paths if path != MARKER_FILE), None)
        if other is None:
            return
        target.delete(MARKER_FILE)
    raise LightlyPipelineError(
        f"{target.describe()} holds something else ({other}): give a new folder (--out)"
    )


def _copy(
    store: Datasource,
    frames: Iterable[HandedFrame],
    target: Datasource,
    image_path: Callable[[HandedFrame], str],
    progress: Progress,
) -> None:
    """Copies the images of frames, each checked against the hash that its run gave it."""

    def copy(frame: HandedFrame) -> None:
        try:
            content = store.read(frame.image)
        except ObjectNotFoundError:
            content = b""
        if hashlib.sha256(content).hexdigest() != frame.sha256:
            raise LightlyPipelineError(
                f"{frame.location} is not the image that the run stored: run the selection again "
                "to have it back, or export without images (--no-copy-images)"
            )
        target.write(image_path(frame), content)

    listed = list(frames)
    for done, _ in enumerate(concurrently(copy, listed, at_once=_N_COPIERS), start=1):
        progress("copy", done, len(listed), "images")
