"""Python runs this first in every process: Dagster's daemon looks at backfills every 3 seconds.

It does so every 30 without, and has no setting for it. Other processes import nothing here.
"""

import sys

if "dagster._daemon" in sys.orig_argv:
    from dagster._daemon import controller

    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 3
