"""Page, PDF and JSON say the same of a run, and are files that others read."""

import io
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader

from lightly_pipeline.report import html, numbers, pdf
from lightly_pipeline.report import json as report_json
from lightly_pipeline_tests.support.reports import made_report


@pytest.fixture(scope="module")
def report() -> numbers.Report:
    return made_report(9, 40, 60)


def of_page(report: numbers.Report) -> dict[str, Any]:
    """Returns the values that the page shows."""
    page = html.render(report)
    page.encode()
    start = page.index('id="data">') + len('id="data">')
    found: dict[str, Any] = json.loads(page[start : page.index("</script>", start)])
    return found


def of_pdf(report: numbers.Report) -> str:
    reader = PdfReader(io.BytesIO(pdf.render(report)), strict=True)
    return "\n".join(page.extract_text() for page in reader.pages)


def test_counts_agree(report: numbers.Report) -> None:
    page, text = of_page(report), of_pdf(report)
    sizes = json.loads(report_json.render(report))["generalInformation"]["datasetInformation"]
    assert page["sizes"]["n_selected"] == sizes["datasetSizes"]["nSelected"] == 60
    assert page["sizes"]["n_input_frames"] == sizes["datasetSizes"]["nInput"] == 420
    assert page["sizes"]["n_damaged_frames"] == sizes["datasetSizes"]["nCorrupt"] == 12
    assert page["sizes"]["n_corrupt_videos"] == sizes["videoLevelSizes"]["nCorrupt"] == 1
    for name, said in (
        ("Frames seen", "420"),
        ("Damaged frames", "12"),
        ("Chosen", "60; 1 replaced, 0 not stored"),
        ("Videos", "11; 1 broken, 1 left out"),
    ):
        assert re.search(rf"^{name}\s*{said}$", text, re.MULTILINE)


def test_distances_and_histograms_agree(report: numbers.Report) -> None:
    page, text = of_page(report), of_pdf(report)
    for made, chart in zip(report.distances, page["distances"], strict=True):
        assert chart["bars"][0]["heights"] == made.counts.tolist()
        assert chart["edges"] == made.edges.tolist()
        assert chart["description"] in " ".join(text.split())
    for made, chart in zip(report.histograms, page["histograms"], strict=True):
        assert [bars["counts"] for bars in chart["bars"]] == [
            made.pool.tolist(),
            made.chosen.tolist(),
        ]
    for sentence in page["takeaways"]:
        assert sentence in " ".join(text.split())


def test_every_chosen_frame_and_near_twin_is_on_the_page(report: numbers.Report) -> None:
    page = of_page(report)
    assert [(f["video"], f["frame"], f["time"]) for f in page["chosen"]] == [
        (f.video, f.frame_index, f.time_s) for f in report.chosen
    ]
    examples = json.loads(report_json.render(report))["generalInformation"]
    pairs = examples["selectedAndRemovedImageExamples"]
    assert [twin["distance"] for twin in page["twins"]] == [pair["distance"] for pair in pairs]


def test_the_same_report_gives_the_same_files(report: numbers.Report) -> None:
    assert html.render(report) == html.render(report)
    assert pdf.render(report) == pdf.render(report)


def test_a_pdf_holds_any_name_and_any_page_of_it_can_be_read() -> None:
    names = ("day 1/日本語.mp4", "(unbalanced\\ (brackets.mp4", "not text \udcff.mp4", "ümlaut.mp4")
    report = made_report(videos=names, per_video=30, n_chosen=20)
    facts = replace(report.facts, dataset="a " * 200, config={"key": [float("inf"), "\udcff"]})
    text = of_pdf(replace(report, facts=facts))
    assert "(unbalanced\\ (brackets.mp4" in text
    assert "ümlaut.mp4" in text
    assert "\\u65e5\\u672c\\u8a9e" in text
    assert "not text \\udcff.mp4" in text


def test_pictures_in_a_pdf_are_the_previews_themselves() -> None:
    report = made_report(n_chosen=5)
    reader = PdfReader(io.BytesIO(pdf.render(report)))
    pictures = [page["/Resources"]["/XObject"] for page in reader.pages]
    streams = {item.get_object().get_data() for named in pictures for item in named.values()}
    assert {frame.preview.content for frame in report.chosen if frame.preview} <= streams


@pytest.mark.parametrize(
    "changes",
    [
        {"chosen": (), "coverage": (), "twins": (), "timelines": (), "map": None},
        {"problems": (), "balances": (), "histograms": (), "distances": ()},
    ],
)
def test_parts_that_a_run_has_not_are_left_out(changes: dict[str, Any]) -> None:
    report = made_report(**changes)
    assert "Repeat this run" in of_pdf(report)
    of_page(report)


def test_the_page_of_500_frames_and_1000_videos_stays_under_ten_megabytes() -> None:
    report = made_report(9, 40, 60)
    frames = [report.chosen[rank % 60] for rank in range(500)]
    chosen = tuple(
        replace(f, rank=rank, preview=_heavy(f.preview)) for rank, f in enumerate(frames)
    )
    lines = tuple(
        replace(report.timelines[i % 9], video=f"day {i}/camera-{i:04}.mp4", damaged=((1, 2),) * 9)
        for i in range(1000)
    )
    n = 200_000
    xy = np.random.default_rng(1).normal(size=(n, 2)).astype(np.float32)
    assert report.map is not None
    points = replace(
        report.map,
        points=xy,
        point_video=np.arange(n, dtype=np.int32) % 1000,
        point_time_s=np.arange(n) / 25,
        point_frame=np.arange(n),
        density=np.full((256, 256), 900),
    )
    page = html.render(replace(report, chosen=chosen, timelines=lines, map=points))
    assert sum(len(f.preview.content) for f in chosen if f.preview) >= 5_000_000
    assert len(page.encode()) < 10_000_000


def _heavy(preview: numbers.Preview | None) -> numbers.Preview:
    """Returns a picture of 10 kB: what follows its end is ignored by who reads it."""
    assert preview is not None
    return replace(preview, content=preview.content.ljust(10_000, b"\0"))
