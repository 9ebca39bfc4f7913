"""The parts of the printed report, in their order: each writes what it has, or nothing."""

import json
from collections import Counter
from collections.abc import Callable

import numpy as np

from lightly_pipeline.report.figures import balance, coverage, distances, histogram
from lightly_pipeline.report.figures.chart import BarChart, number
from lightly_pipeline.report.figures.embedding_map import map_picture
from lightly_pipeline.report.figures.timeline import TimelinePicture, timeline_picture
from lightly_pipeline.report.numbers import ChosenPicture, Preview, Report, Twin
from lightly_pipeline.report.pdf.charts import (
    ALERT,
    COLOURS,
    MUTED,
    RULED,
    Box,
    draw_bars,
    draw_lines,
)
from lightly_pipeline.report.pdf.document import fitted
from lightly_pipeline.report.pdf.flow import Flow

_MAX_FRAMES, _MAX_TIMELINES, _MAX_PROBLEMS = 60, 400, 200


def _summary(flow: Flow, report: Report) -> None:
    facts, sizes = report.facts, report.sizes
    box = flow.room(30)
    flow.page.text((box.x, box.y + 10), fitted(facts.dataset, 18, box.width), 18, bold=True)
    flow.paragraph(f"Run {facts.run_id}, {facts.created}", muted=True)
    flow.room(8)
    listed, seen = ("Images", "Images seen") if facts.of_images else ("Videos", "Frames seen")
    counts = {
        listed: f"{sizes.n_input_videos:,}; {sizes.n_corrupt_videos:,} broken, "
        f"{sizes.n_failed_videos:,} left out",
        seen: f"{sizes.n_input_frames:,}",
        "Damaged frames": f"{sizes.n_damaged_frames:,}",
        "Copies": f"{sizes.n_duplicates:,}",
        "Removed by thresholds": f"{sizes.n_removed_by_threshold:,}",
        "Candidates": f"{sizes.n_candidates:,}",
        "Chosen before": f"{sizes.n_preselected:,}",
        "Chosen": f"{sizes.n_selected:,}; {sizes.n_replaced:,} replaced, "
        f"{sizes.n_missing:,} not stored",
    }
    flow.table(counts.items(), (0.3, 0.7))
    flow.heading("Time")
    flow.table(
        [
            (name.replace("_", " "), f"{s:,.1f} s", _rate(report, name))
            for name, s in _steps(report)
        ],
        (0.3, 0.2, 0.5),
    )


def _steps(report: Report) -> list[tuple[str, float]]:
    return list(report.facts.seconds.items())


def _rate(report: Report, step: str) -> str:
    rate = report.facts.rates.get(step)
    unit = report.facts.rate_units.get(step, "")
    return "" if rate is None else f"{number(round(rate, 1))} {unit}/s"


def _coverage(flow: Flow, report: Report) -> None:
    if not report.coverage:
        return
    flow.heading("What the choice buys", 200)
    for text in coverage.takeaways(report.coverage):
        flow.paragraph(text)
    charts = [coverage.largest_chart(report.coverage), coverage.median_chart(report.coverage)]
    flow.room(6)
    flow.grid(charts, 2, 190, lambda box, chart: draw_lines(flow.page, box, chart))


def _map(flow: Flow, report: Report) -> None:
    if report.map is None:
        return
    picture = map_picture(report.map)
    flow.heading("Embedding map", 420)
    flow.paragraph(f"{picture.description} Grey: density; blue: chosen.", muted=True)
    box = flow.room(400)
    left, right, bottom, top = picture.extent
    # Distances on paper are those of the map, in both directions.
    scale = min(box.width / ((right - left) or 1), (box.height - 16) / ((top - bottom) or 1))
    width, height = (right - left) * scale, (top - bottom) * scale
    x, y = box.x + (box.width - width) / 2, box.y + 14
    shade = 255 - (np.flipud(picture.shade) * 0.6).astype(np.uint8)
    shown = flow.document.grey(shade.tobytes(), shade.shape[1], shade.shape[0])
    flow.page.picture(shown, x, y, width, height)
    places = (picture.chosen - (left, bottom)) * scale + (x, y)
    dots = [(float(a), float(b)) for a, b in places]
    flow.page.dots(dots, 4.4, (1, 1, 1))
    flow.page.dots(dots, 3.2, COLOURS["choice"])
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    flow.page.line(corners, RULED)
    labels = f"across: {picture.x_label}; up: {picture.y_label}"
    flow.page.text((box.x + box.width / 2, box.y + 2), labels, 7, colour=MUTED, align=0.5)


def _frames(flow: Flow, report: Report) -> None:
    shown = report.chosen[:_MAX_FRAMES]
    if not shown:
        return
    flow.heading("Chosen frames", 110)
    if len(report.chosen) > len(shown):
        text = f"The first {len(shown)} of {len(report.chosen):,}; the page has them all."
        flow.paragraph(text, muted=True)
    of_images = report.facts.of_images
    flow.grid(shown, 5, 96, lambda box, frame: _frame(flow, box, frame, of_images=of_images))


def _frame(flow: Flow, box: Box, frame: ChosenPicture, *, of_images: bool) -> None:
    _picture(flow, Box(box.x, box.y + 28, box.width, box.height - 30), frame.preview)
    to = "" if frame.distance is None else f", {number(frame.distance)} away"
    at = f"frame {frame.frame_index}" if frame.time_s is None else f"{frame.time_s:,.2f} s"
    lines = (f"#{frame.rank + 1}{to}", frame.video, "" if of_images else at)
    for i, line in enumerate(lines):
        place = (box.x, box.y + 20 - 8.5 * i)
        flow.page.text(place, fitted(line, 7, box.width), 7, bold=i == 0)


def _picture(flow: Flow, box: Box, preview: Preview | None) -> None:
    """Shows a picture as large as it fits, or an empty box."""
    if preview is None or preview.media_type != "image/jpeg":
        flow.page.box(box.x, box.y, box.width, box.height, RULED)
        return
    scale = min(box.width / preview.width, box.height / preview.height)
    width, height = preview.width * scale, preview.height * scale
    shown = flow.document.jpeg(preview.content, preview.width, preview.height)
    flow.page.picture(shown, box.x + (box.width - width) / 2, box.y, width, height)


def _twins(flow: Flow, report: Report) -> None:
    if not report.twins:
        return
    by_rank = {frame.rank: frame for frame in report.chosen}
    flow.heading("Near twins", 130)
    flow.paragraph("Left out (left), and the choice that stands for it (right).", muted=True)
    flow.grid(report.twins, 2, 122, lambda box, twin: _twin(flow, box, twin, by_rank))


def _twin(flow: Flow, box: Box, twin: Twin, by_rank: dict[int, ChosenPicture]) -> None:
    chosen = by_rank.get(twin.rank)
    half = (box.width - 6) / 2
    for i, preview in enumerate((twin.preview, chosen.preview if chosen else None)):
        side = Box(box.x + i * (half + 6), box.y + 26, half, box.height - 28)
        _picture(flow, side, preview)
    title = f"{twin.kind}: distance {number(twin.distance)}, choice #{twin.rank + 1}"
    flow.page.text((box.x, box.y + 16), title, 7.5, bold=True)
    text = fitted(f"{twin.video}, frame {twin.frame_index}", 7, box.width)
    flow.page.text((box.x, box.y + 7), text, 7)


def _bars(flow: Flow, title: str, charts: list[BarChart]) -> None:
    if not charts:
        return
    flow.heading(title, 150)
    flow.grid(charts, 2, 160, lambda box, chart: draw_bars(flow.page, box, chart))


def _distributions(flow: Flow, report: Report) -> None:
    _bars(flow, "Balance", [balance.balance_chart(item) for item in report.balances])
    charts = [histogram.histogram_chart(item) for item in report.histograms]
    _bars(flow, "Pool and choice", charts)
    _bars(flow, "Distances", [distances.distances_chart(item) for item in report.distances])
    for item in report.distances:
        flow.paragraph(distances.distances_chart(item).description, 8, muted=True)


def _timelines(flow: Flow, report: Report) -> None:
    chosen = {frame.rank: frame for frame in report.chosen}
    ordered = sorted(report.timelines, key=lambda t: -len(t.chosen))
    if not ordered:
        return
    flow.heading("Timelines")
    for timeline in ordered[:_MAX_TIMELINES]:
        _timeline(flow, timeline_picture(timeline, chosen))
    if len(ordered) > _MAX_TIMELINES:
        n_left = len(ordered) - _MAX_TIMELINES
        flow.paragraph(f"{n_left:,} videos more, with fewer chosen frames: see the page.")


def _timeline(flow: Flow, picture: TimelinePicture) -> None:
    box = flow.room(27)
    flow.page.text((box.x, box.y + 17), fitted(picture.video, 7.5, box.width * 0.5), 7.5)
    said = fitted(picture.description, 7, box.width * 0.48)
    flow.page.text((box.x + box.width, box.y + 17), said, 7, colour=MUTED, align=1)
    flow.page.box(box.x, box.y + 4, box.width, 10, (0.93, 0.94, 0.95))
    spans = [(s, COLOURS["pool"], 10) for s in picture.left_out]
    spans += [(s, ALERT, 5) for s in picture.damaged]
    for (start, end), colour, height in spans:
        width = max((end - start) * box.width, 0.8)
        flow.page.box(box.x + start * box.width, box.y + 4, width, height, colour)
    for _, place in picture.chosen:
        flow.page.box(box.x + place * (box.width - 1.5), box.y + 4, 1.5, 10, COLOURS["choice"])


def _problems(flow: Flow, report: Report) -> None:
    if not report.problems:
        return
    flow.heading("Problems")
    counts = Counter(problem.kind for problem in report.problems)
    flow.paragraph(", ".join(f"{kind}: {n:,}" for kind, n in counts.items()))
    for problem in report.problems[:_MAX_PROBLEMS]:
        flow.paragraph(f"{problem.place}: {problem.reason}", 8)
    if len(report.problems) > _MAX_PROBLEMS:
        flow.paragraph(f"{len(report.problems) - _MAX_PROBLEMS:,} more: see the page.", 8)


def _repeat(flow: Flow, report: Report) -> None:
    flow.heading("Repeat this run")
    flow.table([*report.facts.versions.items()], (0.3, 0.7))
    flow.room(8)
    for line in json.dumps(report.facts.config, indent=1, default=str).splitlines():
        indent = len(line) - len(line.lstrip())
        box = flow.room(10)
        flow.page.text((box.x + 6 * indent, box.y + 2), fitted(line.strip(), 7.5, box.width), 7.5)


ALL: tuple[Callable[[Flow, Report], None], ...] = (
    _summary,
    _coverage,
    _map,
    _frames,
    _twins,
    _distributions,
    _timelines,
    _problems,
    _repeat,
)
