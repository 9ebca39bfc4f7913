"""`python -m lightly_pipeline` is the command line."""

import sys

from lightly_pipeline.cli import main

sys.exit(main())
