"""Loggers whose lines are text: bytes of file names that are none come out escaped.

Who shows or stores a line (a terminal, an event log, a collector) need not know of such names.
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


def _escaped(record: logging.LogRecord) -> bool:
    try:
        text = record.getMessage()
        text.encode()
    except UnicodeEncodeError:
        record.msg, record.args = text.encode("utf-8", "backslashreplace").decode(), ()
    return True
