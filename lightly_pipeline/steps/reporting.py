"""Last step: the report of a run whose images are stored.

Everything that others depend on is written before: what goes wrong in a report costs the report and
nothing else. What it says is in `report`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lightly_pipeline.datasources.retries import described_retries
from lightly_pipeline.layout import REPORT_FILE, run_path
from lightly_pipeline.logs import fields, logger_of
from lightly_pipeline.runs.result import RunResult
from lightly_pipeline.steps.failures import warning_instead
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.steps.uploading import UploadedRun
from lightly_pipeline.telemetry import metrics

if TYPE_CHECKING:
    from lightly_pipeline.report.gather.material import ChoiceNumbers
    from lightly_pipeline.report.numbers import Report

_logger = logger_of(__name__)
_PDF, _JSON = "report.pdf", "report_v2.json"


def report_run(
    run: Run,
    uploaded: UploadedRun,
    seconds: Mapping[str, float] | None = None,
    *,
    n_decoded_frames: int = 0,
) -> RunResult:
    """Writes the report of a run, unless `upload_report` is off.

    Args:
        run: The run.
        uploaded: What was stored of it.
        seconds: Wall time by step, as far as it is known.
        n_decoded_frames: Frames that were decoded and embedded in this run.

    Returns:
        The run's result, with the location of the page where there is one.

    Raises:
        DatasourceError: The store failed; the images are there, and running again resumes.
    """
    if uploaded.choice is None:
        return uploaded.result
    files: dict[str, bytes] = {}
    with warning_instead("the report"):
        report = report_of(run, uploaded, seconds or {}, n_decoded_frames)
        renderers = _renderers()
        meter = run.progress.begin("report", "files", total=len(renderers))
        for name, render in renderers.items():
            with warning_instead(name), meter.item(name):
                files[name] = render(report)
            meter.add(1)
    meter = run.progress.begin("upload_report", "files", total=len(files))
    for name, content in files.items():
        run.dataset.lightly.write(run_path(run.run_id, name), content)
        meter.add(1)
    if REPORT_FILE not in files:
        return uploaded.result
    from lightly_pipeline.report.history import write_history

    with warning_instead("the page of the dataset's runs"):
        write_history(run.dataset.lightly)
    page = run.dataset.lightly.location(run_path(run.run_id, REPORT_FILE))
    _logger.info("report: %s", page)
    return replace(uploaded.result, report=page, coverage=_coverage(uploaded.choice))


def log_result(result: RunResult) -> None:
    """Says in the log, and to who counts, what a run did; its last line."""
    metrics.count("frames", result.n_selected, stage="selected")
    metrics.count("last_success", time.time())
    repeated = described_retries(result.retries, result.waited_s)
    noun = result.kind
    _logger.info(
        "run %s: %d images of %d %ss, %d corrupt, %d left out%s",
        result.run_id,
        result.n_selected,
        result.n_input_videos,
        noun,
        len(result.corrupt_videos),
        len(result.failed_videos),
        f"; {repeated}" if repeated else "",
        extra=fields(
            outcome="done",
            videos=result.n_input_videos,
            decoded_videos=result.n_decoded_videos,
            corrupt_videos=len(result.corrupt_videos),
            failed_videos=len(result.failed_videos),
            damaged_frames=result.n_damaged_frames,
            frames=result.n_input_frames,
            selected_frames=result.n_selected,
            missing_frames=len(result.missing_frames),
            seconds=result.seconds.get("total"),
            requests=result.requests,
            bytes_read=result.bytes_read,
            retries=sum(result.retries.values()),
            retry_causes=result.retries or None,
            waited_s=result.waited_s,
        ),
    )


def _coverage(choice: "ChoiceNumbers") -> dict[str, dict[str, float]]:
    """Returns how well all frames of each choice cover the candidates."""
    return {
        curve.name: {"median": float(curve.median[-1]), "largest": float(curve.largest[-1])}
        for curve in choice.coverage
    }


def report_of(
    run: Run, uploaded: UploadedRun, seconds: Mapping[str, float], n_decoded_frames: int
) -> "Report":
    """Returns the report of a run.

    Args:
        run: The run.
        uploaded: What was stored of it, with what was found of its choice.
        seconds: Wall time by step, as far as it is known.
        n_decoded_frames: Frames that were decoded and embedded in this run.
    """
    from lightly_pipeline.report.gather.whole import Stored, whole_report

    assert uploaded.choice is not None
    stored = Stored(
        uploaded.record,
        uploaded.images,
        uploaded.previews,
        uploaded.result.corrupt_samples,
        uploaded.missing,
    )
    return whole_report(run.dataset, uploaded.choice, stored, seconds, n_decoded_frames)


def _renderers() -> "dict[str, Callable[[Report], bytes]]":
    """Returns what makes each file of a report."""
    from lightly_pipeline.report.html import render as page_of
    from lightly_pipeline.report.json import render as json_of
    from lightly_pipeline.report.pdf import render as pdf_of

    return {
        _JSON: json_of,
        _PDF: pdf_of,
        REPORT_FILE: lambda report: page_of(report).encode("utf-8", "backslashreplace"),
    }
