"""The report for printing: what the page shows, as a PDF.

`sections` says what is in it, `flow` fills pages, `charts` draws, `document` is the file format.
"""

from lightly_pipeline.report.numbers import Report
from lightly_pipeline.report.pdf import sections
from lightly_pipeline.report.pdf.document import Document
from lightly_pipeline.report.pdf.flow import Flow

__all__ = ["render"]


def render(report: Report) -> bytes:
    """Returns a run's report as a PDF file.

    Args:
        report: Of the run.
    """
    facts = report.facts
    document = Document(f"{facts.dataset}: chosen frames")
    flow = Flow(document, f"{facts.dataset}, run {facts.run_id}, {facts.created}")
    for section in sections.ALL:
        section(flow, report)
    return document.to_bytes()
