"""What a run can do without: a failure in it is a warning."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)


@contextmanager
def warning_instead(what: str) -> Iterator[None]:
    """Logs what goes wrong in the context, and goes on after it.

    A store that fails is still a failure of the run, which whoever runs it tries again; a mistake
    of ours would only be repeated.

    Args:
        what: Is missing then, for the log.

    Raises:
        DatasourceError: A store failed.
    """
    try:
        yield
    except DatasourceError:
        raise
    except Exception as error:
        _logger.warning(
            "%s could not be made (%s: %s); the run goes on without it",
            what,
            type(error).__name__,
            error,
            exc_info=True,
        )
