"""What a run says of embeddings that a user brings: frames without one, rows without a frame.

How such a file is read and checked by itself is in `inputs.vectors`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lightly_pipeline.candidates.earlier import EmbeddedVideo
from lightly_pipeline.candidates.rows import frame_stem_of
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.relevant import Cases
from lightly_pipeline.logs import logger_of
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.tables.catalog import Catalog

_logger = logger_of(__name__)
_OPTION = "worker_config.embeddings"
_FEW = 8


@dataclass(frozen=True, slots=True)
class OwnVectorsReport:
    """What became of the rows of a file of vectors.

    Attributes:
        counts: Numbers by name, for records.
        warnings: A line for each kind of what is left over, with the first cases.
    """

    counts: dict[str, int]
    warnings: tuple[str, ...]


def check_names(run: Run, catalog: Catalog) -> None:
    """Refuses a file of vectors that cannot speak of any of the videos, before they are decoded.

    Raises:
        LightlyPipelineError: No name in it begins and ends as one of theirs does.
    """
    own = run.own_vectors
    if own is not None and not own.may_speak_of([video.path for video in catalog.videos]):
        paths = [video.path for video in catalog.videos[:1]]
        raise LightlyPipelineError(
            f"{_OPTION}: no row of {own.location} is of any of the {len(catalog.videos)} videos: "
            f"{_first(own.strangers(()))}; {_how_named(paths)}"
        )


def nothing_matched(run: Run, videos: Iterable[EmbeddedVideo]) -> LightlyPipelineError | None:
    """Returns what is wrong where a file of vectors leaves nothing to choose from, else None."""
    own, listed = run.own_vectors, list(videos)
    if own is None or any(len(video.indices) for video in listed):
        return None
    missing = _missing(listed)
    n_masked = sum(video.own.n_masked for video in listed if video.own)
    if n_masked:
        return LightlyPipelineError(
            f"{_OPTION}: {own.location} has the mark `masked` at all {n_masked} frames that it "
            "has a vector of: there is nothing to choose from"
        )
    if not missing.count:
        return None
    strangers = own.strangers((video.video.path, video.n_frames) for video in listed)
    found = f": {_first(strangers)}" if strangers.count else ""
    return LightlyPipelineError(
        f"{_OPTION}: {own.location} has a vector of none of the {missing.count} frames{found}; "
        f"frames are called {missing.first[0]}.png: as many digits as the number of frames of the "
        "video has"
    )


def own_vectors_report(
    run: Run, processed: ProcessResult, candidates: Sequence[EmbeddedVideo]
) -> OwnVectorsReport | None:
    """Returns what became of a file of vectors; None where none was given.

    Args:
        run: The run.
        processed: All of its videos.
        candidates: Those whose frames might be chosen.
    """
    own = run.own_vectors
    if own is None:
        return None
    missing = _missing(candidates)
    strangers = own.strangers((o.video, o.n_frames) for o in processed.outcomes if o.n_frames)
    parts = [video.own for video in candidates if video.own]
    n_frames = sum(len(part.places) + part.n_masked for part in parts) + missing.count
    counts = {
        "n_rows": own.n_rows,
        "n_missing": missing.count,
        "n_extra": strangers.count,
        "n_double": own.doubles.count,
        "n_masked": sum(part.n_masked for part in parts),
        "n_selected": sum(int(np.count_nonzero(part.selected)) for part in parts),
    }
    warnings = [
        _line(missing, f"{n_frames} frames have no vector and were left out"),
        _line(strangers, f"{own.n_rows} rows are of no frame of these videos"),
        _line(own.doubles, f"{own.n_rows} rows are there twice, and used once"),
    ]
    if own.unknown:
        warnings.append(f"columns without meaning here: {', '.join(own.unknown)}")
    said = tuple(line for line in warnings if line)
    for line in said:
        _logger.warning("%s: %s", own.location, line)
    return OwnVectorsReport(counts, said)


def _missing(videos: Iterable[EmbeddedVideo]) -> Cases:
    cases = Cases()
    for video in videos:
        if not _has_missing(video):
            continue
        assert video.own is not None
        n_before = cases.count
        for index in video.own.missing[:_FEW].tolist():
            cases.add(_name(video, index))
        cases.count = n_before + len(video.own.missing)
    return cases


def _has_missing(video: EmbeddedVideo) -> bool:
    return video.own is not None and len(video.own.missing) > 0


def _name(video: EmbeddedVideo, index: int) -> str:
    return frame_stem_of(video.video.path, index, video.n_frames)


def _line(cases: Cases, of_what: str) -> str:
    return f"{cases.count} of {of_what}: {_first(cases)}" if cases.count else ""


def _first(cases: Cases) -> str:
    return "; ".join(cases.first) + ("; ..." if cases.count > len(cases.first) else "")


def _how_named(paths: Sequence[str]) -> str:
    names = [frame_stem_of(path, 0, 1000) for path in paths]
    return f"a frame is called {names[0]}.png" if names else "there is no video"
