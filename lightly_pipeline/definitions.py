"""The Dagster code location: the datasets that the environment names."""

from lightly_pipeline.defs.build import build_definitions

defs = build_definitions()
