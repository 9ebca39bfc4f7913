"""How far a run is: what every step tells, and what every surface shows of it.

Steps report to a `ProgressMeter`. The command line, Dagster and the scheduled runs' states are all
drawn from its views (`views.py`), in the same words (`text.py`); how fast it goes and when it ends
is worked out in `estimates.py`. How a surface looks is the surface's business.
"""

from lightly_pipeline.progress.meter import ItemMeter, Progress, ProgressMeter, StepMeter, silent
from lightly_pipeline.progress.text import closing_line, escaped, line, names, short_line, title
from lightly_pipeline.progress.views import ItemView, StepView
from lightly_pipeline.progress.watcher import watching

__all__ = [
    "ItemMeter",
    "ItemView",
    "Progress",
    "ProgressMeter",
    "StepMeter",
    "StepView",
    "closing_line",
    "escaped",
    "line",
    "names",
    "short_line",
    "silent",
    "title",
    "watching",
]
