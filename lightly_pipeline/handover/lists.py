"""The lists of file names that Lightly's worker leaves: broken, copies, left out, chosen.

On demand and not in every run: the frames that were not chosen can be millions.
"""

from collections.abc import Iterable, Iterator

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.handover.frames import read_manifest
from lightly_pipeline.handover.pool import CandidatePool, read_pool
from lightly_pipeline.layout import image_name
from lightly_pipeline.runs.name_lists import lines

FOLDER, NAMES_FILE = "filenames/", "filenames.txt"


def write_filenames(store: Datasource, run_id: str, target: Datasource) -> int:
    """Writes the four lists of a run and returns how many names are in them.

    Args:
        store: The LIGHTLY datasource.
        run_id: Of a run that has completed.
        target: Where they go, into `filenames/`.

    Raises:
        RunNotFoundError: The run has not completed.
        LightlyPipelineError: There is no catalogue any more.
        DatasourceError: A store failed.
    """
    manifest = read_manifest(store, run_id)
    pool = read_pool(store, run_id)
    chosen = {(image["video"], image["frame_index"]) for image in manifest["images"]}
    written = {
        "corrupt_filenames": [*manifest["corrupt_videos"], *manifest["corrupt_samples"]],
        "duplicate_filenames": sorted(pool.duplicates),
        "removed_filenames": list(_removed(pool, chosen)),
        "sampled_filenames_excluding_datapool": [
            image_name(image["image"]) for image in manifest["images"]
        ],
    }
    for name, names in written.items():
        target.write(f"{FOLDER}{name}.txt", lines(names))
    return sum(len(names) for names in written.values())


def write_names(names: Iterable[str], target: Datasource) -> None:
    """Writes names one a line into `filenames.txt`."""
    target.write(NAMES_FILE, lines(names))


def _removed(pool: CandidatePool, chosen: set[tuple[str, int]]) -> Iterator[str]:
    for video in pool.videos:
        rows = video.as_rows()
        for index in video.indices.tolist():
            if rows.frame(index) in chosen:
                continue
            name = pool.name_of(video, index)
            if name not in pool.duplicates:
                yield name
