"""Encoders by where they come from, a module each.

Every module has `spec(request)` and `load(spec)`, as `names.py` asks for. What all networks share
is in `lightly_pipeline.embedding.networks`, where weights lie in `weights`.
"""
