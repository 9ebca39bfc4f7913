"""A deployment of its own for every test."""

from lightly_pipeline_tests.support.clients import (
    client,
    home,
    postgres,
    postgres_state,
    state,
    videos,
)

__all__ = ["client", "home", "postgres", "postgres_state", "state", "videos"]
