"""Lines of the log are text, whatever files are called."""

import logging
import os

import pytest

from lightly_pipeline.logs import logger_of


def test_names_that_are_no_text_are_escaped(caplog: pytest.LogCaptureFixture) -> None:
    logger = logger_of("lightly_pipeline.test_logs")
    with caplog.at_level(logging.INFO, "lightly_pipeline"):
        logger.warning("%s: %d frames", os.fsdecode(b"caf\xe9.mp4"), 7)
        logger.info("café %s", "plain")
    assert caplog.messages == ["caf\\udce9.mp4: 7 frames", "café plain"]
