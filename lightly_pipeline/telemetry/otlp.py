"""Sends figures and spans by OTLP, as OpenTelemetry's own variables say.

Over HTTP, from threads of the SDK: a collector that is slow or gone costs a run at most the few
seconds of its last flush. Imported only where an endpoint is configured.
"""

import atexit
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from lightly_pipeline.telemetry.labels import labels
from lightly_pipeline.telemetry.metrics import Instrument

_PREFIX = "lightly_pipeline."
_FLUSH_S, _EXIT_S = 3.0, 1.0
_TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_DELTA: dict[type, AggregationTemporality] = dict.fromkeys(
    (Counter, Histogram), AggregationTemporality.DELTA
)
# From a clip to a night of video; the SDK's own end at ten seconds.
_BUCKETS_S = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10800, 36000)


class Exporter:
    """Figures and spans of this process on their way to a collector.

    Args:
        instruments: What may be recorded.
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        from lightly_pipeline import __version__

        own = {SERVICE_NAME: "lightly_pipeline", SERVICE_VERSION: __version__}
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say wins.
        resource = Resource.create({**own, **OTELResourceDetector().detect().attributes})
        # Of processes that end soon: each tells what happened in it, a collector adds it up.
        by_default = None if _TEMPORALITY in os.environ else _DELTA
        figures = OTLPMetricExporter(
            timeout=_timeout_s("METRICS"), preferred_temporality=by_default
        )
        self._meters = MeterProvider(
            [PeriodicExportingMetricReader(figures)],
            resource,
            shutdown_on_exit=False,
            views=[
                View(
                    instrument_name=f"{_PREFIX}*.duration",
                    aggregation=ExplicitBucketHistogramAggregation(_BUCKETS_S),
                )
            ],
        )
        self._spans = TracerProvider(
            resource=resource, shutdown_on_exit=False, id_generator=_RunIds()
        )
        spans = OTLPSpanExporter(timeout=_timeout_s("TRACES"))
        self._spans.add_span_processor(BatchSpanProcessor(spans))
        self._tracer = self._spans.get_tracer(_PREFIX.rstrip("."))
        self._meter = self._meters.get_meter(_PREFIX.rstrip("."))
        self._by_name = {instrument.name: instrument for instrument in instruments}
        self._made: dict[str, Callable[[float, Mapping[str, str]], None]] = {}
        self._lock = threading.Lock()
        # Of a collector that is gone one line a minute is enough, not one for every attempt.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
        atexit.register(self._end)

    def record(self, name: str, amount: float, attributes: Mapping[str, str]) -> None:
        """Records an amount of an instrument, under those of the attributes that it has."""
        instrument = self._by_name[name]
        known = {key: value for key, value in attributes.items() if key in instrument.labels}
        with self._lock:
            if name not in self._made:
                self._made[name] = self._make(instrument)
        self._made[name](amount, known)

    def observe(self, name: str, value: Callable[[], float]) -> None:
        """Has a gauge asked for whenever figures are sent."""
        instrument = self._by_name[name]

        def asked(_: CallbackOptions) -> list[Observation]:
            return [Observation(value())]

        self._meter.create_observable_gauge(
            _PREFIX + name, [asked], instrument.unit, instrument.meaning
        )

    @contextmanager
    def span(self, name: str, facts: Mapping[str, Any]) -> Iterator[None]:
        """Makes a span of the context, and the parent of those that begin in it."""
        with self._tracer.start_as_current_span(name, attributes=_prefixed(facts)):
            yield

    def past(self, name: str, seconds: float, facts: Mapping[str, Any]) -> None:
        """Makes a span of what has just ended."""
        now = time.time_ns()
        started = now - round(seconds * 1e9)
        span = self._tracer.start_span(name, start_time=started, attributes=_prefixed(facts))
        span.end(now)

    def flush(self) -> None:
        """Sends everything, and waits for it a few seconds at most."""
        _within(_FLUSH_S, self._meters.force_flush, self._spans.force_flush)

    def _make(self, instrument: Instrument) -> Callable[[float, Mapping[str, str]], None]:
        name, unit, meaning = _PREFIX + instrument.name, instrument.unit, instrument.meaning
        if instrument.kind == "counter":
            return self._meter.create_counter(name, unit, meaning).add
        if instrument.kind == "histogram":
            return self._meter.create_histogram(name, unit, meaning).record
        return self._meter.create_gauge(name, unit, meaning).set

    def _end(self) -> None:
        _within(_EXIT_S, self._meters.shutdown, self._spans.shutdown)


class _RunIds(RandomIdGenerator):
    """Gives all spans of a run one trace, whatever process its steps are in."""

    def generate_trace_id(self) -> int:
        run_id = labels().get("run")
        if run_id is None:
            return super().generate_trace_id()
        try:
            return uuid.UUID(run_id).int
        except ValueError:
            return uuid.uuid5(uuid.NAMESPACE_OID, run_id).int


def _timeout_s(signal: str) -> float | None:
    """Returns how long one attempt may take; None where the environment says it."""
    variables = ("OTEL_EXPORTER_OTLP_TIMEOUT", f"OTEL_EXPORTER_OTLP_{signal}_TIMEOUT")
    return None if any(variable in os.environ for variable in variables) else _FLUSH_S


def _within(seconds: float, *calls: Callable[[], object]) -> None:
    """Makes the calls at once, and waits for them so long at most."""
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))


def _prefixed(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {_PREFIX + key: value for key, value in facts.items()}
