"""The commands about results: which run they take, what they open and print."""

import hashlib
import json
import shutil
from pathlib import Path
from urllib.request import urlopen

import pytest

from lightly_pipeline import run
from lightly_pipeline.cli import main
from lightly_pipeline_tests.support.s3_servers import emptied_bucket
from lightly_pipeline_tests.support.selections import local_dataset

pytestmark = pytest.mark.slow
REPORT = "<html>report of {}</html>"


@pytest.fixture
def results(
    prepared_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[str]]:
    """The folder of two runs' results with a report each, and their ids; from an empty folder."""
    shutil.copytree(prepared_dataset, tmp_path / "data", copy_function=shutil.copy2)
    dataset = local_dataset(tmp_path / "data")
    ids = [
        run(dataset, selection_config={"n_samples": n}, run_id=run_id).run_id
        for n, run_id in ((2, "b0b0-first"), (3, "a1a1-second"))
    ]
    for run_id in ids:
        path = f".lightly/runs/{run_id}/report.html"
        dataset.lightly.write(path, REPORT.format(run_id).encode())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LIGHTLY_PIPELINE_DATASETS", raising=False)
    return tmp_path / "data" / "out", ids


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that a browser was asked to open; there is a display."""
    urls: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda url: urls.append(url) or True)
    return urls


def test_show_opens_the_latest_run_of_a_folder_or_the_one_that_is_named(
    results: tuple[Path, list[str]], opened: list[str]
) -> None:
    out, (first, second) = results
    assert main(["show", str(out)]) == 0
    assert main(["show", "--lightly", str(out)]) == 0
    assert main(["show", first[:4], "--lightly", str(out)]) == 0
    runs = out / ".lightly" / "runs"
    urls = [(runs / run_id / "report.html").as_uri() for run_id in (second, second, first)]
    assert opened == urls


def test_show_opens_the_page_of_all_runs(
    results: tuple[Path, list[str]], opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out, (first, _) = results
    page = out / ".lightly" / "runs" / "index.html"
    page.write_text("all runs")
    assert main(["show", str(out), "--runs"]) == 0
    assert opened == [page.as_uri()]
    # It is not taken for a run.
    assert main(["show", "index", "--lightly", str(out)]) == 1
    assert "known are" in capsys.readouterr().err
    assert main(["show", first, "--lightly", str(out)]) == 0


def test_show_looks_in_the_working_folder_and_in_declared_datasets(
    results: tuple[Path, list[str]],
    opened: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, (first, second) = results
    assert main(["show"]) == 1
    assert "--lightly FOLDER" in capsys.readouterr().err
    declared = {"datasets": {"a": {"input": str(out.parent / "in"), "lightly": str(out)}}}
    (tmp_path / "datasets.yaml").write_text(json.dumps(declared))
    monkeypatch.setenv("LIGHTLY_PIPELINE_DATASETS", str(tmp_path / "datasets.yaml"))
    assert main(["show", first]) == 0
    monkeypatch.delenv("LIGHTLY_PIPELINE_DATASETS")
    monkeypatch.chdir(out)
    assert main(["show"]) == 0
    assert [Path(url).parent.name for url in opened] == [first, second]


def test_show_prints_the_place_where_there_is_no_display_or_it_is_asked_to(
    results: tuple[Path, list[str]],
    opened: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, (_, second) = results
    place = f"{out}/.lightly/runs/{second}/report.html\n"
    assert main(["show", str(out), "--print"]) == 0
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert main(["show", str(out)]) == 0
    assert capsys.readouterr().out == place * 2
    assert opened == []


def test_a_run_without_report_says_how_to_get_one(
    results: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, (first, second) = results
    (out / ".lightly" / "runs" / second / "report.html").unlink()
    assert main(["show", str(out)]) == 1
    message = capsys.readouterr().err
    assert f"run {second} has no report" in message
    assert "upload_report" in message
    assert main(["show", "c3", "--lightly", str(out)]) == 1
    assert f"known are {second}, {first}" in capsys.readouterr().err


def test_a_report_in_a_bucket_is_copied_to_be_opened(
    results: tuple[Path, list[str]], opened: list[str], s3_server: str
) -> None:
    out, (_, second) = results
    bucket = emptied_bucket(s3_server, "reports")
    for file in (out / ".lightly").rglob("*.*"):
        if "tables" not in file.parts:
            bucket.upload_file(str(file), f"lightly/{file.relative_to(out)}")
    assert main(["show", "s3://reports/lightly/"]) == 0
    (url,) = opened
    assert Path(url.removeprefix("file://")).read_text() == REPORT.format(second)


def test_export_writes_beside_the_person_and_says_what(
    results: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, (first, _) = results
    assert main(["export", "--to", "coco", "--lightly", str(out)]) == 0
    assert (Path("coco-a1a1-sec") / "annotations" / "images.json").exists()
    assert "3 frames of run a1a1-second for coco" in capsys.readouterr().out
    assert main(["export", first, "--to", "csv", "--lightly", str(out), "--out", "table"]) == 0
    assert Path("table/frames.csv").read_text().count("\n") == 3
    assert main(["export", first, "--to", "csv", "--lightly", str(out), "--out", str(out)]) == 1
    assert "holds something else" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["export", "--to", "word"])
    assert ended.value.code == 2


def test_export_from_bucket_to_bucket(
    results: tuple[Path, list[str]], s3_server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, (_, second) = results
    bucket = emptied_bucket(s3_server, "reports")
    for file in (out / ".lightly").rglob("*.*"):
        if "tables" not in file.parts:
            bucket.upload_file(str(file), f"lightly/{file.relative_to(out)}")
    places = ["--lightly", "s3://reports/lightly/", "--out", "s3://reports/labels/"]
    assert main(["export", "--to", "label-studio", *places]) == 0
    tasks = json.loads(bucket.Object("labels/tasks.json").get()["Body"].read())
    manifest = json.loads((out / ".lightly" / "runs" / second / "manifest.json").read_text())
    assert [task["data"]["image"] for task in tasks] == [
        f"s3://reports/lightly/{image['image']}" for image in manifest["images"]
    ]
    again = ["--lightly", "s3://reports/lightly/", "--out", "s3://reports/signed/"]
    assert main(["export", "--to", "csv", "--signed-urls", *again]) == 0
    table = bucket.Object("signed/frames.csv").get()["Body"].read().decode()
    assert "Signature=" in table
    # With the URLs go names and places; whoever has one reads the image without credentials.
    urls = ["--lightly", "s3://reports/lightly/", "--out", "s3://reports/urls/"]
    assert main(["export", "--to", "read-urls", *urls]) == 0
    rows = json.loads(bucket.Object("urls/filenames_and_read_urls.json").get()["Body"].read())
    for row, image in zip(rows, manifest["images"], strict=True):
        assert row["datasourceUrl"] == f"s3://reports/lightly/{image['image']}"
        assert image["image"].endswith(row["fileName"])
        with urlopen(row["readUrl"]) as answer:
            assert hashlib.sha256(answer.read()).hexdigest() == image["sha256"]
