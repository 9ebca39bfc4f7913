"""The whole chain on two prefixes of a bucket behind a proxy, and what every run of it must keep.

`Chain.check` is the judge of all tests of faults: every video of the listing is accounted for, what
was decoded is what the undamaged file holds, images are what the manifest says, and a run that says
success has chosen what a run without a fault chooses.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightly_pipeline import Dataset, LocalDatasource, RunResult, S3Datasource, run
from lightly_pipeline.datasources import Datasource, StoredObject, list_videos
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.layout import table_folder
from lightly_pipeline.tables.fingerprint import video_fingerprint
from lightly_pipeline_tests.support.faults import FaultyStore
from lightly_pipeline_tests.support.videos import X264, Recipe, make_video

N_SAMPLES = 4
BROKEN = "broken.mov"
RECIPES = (
    Recipe("a.mp4", "libx264", 12, options=X264),
    # Two megabytes, so that it is read by several requests; no decoder notices a wrong byte in it.
    Recipe("raw.avi", "rawvideo", 75),
)
_OPTIONS: dict[str, Any] = {
    "worker_config": {"upload_report": False},
    "selection_config": {"n_samples": N_SAMPLES},
}
Videos = Mapping[str, bytes]


def make_contents(seed: int = 0) -> dict[str, bytes]:
    """Returns the files of a dataset by path: two videos and one that is none."""
    with tempfile.TemporaryDirectory() as folder:
        files = {
            recipe.name: make_video(Path(folder), recipe, seed=seed + number).read_bytes()
            for number, recipe in enumerate(RECIPES)
        }
    return {**files, BROKEN: b"<html>saved by mistake</html>"}


@dataclass(frozen=True)
class Truth:
    """What a run gives where nothing goes wrong.

    Attributes:
        chosen: Video, frame and hash of the image, in the order of picks.
        tables: Hashes of the files of each video's table; None where it is corrupt.
        n_rows: Rows of these tables.
    """

    chosen: tuple[tuple[str, int, str], ...]
    tables: dict[str, tuple[str, ...] | None]
    n_rows: dict[str, int]


class Truths:
    """The truth about some videos, found in a folder, where no fault can reach it."""

    def __init__(self) -> None:
        self._known: dict[str, Truth] = {}

    def of(self, videos: Videos) -> Truth:
        """Returns what a run over these videos gives."""
        key = _digest(repr(sorted((p, _digest(c)) for p, c in videos.items())).encode())
        if key not in self._known:
            self._known[key] = _truth(videos)
        return self._known[key]


@dataclass(frozen=True)
class Chain:
    """One dataset in a bucket, and the way around its proxy.

    Attributes:
        dataset: Behind the proxy.
        direct: The same place without it; videos are in `in/`, results in `out/`.
        proxy: What spoils requests.
        truths: What should come out.
    """

    dataset: Dataset
    direct: S3Datasource
    proxy: FaultyStore
    truths: Truths
    options: dict[str, Any] = field(default_factory=dict)

    def put(self, videos: Videos) -> None:
        """Stores videos, past the proxy."""
        for path, content in videos.items():
            self.direct.write(f"in/{path}", content)

    def run(self, *, patience_s: float = 30, **options: Any) -> RunResult:
        """Runs the chain; what is said here counts over what the chain says."""
        merged = {**_OPTIONS, "pipeline_config": {"store_patience_s": patience_s}}
        return run(self.dataset, **{**merged, **self.options, **options})

    def stored(self, prefix: str = "", ending: str = "") -> dict[str, bytes]:
        """Returns what is in the LIGHTLY datasource below a prefix, by path."""
        listed = [item.path for item in self.direct.list(f"out/{prefix}")]
        paths = [path for path in listed if path.endswith(ending)]
        return {path.removeprefix("out/"): self.direct.read(path) for path in paths}

    def videos(self) -> dict[str, bytes]:
        """Returns the videos that INPUT holds now."""
        listed = list_videos(_below(self.direct, "in"))
        return {item.path: self.direct.read(f"in/{item.path}") for item in listed}

    def check(self, result: RunResult, *, without: frozenset[str] = frozenset()) -> None:
        """Checks everything a run that says success must keep.

        Args:
            result: Of the run.
            without: Videos that a fault keeps away; the run must name them.
        """
        videos = self.videos()
        truth = self.truths.of(videos)
        left_out, corrupt = set(result.failed_videos), set(result.corrupt_videos)
        assert left_out == without
        assert corrupt == {p for p in videos if truth.tables[p] is None} - left_out
        assert result.n_input_videos == len(videos.keys() | without)
        self._check_tables(result, videos, truth, left_out | corrupt)
        assert not result.missing_frames
        assert not result.corrupt_samples
        manifest = json.loads(self.direct.read(f"out/{_manifest(result.run_id)}"))
        chosen = tuple((i["video"], i["frame_index"], i["sha256"]) for i in manifest["images"])
        assert chosen == self.truths.of(_without(videos, left_out)).chosen
        assert [(f.video, f.frame_index, f.image) for f in result.selected] == [
            (i["video"], i["frame_index"], i["image"]) for i in manifest["images"]
        ]
        self.check_images()

    def check_images(self) -> None:
        """Checks that the images are those of the manifests, byte for byte, and no others."""
        assert self._images() == self._named()

    def check_failure(self, error: LightlyPipelineError) -> None:
        """Checks that a run that failed left nothing that looks like a result."""
        assert not self._named()
        assert self.check_ended(error) == 0

    def check_ended(self, error: LightlyPipelineError) -> int:
        """Checks that what a run left that failed, at whatever step, is true.

        Returns:
            How many tags there are.
        """
        assert self._named().items() <= self._images().items()
        assert "\n" not in str(error)
        assert len(str(error)) < 3000
        truth = self.truths.of(self.videos())
        for path, digests in self._tables().items():
            # What is called complete is complete, whatever happened to the run.
            assert digests == truth.tables.get(path)
        return len(self.stored(".lightly/tags/"))

    def check_input_untouched(self) -> None:
        """Checks that no request wanted to change the videos."""
        assert not self.proxy.count(r"^(PUT|POST|DELETE) [^?]*/in/")

    def _images(self) -> dict[str, str]:
        """Returns the hashes of the stored images."""
        images = self.stored(".lightly/frames/")
        return {path: _digest(content) for path, content in images.items()}

    def _named(self) -> dict[str, str]:
        """Returns the images that manifests name, with their hashes there."""
        manifests = self.stored(".lightly/runs/", ending="/manifest.json").values()
        return {i["image"]: i["sha256"] for m in manifests for i in json.loads(m)["images"]}

    def _check_tables(
        self, result: RunResult, videos: Videos, truth: Truth, without: set[str]
    ) -> None:
        decoded = set(videos) - without
        tables = self._tables()
        assert {p: d for p, d in tables.items() if p in decoded} == {
            p: truth.tables[p] for p in decoded
        }
        assert result.n_input_frames == sum(truth.n_rows[path] for path in decoded)

    def _tables(self) -> dict[str, tuple[str, ...] | None]:
        """Returns the hashes of the tables that are called complete, of the present versions."""
        return _tables(_below(self.direct, "out"), list(list_videos(_below(self.direct, "in"))))[0]


def _below(store: S3Datasource, folder: str) -> S3Datasource:
    below = S3Datasource(f"{store.describe()}{folder}/")
    return below.with_client(lambda: client_of(store))


def client_of(store: S3Datasource) -> Any:
    """Returns the boto3 client of a datasource."""
    return store._connection("read", "").client  # type: ignore[attr-defined]


def _without(videos: Videos, paths: set[str]) -> Videos:
    return {path: content for path, content in videos.items() if path not in paths}


def _truth(videos: Videos) -> Truth:
    with tempfile.TemporaryDirectory() as folder:
        for path, content in videos.items():
            file = Path(folder, "in", path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        source, store = LocalDatasource(Path(folder, "in")), LocalDatasource(Path(folder, "out"))
        result = run(Dataset("chain", input=source, lightly=store), **_OPTIONS)
        manifest = json.loads(store.read(_manifest(result.run_id)))
        tables, n_rows = _tables(store, list(list_videos(source)))
    chosen = tuple((i["video"], i["frame_index"], i["sha256"]) for i in manifest["images"])
    return Truth(chosen, tables, n_rows)


def _tables(
    store: Datasource, videos: list[StoredObject]
) -> tuple[dict[str, tuple[str, ...] | None], dict[str, int]]:
    """Returns, of every video with an outcome, the hashes of its table and its number of rows."""
    tables: dict[str, tuple[str, ...] | None] = {}
    n_rows: dict[str, int] = {}
    paths = {item.path for item in store.list(".lightly/tables/")}
    ids = {path.split("/")[2] for path in paths if path.count("/") > 2}
    for video in videos:
        for embedding_id in ids:
            folder = table_folder(embedding_id, video.path)
            if f"{folder}/outcome.json" not in paths:
                continue
            outcome = json.loads(store.read(f"{folder}/outcome.json"))
            if outcome["fingerprint"] != video_fingerprint(video, embedding_id):
                continue
            files = [f"{folder}/frames.parquet", f"{folder}/embeddings.npy"]
            is_corrupt = outcome["corrupt_reason"] is not None
            tables[video.path] = (
                None if is_corrupt else tuple(_digest(store.read(file)) for file in files)
            )
            n_rows[video.path] = outcome["n_rows"]
    return tables, n_rows


def _manifest(run_id: str) -> str:
    return f".lightly/runs/{run_id}/manifest.json"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
