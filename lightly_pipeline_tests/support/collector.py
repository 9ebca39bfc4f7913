"""A collector that takes figures and spans by OTLP over HTTP, and says what came."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Span:
    """A span as it came."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    facts: dict[str, Any]


@dataclass
class Collector:
    """What came to it.

    Attributes:
        url: Its address.
        totals: Sum, or last value of a gauge, by name and labels.
        counts: How many values histograms took, by name and labels.
        units: Unit by name.
        spans: In the order in which they came.
        services: Names of who sent.
        is_delta: Whether each sum told what happened since the last one.
    """

    url: str
    totals: dict[tuple[str, frozenset[tuple[str, str]]], float] = field(default_factory=dict)
    counts: dict[tuple[str, frozenset[tuple[str, str]]], int] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    is_delta: bool = True

    def total(self, name: str, **labels: str) -> float:
        """Returns the sum of a figure over all labels that are not named."""
        wanted = set(labels.items())
        return sum(v for (n, of), v in self.totals.items() if n == name and wanted <= of)

    def count(self, name: str, **labels: str) -> int:
        """Returns how many values a histogram took."""
        wanted = set(labels.items())
        return sum(v for (n, of), v in self.counts.items() if n == name and wanted <= of)

    def labels(self, name: str) -> set[str]:
        """Returns what a figure is told apart by."""
        return {key for n, of in [*self.totals, *self.counts] if n == name for key, _ in of}

    def take_metrics(self, content: bytes) -> None:
        request = ExportMetricsServiceRequest.FromString(content)
        for resource in request.resource_metrics:
            self.services.add(_facts(resource.resource.attributes)["service.name"])
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self._take_metric(metric)

    def _take_metric(self, metric: Any) -> None:
        self.units[metric.name] = metric.unit
        kind = metric.WhichOneof("data")
        data = getattr(metric, kind)
        if kind != "gauge":
            self.is_delta &= data.aggregation_temporality == 1
        for point in data.data_points:
            key = metric.name, frozenset(_facts(point.attributes).items())
            if kind == "histogram":
                self.counts[key] = self.counts.get(key, 0) + point.count
                continue
            value = getattr(point, point.WhichOneof("value"))
            self.totals[key] = value + (0 if kind == "gauge" else self.totals.get(key, 0))

    def take_spans(self, content: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        _facts(span.attributes),
                    )
                    for span in scope.spans
                ]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Runs a collector on a free port."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            take = {"/v1/metrics": collector.take_metrics, "/v1/traces": collector.take_spans}
            with lock:
                take[self.path](body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


def _facts(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, str(a.value.WhichOneof("value"))) for a in attributes}
