"""Reports of made-up runs: real pictures, a real choice of them, figures that fit together.

The candidates are frames of the demo's scenes; their embeddings are the colours of a tiny picture.
"""

import io
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import av
import numpy as np

from lightly_pipeline.demo import scenes
from lightly_pipeline.report import numbers

SCENES = tuple(scenes._SCENES)
_TINY, _SIZE = (16, 9), (160, 90)
_SPACING_S = 2.0


@dataclass(frozen=True)
class Pool:
    """The candidates of a made-up run, video by video."""

    videos: tuple[str, ...]
    per_video: int
    embeddings: np.ndarray

    def video_of(self, row: int) -> int:
        return row // self.per_video

    def frame_of(self, row: int) -> int:
        return 25 * 2 * (row % self.per_video)

    def time_of(self, row: int) -> float:
        return _SPACING_S * (row % self.per_video)

    def picture(self, row: int) -> numbers.Preview:
        return _preview(self.video_of(row), self.time_of(row))


def pool(n_videos: int = 6, per_video: int = 50, videos: tuple[str, ...] | None = None) -> Pool:
    names = videos or tuple(
        f"day {1 + i // 9}/{SCENES[i % len(SCENES)]}-{i:03}.mp4" for i in range(n_videos)
    )
    rows = [
        scenes.draw(SCENES[i % len(SCENES)], _SPACING_S * j + i, _TINY).reshape(-1)
        for i in range(len(names))
        for j in range(per_video)
    ]
    return Pool(names, per_video, np.array(rows, np.float64) / 255)


@lru_cache(maxsize=4096)
def _preview(video: int, time_s: float) -> numbers.Preview:
    pixels = scenes.draw(SCENES[video % len(SCENES)], time_s + video, _SIZE)
    return preview(pixels)


def preview(pixels: np.ndarray) -> numbers.Preview:
    """Encodes a small picture with PyAV."""
    height, width = pixels.shape[:2]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", options={"qmin": "3", "qmax": "3"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuvj420p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return numbers.Preview(buffer.getvalue(), "image/jpeg", width, height)


def farthest_first(embeddings: np.ndarray, n: int) -> tuple[list[int], list[tuple[float, int]]]:
    """Returns n rows, and of each the distance to and place of the nearest one before."""
    chosen, to, nearest = [0], [], np.zeros(len(embeddings), int)
    distance = np.linalg.norm(embeddings - embeddings[0], axis=1)
    while len(chosen) < n:
        row = int(distance.argmax())
        to.append((float(distance[row]), int(nearest[row])))
        new = np.linalg.norm(embeddings - embeddings[row], axis=1)
        nearest[new < distance] = len(chosen)
        distance = np.minimum(distance, new)
        chosen.append(row)
    return chosen, to


def coverage(name: str, embeddings: np.ndarray, rows: list[int]) -> numbers.CoverageCurve:
    distance = np.full(len(embeddings), np.inf)
    median, largest = [], []
    for row in rows:
        distance = np.minimum(distance, np.linalg.norm(embeddings - embeddings[row], axis=1))
        median.append(np.median(distance))
        largest.append(distance.max())
    n = np.arange(1, len(rows) + 1)
    return numbers.CoverageCurve(name, n, np.array(median), np.array(largest))


def made_report(
    n_videos: int = 6,
    per_video: int = 50,
    n_chosen: int = 24,
    *,
    videos: tuple[str, ...] | None = None,
    times: bool = True,
    previews: bool = True,
    **changes: Any,
) -> numbers.Report:
    """Returns the report of a made-up run.

    Args:
        n_videos: Of them, the first has a damaged part, the second a part left out.
        per_video: Candidates of each.
        n_chosen: Farthest first.
        videos: Their names instead of made-up ones.
        times: Whether frames have a time.
        previews: Whether there are small pictures.
        changes: Fields that are other ones.
    """
    candidates = pool(n_videos, per_video, videos)
    rows, to = farthest_first(candidates.embeddings, n_chosen)
    chosen = tuple(
        numbers.ChosenPicture(
            rank=rank,
            video=candidates.videos[candidates.video_of(row)],
            frame_index=candidates.frame_of(row),
            time_s=candidates.time_of(row) if times else None,
            image=f".lightly/frames/{candidates.videos[candidates.video_of(row)]}-{row:04}.png",
            decided_by="DIVERSITY of EMBEDDINGS" if rank % 5 else "WEIGHTS of METADATA sharpness",
            distance=to[rank - 1][0] if rank else None,
            nearest_rank=to[rank - 1][1] if rank else None,
            preview=candidates.picture(row) if previews else None,
        )
        for rank, row in enumerate(rows)
    )
    report = numbers.Report(
        facts=_facts(),
        sizes=_sizes(candidates, n_chosen),
        problems=_problems(candidates.videos),
        coverage=_coverage(candidates, rows),
        chosen=chosen,
        timelines=_timelines(candidates, chosen),
        map=_map(candidates, rows, times),
        twins=_twins(candidates, rows, times, previews),
        balances=(_balance(),),
        histograms=_histograms(candidates, rows),
        distances=_distances(candidates, rows),
    )
    return replace(report, **changes)


def _facts() -> numbers.RunFacts:
    return numbers.RunFacts(
        run_id="b6741aa1-db47-4d81-b495-c19726c0a22f",
        dataset="street",
        created="2026-03-14T09:26:53+00:00",
        seconds={
            "catalog": 0.31,
            "decode_and_embed": 84.2,
            "select": 2.4,
            "upload": 11.9,
            "total": 99.1,
        },
        rates={"decode_and_embed": 812.0, "upload": 4.2},
        rate_units={"decode_and_embed": "frames", "upload": "images"},
        config={
            "worker_config": {"output_image_format": "png", "upload_report": True},
            "selection_config": {
                "n_samples": 24,
                "strategies": [
                    {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
                ],
            },
        },
        versions={"lightly_pipeline": "0.2.0", "av": "18.1.0", "embedding": "colour-and-edges-2"},
    )


def _sizes(candidates: Pool, n_chosen: int) -> numbers.Sizes:
    n = len(candidates.embeddings)
    return numbers.Sizes(
        n_input_videos=len(candidates.videos) + 2,
        n_corrupt_videos=1,
        n_failed_videos=1,
        n_input_frames=n + 60,
        n_damaged_frames=12,
        n_duplicates=18,
        n_removed_by_threshold=30,
        n_candidates=n,
        n_preselected=0,
        n_selected=n_chosen,
        n_replaced=1,
        n_missing=0,
    )


def _problems(videos: tuple[str, ...]) -> tuple[numbers.Problem, ...]:
    moov = "the index (moov) is missing: the recording was cut off"
    return (
        numbers.Problem("video", "street/broken.mp4", moov),
        numbers.Problem("left out", "street/locked.mp4", "the store refused it: AccessDenied"),
        numbers.Problem(
            "frame", f"{videos[0]}, frame 700", "refers to a picture that was not received"
        ),
        numbers.Problem("warning", videos[0], "12 of its frames are damaged"),
    )


def _coverage(candidates: Pool, rows: list[int]) -> tuple[numbers.CoverageCurve, ...]:
    rng, n = np.random.default_rng(7), len(candidates.embeddings)
    k = len(rows)
    even = [int(row) for row in np.linspace(0, n - 1, k)]
    rng.shuffle(even)
    return (
        coverage("this choice", candidates.embeddings, rows),
        coverage("random", candidates.embeddings, rng.permutation(n)[:k].tolist()),
        coverage("evenly in time", candidates.embeddings, even),
    )


def _timelines(
    candidates: Pool, chosen: tuple[numbers.ChosenPicture, ...]
) -> tuple[numbers.Timeline, ...]:
    duration = _SPACING_S * (candidates.per_video - 1)
    return tuple(
        numbers.Timeline(
            video=video,
            n_frames=candidates.per_video * 50,
            duration_s=duration
            if not chosen or chosen[0].time_s is not None
            else candidates.per_video * 50.0,
            chosen=tuple(
                c.rank for c in sorted(chosen, key=lambda c: c.frame_index) if c.video == video
            ),
            damaged=((duration * 0.3, duration * 0.36),) if i == 0 else (),
            n_sampled_out=0,
            left_out=((0.0, duration * 0.12),) if i == 1 else (),
        )
        for i, video in enumerate(candidates.videos)
    )


def _map(candidates: Pool, rows: list[int], times: bool) -> numbers.EmbeddingMap | None:
    if len(candidates.embeddings) < 2:
        return None
    centred = candidates.embeddings - candidates.embeddings.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    xy = (centred @ axes[:2].T).astype(np.float32)
    density, x, y = np.histogram2d(xy[:, 0], xy[:, 1], bins=64)
    n = np.arange(len(xy))
    variance = spread**2 / (spread**2).sum()
    seconds = np.array([candidates.time_of(row) for row in n])
    return numbers.EmbeddingMap(
        method="PCA",
        explained=(float(variance[0]), float(variance[1])),
        density=density.T.astype(np.int64),
        extent=(float(x[0]), float(x[-1]), float(y[0]), float(y[-1])),
        points=xy,
        point_video=(n // candidates.per_video).astype(np.int32),
        point_time_s=seconds if times else np.full(len(n), np.nan),
        point_frame=np.array([candidates.frame_of(row) for row in n], np.int64),
        chosen=xy[rows],
    )


def _twins(
    candidates: Pool, rows: list[int], times: bool, previews: bool
) -> tuple[numbers.Twin, ...]:
    embeddings = candidates.embeddings
    distances = _all_distances(embeddings, embeddings[rows])
    nearest, distance = distances.argmin(axis=1), distances.min(axis=1)
    order = [int(row) for row in np.argsort(distance, kind="stable") if row not in set(rows)]
    if not order:
        return ()
    kinds = {"closest": order[:2], "median": order[len(order) // 2 :][:2], "farthest": order[-2:]}
    return tuple(
        numbers.Twin(
            kind=kind,
            video=candidates.videos[candidates.video_of(row)],
            frame_index=candidates.frame_of(row),
            time_s=candidates.time_of(row) if times else None,
            distance=float(distance[row]),
            rank=int(nearest[row]),
            preview=candidates.picture(row) if previews else None,
        )
        for kind, group in kinds.items()
        for row in group
    )


def _all_distances(these: np.ndarray, those: np.ndarray) -> np.ndarray:
    squares = (these**2).sum(axis=1)[:, None] + (those**2).sum(axis=1) - 2 * these @ those.T
    return np.sqrt(squares.clip(0))


def _balance() -> numbers.Balance:
    return numbers.Balance(
        strategy="BALANCE of METADATA weather",
        asked={"sunny": 0.4, "rain": 0.4, "snow": 0.2},
        reached={"sunny": 0.42, "rain": 0.38, "snow": 0.2},
        pool={"sunny": 0.8, "rain": 0.15, "snow": 0.05},
    )


def _histograms(candidates: Pool, rows: list[int]) -> tuple[numbers.Histogram, ...]:
    bright = candidates.embeddings.mean(axis=1) * 255
    contrast = candidates.embeddings.std(axis=1) * 255
    weather = np.arange(len(bright)) % 7 % 3
    made = []
    for name, values in (("luminance", bright), ("contrast", contrast)):
        pool_counts, edges = np.histogram(values, bins=20)
        chosen_counts, _ = np.histogram(values[rows], bins=edges)
        limit = ("BIGGER", float(edges[2])) if name == "contrast" else None
        made.append(
            numbers.Histogram(
                name, edges, (), pool_counts, chosen_counts, limit, 30 if limit else 0
            )
        )
    counts = [np.bincount(w, minlength=3) for w in (weather, weather[rows])]
    made.append(numbers.Histogram("weather", None, ("sunny", "rain", "snow"), counts[0], counts[1]))
    return tuple(made)


def _distances(candidates: Pool, rows: list[int]) -> tuple[numbers.Distances, ...]:
    found = []
    for name, vectors in (
        ("to the nearest other candidate", candidates.embeddings),
        ("to the nearest other chosen frame", candidates.embeddings[rows]),
    ):
        if len(vectors) < 2:
            continue
        all_pairs = _all_distances(vectors, vectors)
        np.fill_diagonal(all_pairs, np.inf)
        nearest = all_pairs.min(axis=1)
        counts, edges = np.histogram(nearest, bins=24)
        metrics = {
            "mean": float(nearest.mean()),
            "std": float(nearest.std()),
            "min": float(nearest.min()),
            "median": float(np.median(nearest)),
            "max": float(nearest.max()),
        }
        found.append(numbers.Distances(name, edges, counts, metrics))
    return tuple(found)
