"""Which results a person at the command line means, who names a run and not where it is.

Results that are told apart by `--lightly`; else those of the working folder, of the demo, of the
declared datasets and of the client's, in this order.
"""

from collections.abc import Iterator
from pathlib import Path

from lightly_pipeline.datasets import declared_datasets
from lightly_pipeline.datasources import Datasource, LocalDatasource, datasource_from_url
from lightly_pipeline.errors import LightlyPipelineError, RunNotFoundError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.runs.finding import LATEST, find_run
from lightly_pipeline.runs.tags import read_tag, tag_names

_logger = logger_of(__name__)
DEMO_RESULTS = Path("demo_data/lightly")
_OWN_FOLDER = ".lightly"
# One of several places that cannot be reached shall not keep a person from the others.
_PATIENCE_S = 10.0


def find_results(run: str = LATEST, lightly: str | None = None) -> tuple[Datasource, str]:
    """Returns the LIGHTLY datasource and the id of the run that is meant.

    Args:
        run: "latest", the id of a run, or how one begins.
        lightly: Folder or s3://bucket/prefix/ of the results; all known ones by default, of which
            the latest run is the one that was selected last.

    Raises:
        RunNotFoundError: There is no such run; says where was looked.
        DatasourceError: A store failed.
    """
    if lightly is not None:
        store = datasource_from_url(lightly)
        return store, find_run(store, run)
    found: list[tuple[str, Datasource, str]] = []
    places = list(known_places())
    for place in places:
        store = place.patient(_PATIENCE_S)
        try:
            run_id = find_run(store, run)
            created = read_tag(store, tag_names(store)[0]).created if run == LATEST else ""
        except LightlyPipelineError as error:
            if len(places) == 1:
                raise
            if not isinstance(error, RunNotFoundError):
                _logger.warning("%s: %s", store.describe(), error)
            continue
        found.append((created, place, run_id))
    if not found:
        looked = ", ".join(store.describe() for store in places) or "there is no dataset yet"
        raise RunNotFoundError(
            f"no run {run!r} was found (looked in: {looked}): say where its results are, with "
            "--lightly FOLDER or --lightly s3://bucket/prefix/"
        )
    _, store, run_id = max(found, key=lambda item: item[0])
    return store, run_id


def known_places() -> Iterator[Datasource]:
    """Yields the LIGHTLY datasources that are known without being named, each once."""
    seen: set[str] = set()
    for store in _candidates():
        if store.describe() not in seen:
            seen.add(store.describe())
            yield store


def _candidates() -> Iterator[Datasource]:
    for folder in (Path(), DEMO_RESULTS):
        if (folder / _OWN_FOLDER).is_dir():
            yield LocalDatasource(folder)
    for dataset in declared_datasets():
        yield dataset.lightly
    from lightly_pipeline.scheduling.deployment import Deployment

    deployment = Deployment.existing()
    for dataset in deployment.complete_datasets() if deployment else ():
        yield dataset.lightly
