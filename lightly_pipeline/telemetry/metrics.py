"""What the pipeline counts and times, and how it says so; costs nothing where nobody listens.

The one list of figures (`INSTRUMENTS`), of which the page in the documentation is made. Where they
go is `otlp.py`'s, which is loaded when the standard variables of OpenTelemetry name an endpoint.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lightly_pipeline.logs import logger_of
from lightly_pipeline.telemetry.labels import labels

if TYPE_CHECKING:
    from lightly_pipeline.telemetry.otlp import Exporter

_logger = logger_of(__name__)
ENDPOINT_VARIABLES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)
# No run id: a time series for every run is more than stores of metrics take.
_LABELS = ("dataset", "step")


@dataclass(frozen=True, slots=True)
class Instrument:
    """One figure.

    Attributes:
        name: Its name below `lightly_pipeline.`.
        kind: A counter adds up, a histogram takes single values, a gauge has the last one.
        unit: In UCUM, as OpenTelemetry writes it.
        labels: What it is told apart by.
        meaning: For the documentation, and for who receives it.
    """

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    labels: tuple[str, ...]
    meaning: str


INSTRUMENTS = (
    Instrument(
        "videos",
        "counter",
        "{video}",
        ("dataset", "outcome"),
        "Videos, or shards of images: `decoded`, `corrupt`, or `failed` where a store refused.",
    ),
    Instrument(
        "frames",
        "counter",
        "{frame}",
        ("dataset", "stage"),
        "Frames: `decoded`, `embedded`, `selected`.",
    ),
    Instrument(
        "video.duration",
        "histogram",
        "s",
        ("dataset", "outcome"),
        "Wall time of decoding and embedding one video.",
    ),
    Instrument(
        "read.requests",
        "counter",
        "{request}",
        ("dataset", "step"),
        "Requests to read videos, repeated ones included; none for a folder.",
    ),
    Instrument("read.bytes", "counter", "By", ("dataset", "step"), "What they brought."),
    Instrument(
        "retries",
        "counter",
        "{request}",
        ("dataset", "step", "cause"),
        "Requests to a store that were asked again.",
    ),
    Instrument(
        "retry.wait",
        "counter",
        "s",
        ("dataset", "step", "cause"),
        "Time that threads have waited before they asked again.",
    ),
    Instrument(
        "step.duration",
        "histogram",
        "s",
        ("dataset", "step", "outcome"),
        "Wall time of a step: `done`, `failed`, `interrupted`.",
    ),
    Instrument(
        "run.duration",
        "histogram",
        "s",
        ("dataset", "outcome"),
        "Wall time of a run whose steps one process takes: `done`, `failed`, `interrupted`.",
    ),
    Instrument(
        "last_success",
        "gauge",
        "s",
        ("dataset",),
        "When a run last ended well, Unix time.",
    ),
    Instrument(
        "queue.length",
        "gauge",
        "{run}",
        (),
        "Scheduled runs that wait for a worker; told by every worker, of all labels.",
    ),
    Instrument("queue.age", "gauge", "s", (), "How long the oldest of them has waited."),
)

_lock = threading.Lock()
_exporters: "list[Exporter | None]" = []


def count(name: str, amount: float, **more: str) -> None:
    """Adds to a counter, takes a value into a histogram, or sets a gauge.

    Args:
        name: Of `INSTRUMENTS`.
        amount: How much.
        more: Labels besides dataset and step, which are this thread's.
    """
    exporter = _exporter()
    if exporter is not None and amount:
        exporter.record(name, amount, _attributes(more))


def observe(name: str, value: Callable[[], float]) -> None:
    """Has a gauge asked for whenever figures are sent, from another thread.

    Args:
        name: Of `INSTRUMENTS`.
        value: Gives it.
    """
    exporter = _exporter()
    if exporter is not None:
        exporter.observe(name, value)


@contextmanager
def timing(what: Literal["run", "step"]) -> Iterator[None]:
    """Times the context, under this thread's labels, as a figure and as a span."""
    exporter = _exporter()
    current = labels()
    name = current.get("step", what)
    span = exporter.span(name, current) if exporter else nullcontext()
    with watched(lambda how, seconds: count(f"{what}.duration", seconds, outcome=how)), span:
        yield


@contextmanager
def watched(end: Callable[[str, float], None]) -> Iterator[None]:
    """Tells how the context went.

    Args:
        end: Called at its end with "done", "failed" or "interrupted", and how many seconds it took.
    """
    started, outcome = time.monotonic(), "done"
    try:
        yield
    except Exception:
        outcome = "failed"
        raise
    except BaseException:
        outcome = "interrupted"
        raise
    finally:
        end(outcome, time.monotonic() - started)


def past(name: str, seconds: float, facts: Mapping[str, str | int | float]) -> None:
    """Tells of something that has just ended, as a span below the step's.

    Args:
        name: What it was.
        seconds: How long it took.
        facts: What is known of it.
    """
    exporter = _exporter()
    if exporter is not None:
        exporter.past(name, seconds, {**labels(), **facts})


@contextmanager
def flushing() -> Iterator[None]:
    """Sends what there is to be told when the context ends, and waits a few seconds at most.

    Not where it is interrupted: nobody is to wait for a collector then.
    """
    try:
        yield
    except Exception:
        _flush()
        raise
    _flush()


def _flush() -> None:
    exporter = _exporter()
    if exporter is not None:
        exporter.flush()


def _attributes(more: Mapping[str, str]) -> dict[str, str]:
    current = labels()
    return {**{name: current[name] for name in _LABELS if name in current}, **more}


def _exporter() -> "Exporter | None":
    """Returns where figures go; None where no endpoint is configured."""
    if not _exporters:
        with _lock:
            if not _exporters:
                _exporters.append(_configured())
    return _exporters[0]


def _configured() -> "Exporter | None":
    named = [variable for variable in ENDPOINT_VARIABLES if os.environ.get(variable)]
    if not named or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from lightly_pipeline.telemetry.otlp import Exporter
    except ImportError as error:
        _logger.warning(
            "%s is set, but no figures are sent: %s is not installed; pip install "
            "'lightly-pipeline[otel]', or set OTEL_SDK_DISABLED=true",
            named[0],
            error.name,
        )
        return None
    return Exporter(INSTRUMENTS)
