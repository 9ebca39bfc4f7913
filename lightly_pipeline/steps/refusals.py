"""What a store's refusal of one video means for the others of a run."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightly_pipeline.datasources import StoredObject, still_answers
from lightly_pipeline.errors import ArchivedObjectError, DatasourceError, StoreFullError
from lightly_pipeline.logs import fields, logger_of
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.telemetry import metrics

_logger = logger_of(__name__)


class Refusals:
    """Videos that a store would not give or take: they stop the others only if it is down.

    Args:
        run: Whose videos.

    Attributes:
        reasons: Why, by path.
    """

    def __init__(self, run: Run) -> None:
        self._dataset, self._patience_s = run.dataset, run.config.pipeline.store_patience_s
        self._down: Exception | None = None
        self.reasons: dict[str, str] = {}
        # Running again does not help with these, until somebody brings them back.
        self._left_out: set[str] = set()

    @contextmanager
    def noting(self, video: StoredObject) -> Iterator[None]:
        """Notes a failure in the context; raises it if nothing can be had from the stores."""
        if self._down is not None:
            raise self._down
        try:
            yield
        except (DatasourceError, OSError) as error:
            if isinstance(error, StoreFullError) or not self._stores_answer():
                self._down = error
                raise
            self._note(video, str(error))
            if isinstance(error, ArchivedObjectError):
                self._left_out.add(video.path)
        except MemoryError:
            # Of the machine, not of the video: another one, or fewer at once, may have enough.
            self._note(
                video,
                "there was not enough memory for it: give this process more, or let it work on "
                "fewer videos at once (worker_config.num_threads)",
            )

    def leave_out(self, video: StoredObject, why: str) -> None:
        """Notes a video that the run goes on without."""
        self._note(video, why)
        self._left_out.add(video.path)

    def check(self, *, may_go_on: bool) -> None:
        """Raises if there were failures that nobody allowed to leave out."""
        refused = self.reasons.keys() - self._left_out
        if not refused or may_go_on:
            return
        shown = [f"{path}: {self.reasons[path]}" for path in sorted(refused)]
        raise DatasourceError(
            f"could not process {len(shown)} of the videos, all others are done: "
            + "; ".join(shown[:5])
            + ("; ..." if len(shown) > 5 else "")
            + ". Run again to try them once more, or set pipeline_config.allow_incomplete to "
            "select without them"
        )

    def _note(self, video: StoredObject, why: str) -> None:
        metrics.count("videos", 1, outcome="failed")
        facts = fields(video=video.path, outcome="failed", reason=why)
        _logger.warning("%s: %s", video.path, why, extra=facts)
        self.reasons[video.path] = why

    def _stores_answer(self) -> bool:
        source, store, patience_s = self._dataset.input, self._dataset.lightly, self._patience_s
        return still_answers(source, writable=False, patience_s=patience_s) and still_answers(
            store, writable=True, patience_s=patience_s
        )
