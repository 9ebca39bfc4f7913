"""The package's log as JSON, an object a line on standard error, for collectors of logs.

The same messages as in text, with what they say in figures beside them. In plain `logging`, which
users of the package configure as they like; LIGHTLY_PIPELINE_LOG=json does it for them.
"""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TextIO

from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.telemetry.labels import labels

LOG_VARIABLE = "LIGHTLY_PIPELINE_LOG"
LOGGERS = ("lightly_pipeline", "opentelemetry")
"""Whose lines are shown: ours, and those of the library that sends figures."""


def wants_json() -> bool:
    """Returns whether the environment asks for JSON.

    Raises:
        InvalidConfigurationError: It asks for something else.
    """
    wanted = os.environ.get(LOG_VARIABLE) or "text"
    if wanted not in ("text", "json"):
        raise InvalidConfigurationError(f"{LOG_VARIABLE} is {wanted!r}: write text or json")
    return wanted == "json"


class JsonFormatter(logging.Formatter):
    """Makes one line of JSON of a record: time, level, logger, message, labels, figures."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line; what is unknown is left out."""
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **labels(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        known = {key: value for key, value in said.items() if value is not None}
        # Names that are no text are escaped as in messages: many parsers refuse lone surrogates.
        text = json.dumps(known, ensure_ascii=False, default=str, allow_nan=False)
        return text.encode("utf-8", "backslashreplace").decode()


class JsonHandler(logging.StreamHandler[TextIO]):
    """Writes lines of JSON to standard error, whatever that is at the time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self, logging.INFO)
        self.setFormatter(JsonFormatter())

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard error: Dagster puts another one in its place for every step."""
        return sys.stderr


def log_as_configured() -> None:
    """Shows the log of this process as JSON from now on, if the environment asks for it.

    For processes whose own log is not ours to show: Dagster's.

    Raises:
        InvalidConfigurationError: The environment asks for something unknown.
    """
    loggers = [logging.getLogger(name) for name in LOGGERS]
    if not wants_json() or any(isinstance(h, JsonHandler) for h in loggers[0].handlers):
        return
    for logger in loggers:
        logger.addHandler(JsonHandler())
    loggers[0].setLevel(logging.INFO)
