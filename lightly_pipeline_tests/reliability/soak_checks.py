"""What must hold after a soak: no video lost, images as the manifests say, no growth."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.runs.verification import verify_run
from lightly_pipeline_tests.support.faults import FaultyStore
from lightly_pipeline_tests.support.s3_servers import store_at
from lightly_pipeline_tests.support.sampling import Sample, lives

# Beyond what a process of Python settles at: file handles and share of memory in half a life.
_MORE_HANDLES, _MORE_MEMORY = 20, 1.25
_MIN_SAMPLES = 12


def check_results(
    folder: Path,
    bucket: Any,
    proxy: FaultyStore,
    videos: Sequence[Path],
    corrupt: set[str],
    n_selected: int,
) -> dict[str, Any]:
    """Compares what is in the store with the videos and with an undisturbed run.

    Raises:
        AssertionError: Says what is missing or wrong.
    """
    documents = {item.key: item for item in bucket.objects.filter(Prefix="out/.lightly/")}
    outcomes = [_json(item) for key, item in documents.items() if key.endswith("/outcome.json")]
    of_videos = {outcome["video"]: outcome for outcome in outcomes}
    missing = {video.name for video in videos} - of_videos.keys()
    assert not missing, f"{len(missing)} videos have no outcome: {sorted(missing)[:10]}"
    broken = {video for video, outcome in of_videos.items() if outcome["corrupt_reason"]}
    assert broken == corrupt, f"corrupt: {sorted(broken ^ corrupt)} are not as they were made"

    manifests = {
        key.split("/")[-2]: _json(item)
        for key, item in documents.items()
        if key.endswith("/manifest.json")
    }
    store = store_at(proxy.url, f"s3://{bucket.name}/out/")
    for run_id in manifests:
        check = verify_run(store, run_id)
        assert check.is_true, check
    newest = max(manifests.values(), key=lambda manifest: manifest["created"])
    assert newest["n_input_videos"] == len(videos)
    assert set(newest["corrupt_videos"]) == corrupt
    assert not newest["failed_videos"], newest["failed_videos"]

    tags = [_json(item) for key, item in documents.items() if key.startswith("out/.lightly/tags/")]
    assert sorted(tag["run_id"] for tag in tags) == sorted(manifests), "one tag for every run"

    fresh = Dataset(
        "fresh",
        input=LocalDatasource(videos[0].parent),
        lightly=LocalDatasource(folder / "fresh"),
    )
    reference = run(fresh, selection_config={"n_samples": n_selected})
    expected = json.loads(Path(reference.manifest).read_text())
    assert _images(newest) == _images(expected), "other frames than those of an undisturbed run"
    return {
        "corrupt": len(corrupt),
        "selections": len(manifests),
        "images": len({image["image"] for m in manifests.values() for image in m["images"]}),
        "objects": len(documents),
    }


def check_growth(samples: Sequence[Sample]) -> dict[str, Any]:
    """Compares the middle of each process' life with its end, once it has settled.

    Raises:
        AssertionError: A daemon or code server holds ever more handles or memory.
    """
    found = {}
    for (name, pid), of_one in lives(samples).items():
        third = len(of_one) // 3
        if third < _MIN_SAMPLES:
            continue
        middle, end = of_one[third : 2 * third], of_one[-third:]
        figures = {
            key: [median(getattr(sample, key) for sample in part) for part in (middle, end)]
            for key in ("memory_mb", "n_handles", "n_threads")
        }
        found[f"{name} {pid}"] = figures
        if name in ("daemon", "code_server"):
            before, after = figures["n_handles"]
            assert after - before <= _MORE_HANDLES, f"{name}: {before} handles, then {after}"
            before, after = figures["memory_mb"]
            assert after <= before * _MORE_MEMORY, f"{name}: {before} MB, then {after} MB"
    return found


def _json(item: Any) -> Any:
    return json.loads(item.get()["Body"].read())


def _images(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    return [(image["image"], image["sha256"]) for image in manifest["images"]]
