"""Runs that compare embeddings of the user's own, as a user runs them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from lightly_pipeline import Dataset, LocalDatasource, RunResult, build_definitions, run
from lightly_pipeline.cli import main
from lightly_pipeline.embedding import NO_ENCODER, encoder_spec, load_encoder
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.handover.export import export_run
from lightly_pipeline.layout import run_path
from lightly_pipeline.progress import ProgressMeter
from lightly_pipeline.tables.build import TableBuilder
from lightly_pipeline_tests.support.selections import (
    DIVERSITY,
    H264,
    N_FRAMES,
    VIDEOS,
    chosen,
    frame_file,
    local_dataset,
    put,
    selection,
    strategy,
)
from lightly_pipeline_tests.support.videos import VideoFolder, make_video

pytestmark = pytest.mark.slow

FILE = ".lightly/embeddings/mine.csv"
OWN = {"embeddings": FILE, "upload_report": False}
POOL = {"use_datapool": True}
FRAMES = [(video, index) for video in VIDEOS for index in range(N_FRAMES)]


@pytest.fixture
def dataset(prepared_folder: Path) -> Dataset:
    return local_dataset(prepared_folder)


def vectors(seed: int = 0, dim: int = 8) -> dict[tuple[str, int], np.ndarray]:
    """Made-up vectors by frame."""
    drawn = np.random.default_rng(seed).normal(size=(len(FRAMES), dim)).astype(np.float32)
    return dict(zip(FRAMES, drawn, strict=True))


def put_vectors(
    dataset: Dataset,
    of_frames: dict[tuple[str, int], np.ndarray],
    more: tuple[str, ...] = (),
    **marks: set[tuple[str, int]],
) -> None:
    dim = len(next(iter(of_frames.values())))
    lines = [",".join(["filenames", *(f"embedding_{i}" for i in range(dim)), "labels", *marks])]
    for frame, vector in of_frames.items():
        flags = [str(int(frame in marked)) for marked in marks.values()]
        numbers = [repr(number.item()) for number in vector]
        lines.append(",".join([f"{frame_file(*frame)}.png", *numbers, "0", *flags]))
    dataset.lightly.write(FILE, "\n".join([*lines, *more]).encode())


def tables(dataset: Dataset) -> set[str]:
    """The ids that tables are kept under."""
    listed = dataset.lightly.list(".lightly/tables/")
    return {item.path.split("/")[2] for item in listed if item.path.endswith("frames.parquet")}


def distances(result: RunResult) -> list[float | None]:
    return [frame.distance for frame in result.selected]


@pytest.mark.parametrize(
    ("form", "config"),
    [
        ("csv", {"selection_config": selection(12)}),
        (
            "parquet",
            {
                "selection_config": selection(
                    9,
                    DIVERSITY,
                    strategy("WEIGHTS", {"type": "METADATA", "key": "lightly.sharpness"}),
                ),
                "pipeline_config": {"remove_exact_duplicates": True, "selection_memory": "half"},
            },
        ),
        (
            "parquet",
            {"selection_config": selection(12), "worker_config": {"selected_sequence_length": 4}},
        ),
        (
            "csv",
            {"selection_config": selection(12), "worker_config": {"normalize_embeddings": False}},
        ),
    ],
    ids=["plain", "weights", "sequences", "raw"],
)
def test_the_projects_own_export_gives_the_same_frames(
    dataset: Dataset, tmp_path: Path, form: str, config: dict[str, Any]
) -> None:
    first = run(dataset, **config)
    out = tmp_path / "exported"
    export_run(dataset.lightly, first.run_id, to=f"embeddings-{form}", out=out)
    path = out / f"embeddings.{form}"
    # As it is, it says which frames were selected: those are taken first.
    with_file = {**config, "worker_config": {**config.get("worker_config", {})}}
    with_file["worker_config"]["embeddings"] = str(path)
    again = run(dataset, **with_file)
    assert set(chosen(again)) == set(chosen(first))
    assert {frame.decided_by for frame in again.selected} == {"column selected"}
    # Without that mark, the vectors alone give the same choice.
    if form == "csv":
        table = pa_csv.read_csv(path).drop_columns(["selected"])
        pa_csv.write_csv(table.cast(_as_float32(table.schema)), path)
    else:
        pq.write_table(pq.read_table(path).drop_columns(["selected"]), path)
    third = run(dataset, **with_file)
    assert chosen(third) == chosen(first)
    assert distances(third) == distances(first)
    assert third.summary["own_embeddings"]["n_extra"] == 0
    assert third.n_decoded_videos == 0


def _as_float32(schema: Any) -> Any:
    import pyarrow as pa

    return pa.schema(
        [(f.name, pa.float32() if pa.types.is_floating(f.type) else f.type) for f in schema]
    )


def test_csv_export_holds_every_number_exactly(dataset: Dataset, tmp_path: Path) -> None:
    result = run(dataset, selection_config=selection(3))
    export_run(dataset.lightly, result.run_id, to="embeddings-csv", out=tmp_path / "out")
    from lightly_pipeline.inputs.vectors.formats import open_vectors
    from lightly_pipeline.inputs.vectors.reading import read_vectors

    own = read_vectors(open_vectors(dataset.lightly, str(tmp_path / "out" / "embeddings.csv")))
    rows = np.empty((own.n_rows, own.dim), np.float32)
    own.read_into(np.arange(own.n_rows), rows)
    manifest = json.loads(dataset.lightly.read(run_path(result.run_id, "manifest.json")))
    from lightly_pipeline.layout import table_folder

    stored = [
        np.load(dataset.lightly.location(f"{table_folder(manifest['table_id'], v)}/embeddings.npy"))
        for v in VIDEOS
    ]
    assert rows.tobytes() == np.concatenate(stored).tobytes()


def test_own_vectors_decide_and_no_encoder_is_needed(dataset: Dataset) -> None:
    mine = vectors()
    put_vectors(dataset, mine)
    before = tables(dataset)
    result = run(dataset, OWN, selection_config=selection(6))
    rows = np.array([mine[frame] for frame in FRAMES], np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    picks = [0]
    while len(picks) < 6:
        squared = ((rows[:, None] - rows[picks]) ** 2).sum(axis=2).min(axis=1)
        picks.append(int(squared.argmax()))
    assert chosen(result) == [FRAMES[row] for row in picks]
    (made,) = tables(dataset) - before
    assert made.startswith("none-")
    # Another file compares other vectors, and decodes nothing.
    put_vectors(dataset, vectors(1, dim=5))
    other = run(dataset, OWN, selection_config=selection(6))
    assert (other.n_decoded_videos, chosen(other) != chosen(result)) == (0, True)
    assert {made} == tables(dataset) - before


def test_no_network_is_loaded_and_its_options_are_named(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    put_vectors(dataset, vectors())
    result = run(dataset, OWN, {"model": {"name": "resnet-18"}}, selection_config=selection(3))
    assert result.n_selected == 3
    assert "these options have no effect: lightly_config.model.name" in caplog.text
    once_more = run(dataset, OWN, pipeline_config={"embed_changed": 2.0})
    assert once_more.n_decoded_videos == 0
    assert "no effect: pipeline_config.embed_changed" in caplog.text


def test_what_is_left_over_is_counted_shown_and_ends_nothing(dataset: Dataset) -> None:
    mine = vectors()
    a = frame_file("a.mp4", 0)
    del mine["sub/b.mp4", 3], mine["sub/b.mp4", 17]
    again = ",".join([f"{a}.png", *(repr(n.item()) for n in mine["a.mp4", 0]), "0"])
    put_vectors(dataset, mine, (again, "x-0-mp4.png" + ",1" * 9, "a-40-mp4.png" + ",1" * 9))
    result = run(dataset, {"embeddings": FILE}, selection_config=selection(200))
    assert result.n_selected == 3 * N_FRAMES - 2
    assert not {("sub/b.mp4", 3), ("sub/b.mp4", 17)} & set(chosen(result))
    assert result.summary["own_embeddings"] == {
        "n_rows": 3 * N_FRAMES + 1,
        "n_missing": 2,
        "n_extra": 2,
        "n_double": 1,
        "n_masked": 0,
        "n_selected": 0,
    }
    assert result.warnings[FILE] == [
        "2 of 120 frames have no vector and were left out: sub/b-03-mp4; sub/b-17-mp4",
        "2 of 121 rows are of no frame of these videos: line 121: x-0-mp4; line 122: a-40-mp4",
        "1 of 121 rows are there twice, and used once: line 120: a-00-mp4, as line 2",
    ]
    report = json.loads(dataset.lightly.read(run_path(result.run_id, "manifest.json")))
    assert report["warnings"][FILE] == result.warnings[FILE]
    assert "have no vector" in dataset.lightly.read(run_path(result.run_id, "log.txt")).decode()
    page = dataset.lightly.read(run_path(result.run_id, "report.html")).decode()
    assert "2 of 120 frames have no vector" in page


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["names,embedding_0", "a-00-mp4,1"], "no column filenames"),
        (["filenames,embedding_0", "a-00-mp4,1", "a-01-mp4,nan"], "line 3: embedding_0 is nan"),
        (["filenames,embedding_0", "a-00-mp4,1", "a-00-mp4,2"], "another vector"),
        (
            ["filenames,embedding_0", "gone-00-mp4,1"],
            r"of any of the 3 videos: line 2: gone-00-mp4",
        ),
    ],
)
def test_what_can_be_known_before_ends_the_run_before_decoding(
    dataset: Dataset, lines: list[str], said: str
) -> None:
    before = tables(dataset)
    dataset.lightly.write(FILE, "\n".join(lines).encode())
    with pytest.raises(LightlyPipelineError, match=said):
        run(dataset, OWN)
    assert tables(dataset) == before
    with pytest.raises(InvalidConfigurationError, match=r"ends in \.csv, \.parquet or \.npy"):
        run(dataset, {"embeddings": ".lightly/embeddings/mine.txt"})
    with pytest.raises(InvalidConfigurationError, match=r"begins with \.lightly/"):
        run(dataset, {"embeddings": ".lightly/../mine.csv"})


def test_vectors_of_no_frame_end_the_run_with_the_names_that_frames_have(dataset: Dataset) -> None:
    lines = ["filenames,embedding_0", "a-7-mp4,1", "a-007-mp4,1"]
    dataset.lightly.write(FILE, "\n".join(lines).encode())
    with pytest.raises(
        LightlyPipelineError,
        match=r"none of the 120 frames: line 2: a-7-mp4; line 3: a-007-mp4; .* a-00-mp4\.png",
    ):
        run(dataset, OWN)
    put_vectors(dataset, vectors(), masked=set(FRAMES))
    with pytest.raises(LightlyPipelineError, match=r"the mark `masked` at all 120 frames"):
        run(dataset, OWN)


def test_masked_frames_are_ignored_and_selected_ones_come_first_and_count(
    dataset: Dataset,
) -> None:
    masked = {("a.mp4", index) for index in range(N_FRAMES)}
    wanted = {("sub/c.mp4", 5), ("sub/b.mp4", 9)}
    put_vectors(dataset, vectors(), masked=masked, selected=wanted | {("a.mp4", 1)})
    result = run(dataset, OWN, selection_config=selection(5))
    frames = chosen(result)
    assert frames[:2] == [("sub/b.mp4", 9), ("sub/c.mp4", 5)]
    assert [frame.decided_by for frame in result.selected[:2]] == ["column selected"] * 2
    assert (len(frames), {video for video, _ in frames}) == (5, {"sub/b.mp4", "sub/c.mp4"})
    assert result.summary["own_embeddings"]["n_masked"] == N_FRAMES
    assert result.summary["own_embeddings"]["n_selected"] == 2
    # The others keep away from them, as from what was chosen before.
    mine = vectors()
    unit = {f: v.astype(np.float64) / np.linalg.norm(v.astype(np.float64)) for f, v in mine.items()}
    free = [frame for frame in FRAMES if frame not in masked and frame not in wanted]
    nearest = {f: min(np.linalg.norm(unit[f] - unit[w]) for w in wanted) for f in free}
    assert frames[2] == max(free, key=lambda frame: nearest[frame])
    assert run(dataset, OWN, selection_config=selection(1)).n_selected == 2
    share = {"proportion_samples": 0.1, "strategies": [DIVERSITY]}
    assert run(dataset, OWN, selection_config=share).n_selected == 8


def test_sequences_are_marked_as_wholes(dataset: Dataset, caplog: pytest.LogCaptureFixture) -> None:
    block = {("a.mp4", index) for index in range(8, 12)}
    put_vectors(dataset, vectors(), selected=block | {("sub/b.mp4", 0)})
    worker = {**OWN, "selected_sequence_length": 4}
    result = run(dataset, worker, selection_config=selection(12))
    assert chosen(result)[:4] == sorted(block)
    assert result.n_selected == 12
    assert "1 frames are marked as selected and their sequences of 4 are not" in caplog.text


def test_a_datapool_compares_own_vectors_with_their_like(
    dataset: Dataset, prepared_folder: Path
) -> None:
    mine = vectors()
    put_vectors(dataset, {frame: mine[frame] for frame in FRAMES if frame[0] != "sub/c.mp4"})
    worker = {**OWN, **POOL}
    names = ".lightly/relevant_filenames.txt"
    dataset.lightly.write(names, b"a.mp4\nsub/b.mp4")
    first = run(
        dataset, {**worker, "relevant_filenames_file": names}, selection_config=selection(5)
    )
    # The file has grown since: what was chosen before has its vector in it as well.
    put_vectors(dataset, mine)
    second = run(dataset, worker, selection_config=selection(5))
    assert {frame.video for frame in second.selected} == {"sub/c.mp4"}
    rows = {f: v.astype(np.float64) / np.linalg.norm(v.astype(np.float64)) for f, v in mine.items()}
    best = max(
        (frame for frame in FRAMES if frame[0] == "sub/c.mp4"),
        key=lambda frame: min(np.linalg.norm(rows[frame] - rows[old]) for old in chosen(first)),
    )
    assert chosen(second)[0] == best
    # A new video, an old one gone, the same vectors: those kept with the runs are compared.
    (prepared_folder / "in" / "a.mp4").unlink()
    make_video(prepared_folder / "in", H264, "d.mp4", seed=9)
    lines = dataset.lightly.read(FILE).decode().splitlines()
    more = [line.replace("a-", "d-", 1) for line in lines if line.startswith("a-")]
    dataset.lightly.write(FILE, "\n".join([*lines, *more]).encode())
    with pytest.raises(LightlyPipelineError, match=r"file of embeddings than this run's own-"):
        run(dataset, worker, selection_config=selection(5))
    # Nor can what an encoder made be compared with them.
    with pytest.raises(LightlyPipelineError, match=r"cannot be compared"):
        run(dataset, POOL, selection_config=selection(5))


def test_similarity_takes_tags_with_own_vectors_and_refuses_what_needs_an_encoder(
    dataset: Dataset, tmp_path: Path
) -> None:
    mine = vectors()
    put_vectors(dataset, mine)
    query = run(dataset, OWN, selection_config=selection(1))
    (old,) = chosen(query)
    like = strategy("SIMILARITY", {"type": "EMBEDDINGS", "tag_name": "initial-tag"})
    result = run(dataset, OWN, selection_config=selection(2, like))
    unit = {f: v / np.linalg.norm(v) for f, v in mine.items()}
    by_nearness = sorted(FRAMES, key=lambda frame: -float(unit[frame] @ unit[old]))
    assert chosen(result) == by_nearness[:2]
    for key, value in (("similarity_folders", str(tmp_path)), ("similarity_texts", "a forklift")):
        config = selection(2, strategy("SIMILARITY", {"type": "EMBEDDINGS", "tag_name": "mine"}))
        with pytest.raises(InvalidConfigurationError, match="SIMILARITY to mine: images and words"):
            run(dataset, OWN, selection_config=config, pipeline_config={key: {"mine": value}})


def test_exports_hold_the_vectors_that_were_compared_or_say_that_they_are_gone(
    dataset: Dataset, tmp_path: Path
) -> None:
    mine = vectors()
    del mine["a.mp4", 39]
    put_vectors(dataset, mine)
    result = run(dataset, OWN, selection_config=selection(4))
    export_run(dataset.lightly, result.run_id, to="embeddings-parquet", out=tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "embeddings.parquet").to_pylist()
    found = {row["filenames"]: row["embedding"] for row in rows}
    assert found == {f"{frame_file(*f)}.png": v.tolist() for f, v in mine.items()}
    kept = np.load(dataset.lightly.location(run_path(result.run_id, "embeddings.npy")))
    assert kept.tolist() == [mine[frame].tolist() for frame in chosen(result)]
    export_run(dataset.lightly, result.run_id, to="csv", out=tmp_path / "csv")
    put_vectors(dataset, vectors(1))
    with pytest.raises(LightlyPipelineError, match="was changed since run"):
        export_run(dataset.lightly, result.run_id, to="embeddings-csv", out=tmp_path / "no")


def test_the_command_line_takes_a_file_from_anywhere(
    dataset: Dataset,
    prepared_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_vectors(dataset, vectors())
    wanted = chosen(run(dataset, OWN, selection_config=selection(4)))
    (tmp_path / "v.csv").write_bytes(dataset.lightly.read(FILE))
    monkeypatch.chdir(tmp_path)
    places = ["--input", str(prepared_folder / "in"), "--lightly", str(prepared_folder / "out")]
    for written in ("v.csv", FILE):
        command = ["run", *places, "--embeddings", written, "--n-samples", "4", "--json"]
        assert main(command) == 0
        told = json.loads(capsys.readouterr().out)
        assert [(f["video"], f["frame_index"]) for f in told["selected"]] == wanted
    assert main(["run", *places, "--embeddings", "gone.csv"]) == 1
    assert f"needs {tmp_path}/gone.csv, which does not exist" in capsys.readouterr().err


def test_in_dagster_partitions_hold_frames_and_the_selection_the_vectors(dataset: Dataset) -> None:
    put_vectors(dataset, vectors())
    wanted = chosen(run(dataset, OWN, selection_config=selection(4)))
    before = tables(dataset)
    definitions = build_definitions(dataset)
    blocks = {"worker_config": OWN, "selection_config": selection(4)}
    config = {"resources": {name: {"config": block} for name, block in blocks.items()}}
    with dg.DagsterInstance.ephemeral() as instance:
        for job in ("test_catalog_job", "test_selection_job"):
            done = definitions.resolve_job_def(job).execute_in_process(
                run_config=config if "selection" in job else None, instance=instance
            )
            assert done.success
        manifest = json.loads(dataset.lightly.read(run_path(done.run_id, "manifest.json")))
        assert [(i["video"], i["frame_index"]) for i in manifest["images"]] == wanted
        assert tables(dataset) == before
        dataset.lightly.write(FILE, b"names,embedding_0\n")
        with pytest.raises(dg.Failure, match="no column filenames"):
            definitions.resolve_job_def("test_videos_job").execute_in_process(
                run_config=config, instance=instance, partition_key="a.mp4"
            )


@pytest.mark.parametrize("s3_server", ["moto"], indirect=True)
def test_one_file_serves_datasets_in_buckets(
    s3_server: str, prepared_folder: Path, tmp_path: Path
) -> None:
    from lightly_pipeline import S3Datasource
    from lightly_pipeline_tests.support.s3_servers import emptied_bucket

    emptied_bucket(s3_server, "vectors")
    local = local_dataset(prepared_folder)
    put_vectors(local, vectors())
    wanted = chosen(run(local, OWN, selection_config=selection(4)))
    remote = Dataset(
        "test",
        input=LocalDatasource(prepared_folder / "in"),
        lightly=S3Datasource("s3://vectors/lightly/"),
    )
    remote.lightly.write(FILE, local.lightly.read(FILE))
    for written in (FILE, f"s3://vectors/lightly/{FILE}"):
        assert chosen(run(remote, {"embeddings": written}, selection_config=selection(4))) == wanted


def test_scores_of_a_model_weigh_beside_its_vectors(dataset: Dataset) -> None:
    put_vectors(dataset, vectors())
    schema = [
        {"name": "s", "path": "s", "valueDataType": "NUMERIC_FLOAT", "defaultValue": 0.0},
    ]
    put(dataset.lightly, "metadata/schema.json", schema)
    put(dataset.lightly, f"metadata/{frame_file('a.mp4', 7)}.json", {"metadata": {"s": 5.0}})
    weigh = strategy("WEIGHTS", {"type": "METADATA", "key": "s"})
    result = run(dataset, OWN, selection_config=selection(1, weigh))
    assert chosen(result) == [("a.mp4", 7)]


@pytest.mark.parametrize("name", ["h264.mp4", "mjpeg.avi", "vp9.webm", "prores.mov"])
def test_tables_without_an_encoder_hold_the_same_frames(
    fixture_videos: VideoFolder, tmp_path: Path, name: str
) -> None:
    path = fixture_videos[name]
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 400):
        content[place] ^= 0x55
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(path.read_bytes())
    (tmp_path / "in" / f"damaged.{name}").write_bytes(content)
    source = LocalDatasource(tmp_path / "in")
    found = []
    for number, spec in enumerate((encoder_spec(), NO_ENCODER)):
        encoder = load_encoder(spec)
        store = LocalDatasource(tmp_path / str(number))
        builder = TableBuilder(source, store, lambda made=encoder: made, "id", "ffmpeg")
        videos = list(source.list())
        meter = ProgressMeter().begin("decode", "frames", sizes=[1, 1])
        outcomes = []
        for video in videos:
            with meter.item(video.path, 1) as item:
                made = asdict(builder.build(video, item))
            outcomes.append(
                {k: v for k, v in made.items() if k not in ("seconds", "dim", "n_embedded")}
            )
        tables = [
            store.read(f"{builder.table(video).folder}/frames.parquet")
            for video, made in zip(videos, outcomes, strict=True)
            if not made["corrupt_reason"]
        ]
        found.append((outcomes, tables))
    assert found[0] == found[1]
    assert found[0][1]
