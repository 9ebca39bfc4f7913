"""The Dagster layer: assets, jobs, sensors over `lightly_pipeline.pipeline`.

Thin on purpose: every decision and every effect is in the packages below; this one says which
parts there are, when they run and what a person sees of them.
"""
