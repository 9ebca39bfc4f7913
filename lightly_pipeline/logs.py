"""Loggers whose lines are text: bytes of file names that are none come out escaped.

Who shows or stores a line (a terminal, an event log, a collector) need not know of such names.
What a line says in figures goes with it as fields; how they are shown is `telemetry.json_lines`'s.
"""

import logging


def logger_of(module: str) -> logging.Logger:
    """Returns the logger of a module.

    Args:
        module: Its `__name__`.
    """
    logger = logging.getLogger(module)
    logger.addFilter(_escaped)
    return logger


def fields(**values: object) -> dict[str, object]:
    """Returns the figures of a line, to be handed to a logger as `extra`.

    Args:
        values: Text, numbers, or mappings of them; None where there is none.
    """
    return {"fields": values}


def _escaped(record: logging.LogRecord) -> bool:
    try:
        text = record.getMessage()
        text.encode()
    except UnicodeEncodeError:
        record.msg, record.args = text.encode("utf-8", "backslashreplace").decode(), ()
    return True
