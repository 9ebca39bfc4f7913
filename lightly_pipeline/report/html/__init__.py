"""The report as one HTML file that asks nothing of any network.

`payload` turns a report into plain values, `page` puts values, style, scripts and the plotting
library into one file. What is seen is in `assets/`: one script per section of the page.
"""

from lightly_pipeline.report.html.page import run_page
from lightly_pipeline.report.html.payload import run_payload
from lightly_pipeline.report.numbers import Report

__all__ = ["render"]


def render(report: Report) -> str:
    """Returns the page of a run, to be stored as UTF-8.

    Args:
        report: Of the run.
    """
    return run_page(f"{report.facts.dataset}: chosen frames", run_payload(report))
