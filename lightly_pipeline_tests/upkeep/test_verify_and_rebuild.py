"""Damage of every kind is named, and what can be made again is as it was."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lightly_pipeline import Dataset, run
from lightly_pipeline.cli import main
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.layout import table_folder
from lightly_pipeline.runs.datapool import read_datapool
from lightly_pipeline.runs.tags import list_tags
from lightly_pipeline.steps.setup import Run, resolve_config
from lightly_pipeline.upkeep.checking import check_documents, check_tables
from lightly_pipeline.upkeep.mending import rebuild_store
from lightly_pipeline_tests.support.pictures import image_dataset, put_images
from lightly_pipeline_tests.support.selections import local_dataset
from lightly_pipeline_tests.upkeep.trees import tree

pytestmark = pytest.mark.slow
N = {"n_samples": 3}
POOL = {"use_datapool": True, "datasource": {"process_all": True}}


@pytest.fixture
def dataset(prepared_folder: Path) -> Dataset:
    made = local_dataset(prepared_folder)
    for run_id in ("a", "b"):
        run(made, POOL, selection_config=N, run_id=run_id)
    run(made, selection_config=N, run_id="c")
    return made


def lightly(dataset: Dataset) -> Path:
    return Path(dataset.lightly.describe())


def table(dataset: Dataset, video: str = "a.mp4") -> Path:
    table_id = Run(dataset, resolve_config(dataset), "any").table_id
    return lightly(dataset) / table_folder(table_id, video)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-50])


def test_what_is_whole_is_said_to_be_and_left_alone(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    place = dataset.lightly.describe()
    before = tree(dataset.lightly)
    assert main(["verify", "--lightly", place]) == 0
    printed = capsys.readouterr().out
    assert "3 tables are whole, 0 are not, 0 were only begun; 0 are of another version" in printed
    assert "3 of 3 runs are as they were" in printed
    assert main(["rebuild", "--lightly", place]) == 0
    assert "0 documents made again, 0 damaged tables" in capsys.readouterr().out
    assert tree(dataset.lightly) == before
    video = dataset.input.root / "a.mp4"  # type: ignore[attr-defined]
    video.write_bytes(video.read_bytes() + b"\0")
    (table(dataset, "sub/b.mp4") / "outcome.json").unlink()
    run(dataset, pipeline_config={"frame_sampling": {"every_nth": 4}}, selection_config=N)
    found = check_tables(dataset.lightly)
    assert (found.n_tables, found.n_begun, found.n_outdated) == (5, 1, 1)
    assert found.faults == []


@pytest.mark.parametrize(
    ("damage", "file", "problem"),
    [
        (cut, "embeddings.npy", "bytes"),
        (cut, "frames.parquet", "is no Parquet file"),
        (Path.unlink, "embeddings.npy", "is missing"),
        (Path.unlink, "frames.parquet", "is missing"),
        (lambda f: f.write_bytes(b"x" * f.stat().st_size), "embeddings.npy", "is not the array"),
    ],
)
def test_a_damaged_table_is_named_and_made_again(
    dataset: Dataset, damage: Callable[[Path], object], file: str, problem: str
) -> None:
    first = run(dataset, selection_config=N, run_id="d")
    whole = (table(dataset) / file).read_bytes()
    damage(table(dataset) / file)
    found = check_tables(dataset.lightly)
    (fault,) = found.faults
    assert fault.path.endswith(f"/{file}")
    assert problem in fault.problem
    assert "rebuild" in fault.next
    assert found.n_tables == 2
    # What verify says of the next run is true.
    with pytest.raises(DatasourceError, match=file):
        run(dataset, selection_config=N, run_id="e")
    result = rebuild_store(dataset.lightly)
    assert len(result.voided) == 1
    again = run(dataset, selection_config=N, run_id="f")
    assert again.n_decoded_videos == 1
    assert again.selected == first.selected
    assert (table(dataset) / file).read_bytes() == whole


def test_a_damaged_outcome_is_made_again_by_the_next_run(dataset: Dataset) -> None:
    cut(table(dataset) / "outcome.json")
    (fault,) = check_tables(dataset.lightly).faults
    assert "the next run decodes the video again" in fault.next
    assert run(dataset, selection_config=N).n_decoded_videos == 1
    assert check_tables(dataset.lightly).faults == []


@pytest.mark.parametrize("damage", [cut, Path.unlink])
@pytest.mark.parametrize("which", [["initial-tag"], ["tag-0002"], ["initial-tag", "tag-0003"]])
def test_lost_tags_are_made_again_under_their_names(
    dataset: Dataset, which: list[str], damage: Callable[[Path], object]
) -> None:
    before = list_tags(dataset.lightly)
    for name in which:
        damage(lightly(dataset) / f".lightly/tags/{name}.json")
    if damage is cut:
        assert {f.path for f in check_documents(dataset.lightly)} == {
            f".lightly/tags/{name}.json" for name in which
        }
    result = rebuild_store(dataset.lightly)
    assert sorted(result.made) == sorted(f".lightly/tags/{name}.json" for name in which)
    after = list_tags(dataset.lightly)
    for tag, was in zip(after, before, strict=True):
        assert (tag.name, tag.parent, tag.chosen) == (was.name, was.parent, was.chosen)


def test_all_tags_and_the_datapool_can_be_lost(dataset: Dataset) -> None:
    before, pool = list_tags(dataset.lightly), read_datapool(dataset.lightly)
    shutil.rmtree(lightly(dataset) / ".lightly/tags")
    shutil.rmtree(lightly(dataset) / ".lightly/datapool")
    result = rebuild_store(dataset.lightly)
    assert len(result.made) == 5
    assert result.notes == ()
    assert [(t.name, t.chosen) for t in list_tags(dataset.lightly)] == [
        (t.name, t.chosen) for t in before
    ]
    assert read_datapool(dataset.lightly) == pool


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_a_lost_entry_of_the_datapool_is_made_again(
    dataset: Dataset, damage: Callable[[Path], object]
) -> None:
    pool = read_datapool(dataset.lightly)
    damage(lightly(dataset) / ".lightly/datapool/00000001.json")
    (fault,) = check_documents(dataset.lightly)
    assert "rebuild" in fault.next
    rebuild_store(dataset.lightly)
    assert read_datapool(dataset.lightly) == pool
    assert run(dataset, POOL, selection_config=N).n_selected == 3


def test_what_cannot_be_made_again_is_said(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lightly(dataset) / ".lightly"
    (folder / "datapool/00000002.json").unlink()
    (folder / "runs/b/selection.json").write_text("{")
    (folder / "runs/a/embeddings.npy").unlink()
    place = dataset.lightly.describe()
    assert main(["verify", "--lightly", place, "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert {fault["path"].removeprefix(".lightly/") for fault in printed["faults"]} == {
        "runs/b/selection.json",
        "runs/a/embeddings.npy",
    }
    assert main(["rebuild", "--lightly", place]) == 1
    assert "00000002.json cannot be made again" in capsys.readouterr().out


def test_the_shards_of_an_image_dataset_are_found_again(tmp_path: Path) -> None:
    dataset = image_dataset(tmp_path)
    put_images(tmp_path / "in", 12)
    run(dataset, selection_config=N)
    put_images(tmp_path / "in", 8, first=12)
    run(dataset, selection_config=N)
    (tmp_path / "out/.lightly/tables/catalog.json").write_text("")
    assert len(check_documents(dataset.lightly)) == 1
    assert rebuild_store(dataset.lightly).made == (".lightly/tables/catalog.json",)
    assert run(dataset, selection_config=N).n_decoded_videos == 0
