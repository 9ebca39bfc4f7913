"""What a large dataset costs: ticks of the sensor and the automation, its documents, a listing.

    python -m benchmarks.catalogue [--parts tick,automation,documents,outcomes] [--videos 100000]

CPU seconds (user and system) and peak memory, each part in a process of its own.
"""

import argparse
import logging
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightly_pipeline import Dataset, LocalDatasource, S3Datasource

_MAX_TICK_S, _MAX_TICK_MB, _MAX_AUTOMATION_S = 10.0, 300.0, 10.0
_AUTOMATED, _BATCH, _N_OUTCOMES = 20_000, 500, 5_000


@contextmanager
def measured(what: str, max_s: float | None = None) -> Iterator[None]:
    """Prints what the context took, and whether that is within a limit."""
    started = time.process_time()
    yield
    seconds = time.process_time() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    verdict = "" if max_s is None else f"  limit {max_s:g}: {_met(seconds, max_s)}"
    print(f"  {what:56}{seconds:9.2f} CPU s {peak_mb:7.0f} MB{verdict}", flush=True)


def _met(value: float, limit: float) -> str:
    return "met" if value < limit else "MISSED"


def _datasets(folder: Path, **fields: Any) -> Dataset:
    (folder / "out").mkdir(parents=True)
    store = LocalDatasource(folder / "out")
    return Dataset("bench", input=LocalDatasource(folder / "in"), lightly=store, **fields)


@contextmanager
def _listing_store(n_objects: int) -> Iterator[S3Datasource]:
    command = [sys.executable, "-m", "benchmarks.listing_server", str(n_objects)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
            keys: dict[str, Any] = {"access_key_id": "bench", "secret_access_key": "bench"}
            yield S3Datasource("s3://bench/videos/", endpoint_url=url, region="us-east-1", **keys)
        finally:
            process.kill()


def tick(folder: Path, n_videos: int) -> None:
    """The sensor: once when all is new, once when nothing is, once when something is."""
    import dagster as dg

    from lightly_pipeline.defs import sensors
    from lightly_pipeline.defs.assets import dataset_assets

    # On a busy machine a tick would give up listing before there is anything to measure.
    sensors.LISTING_S = float("inf")
    print(f"sensor, {n_videos} objects")
    limit = _MAX_TICK_S if n_videos <= 100_000 else None
    with _listing_store(n_videos) as store, dg.DagsterInstance.ephemeral() as instance:
        dataset = Dataset("bench", input=store, lightly=LocalDatasource(folder))
        sensor: Any = sensors.dataset_sensors(dataset_assets(dataset))[0]
        cursor = None
        for what, more in (("all is new", 0), ("nothing is new", 0), ("three are new", 3)):
            if more:
                put = urllib.request.Request(f"{store.endpoint_url}/more?n={more}", method="PUT")
                urllib.request.urlopen(put)
            with measured(f"a tick, {what}", limit):
                answer = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
            is_asking = isinstance(answer, dg.SensorResult)
            assert is_asking == (what != "nothing is new"), answer
            cursor = getattr(answer, "cursor", cursor)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    verdict = _met(peak_mb, _MAX_TICK_MB)
    print(f"  peak memory {peak_mb:.0f} MB, limit {_MAX_TICK_MB:g}: {verdict}")


def automation(folder: Path, n_videos: int) -> None:
    """The automation's evaluation as the daemon does it: all done, and a few new or replaced."""
    from lightly_pipeline.defs import partitions

    # The refusal of more is what a user meets; here it is found out what it saves him from.
    partitions.MOST_PARTITIONS = 10**9
    _automation(_datasets(folder, automation=True), n_videos, "a video each")
    batched = _datasets(folder / "batches", automation=True, videos_per_partition=500)
    _automation(batched, n_videos, "500 videos each")


def _automation(dataset: Dataset, n_videos: int, what: str) -> None:
    import dagster as dg

    from benchmarks.filled_instance import fill, inserting, videos
    from lightly_pipeline import build_definitions
    from lightly_pipeline.defs.events import register

    print(f"automation, {n_videos} videos, a partition of {what}")
    home = Path(dataset.lightly.describe()).parent / "home"
    home.mkdir(parents=True)
    graph = build_definitions(dataset).resolve_asset_graph()
    limit = _MAX_AUTOMATION_S if n_videos <= _AUTOMATED else None
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        with inserting(instance), measured("registering them, without the database"):
            register(instance, instance.report_runless_asset_event, dataset, videos(n_videos))
        tick = Evaluation(instance, graph)
        with measured("an evaluation, all is new", limit):
            tick()
        fill(instance, dataset, videos(n_videos))
        for text in ("all is done", "all is done", "nothing changed"):
            with measured(f"an evaluation, {text}", limit):
                n_requests = tick()
        assert n_requests == 0, n_requests
        with inserting(instance), measured("registering ten replaced and one new video"):
            catalog = videos(n_videos + 1, version=1)
            register(instance, instance.report_runless_asset_event, dataset, catalog)
        with measured("an evaluation, these", limit):
            n_requests = tick()
        assert n_requests > 0


class Evaluation:
    """Evaluations one after the other, as Dagster's daemon makes them."""

    def __init__(self, instance: Any, graph: Any) -> None:
        from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor

        self._instance, self._graph = instance, graph
        self._cursor, self._number = AssetDaemonCursor.empty(), 0

    def __call__(self) -> int:
        """Evaluates once; returns how many runs and backfills are wanted."""
        import dagster as dg
        from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor
        from dagster._core.definitions.automation_tick_evaluation_context import (
            AutomationTickEvaluationContext,
        )
        from dagster._serdes import deserialize_value, serialize_value

        self._number += 1
        cursor = deserialize_value(serialize_value(self._cursor), AssetDaemonCursor)
        requests, self._cursor, _ = AutomationTickEvaluationContext(
            evaluation_id=self._number,
            asset_graph=self._graph,
            asset_selection=dg.AssetSelection.all(),
            instance=self._instance,
            cursor=cursor,
            materialize_run_tags={},
            observe_run_tags={},
            emit_backfills=True,
            auto_observe_asset_keys=set(),
            logger=logging.getLogger("benchmark"),
        ).evaluate()
        return len(requests)


def documents(folder: Path, n_videos: int) -> None:
    """The documents of a listing: the catalogue, and the batches that videos are dealt to."""
    from benchmarks.filled_instance import videos
    from lightly_pipeline.steps.listing import deal_batches
    from lightly_pipeline.tables.batches import read_batch
    from lightly_pipeline.tables.catalog import CATALOG_PATH, read_catalog, write_catalog

    print(f"documents, {n_videos} videos, batches of {_BATCH}")
    dataset = _datasets(folder)
    store = dataset.lightly
    with measured("the listing itself, in memory"):
        catalog = videos(n_videos)
    with measured("the catalogue, written"):
        write_catalog(store, catalog)
    size_mb = len(store.read(CATALOG_PATH)) / 1e6
    with measured(f"the catalogue, read ({size_mb:.0f} MB)"):
        assert read_catalog(store) == catalog
    with measured("batches, all new"):
        deal_batches(dataset, catalog, _BATCH)
    with measured("batches, nothing new"):
        assert deal_batches(dataset, catalog, _BATCH).n_changed == 0
    with measured("batches, ten replaced and one new"):
        changed = videos(n_videos + 1, version=1)
        assert deal_batches(dataset, changed, _BATCH).n_changed == 11
    with measured("a batch, read by the run that processes it"):
        assert len(read_batch(store, "batch-000001").videos) == _BATCH


def outcomes(folder: Path, n_videos: int) -> None:
    """What a run reads before it decodes nothing: an outcome a video, from a folder or a bucket."""
    from benchmarks.filled_instance import outcomes as made
    from benchmarks.filled_instance import videos
    from lightly_pipeline.steps.setup import Run, resolve_config
    from lightly_pipeline.tables.outcome import write_outcome

    n_videos = min(n_videos, _N_OUTCOMES)
    print(f"outcomes, {n_videos} videos")
    dataset, catalog = _datasets(folder), videos(n_videos)
    run = Run(dataset, resolve_config(dataset), "bench")
    for video, outcome in zip(catalog.videos, made(catalog), strict=True):
        table = run.tables.table(video)
        write_outcome(
            dataset.lightly, table.folder, replace(outcome, fingerprint=table.fingerprint)
        )
    with measured("reading them from a folder"):
        found = run.tables.existing_many(catalog.videos)
    assert None not in found
    with _listing_store(0) as store:
        # All read the first one's, which is that of none of the others: the same work.
        write_outcome(store, "any", next(outcome for outcome in found if outcome))
        in_bucket = Run(replace(dataset, lightly=store), run.config, "bench")
        with measured("reading them from a bucket"):
            in_bucket.tables.existing_many(catalog.videos)


PARTS: dict[str, Callable[[Path, int], None]] = {
    "tick": tick,
    "automation": automation,
    "documents": documents,
    "outcomes": outcomes,
}


def _alone(part: str, n_videos: int) -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        PARTS[part](Path(folder), n_videos)


def main() -> None:
    """Runs the parts that are asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--videos", type=int, default=100_000)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for part in options.parts.split(","):
        process = context.Process(target=_alone, args=(part, options.videos))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
