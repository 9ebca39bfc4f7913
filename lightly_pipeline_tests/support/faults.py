"""A proxy in front of a real S3 server that spoils chosen requests, as networks and stores do.

with faulty(server_url) as store:
    store.add(Fault("reset", "GET .*video", times=2))
    client = boto3.client("s3", endpoint_url=store.url)
"""

import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

_PASSED_ON = ("connection", "transfer-encoding", "content-length")


@dataclass
class Fault:
    """What happens to matching requests.

    Attributes:
        kind: "status" answers with `status` and `code`; "reset" breaks the connection; "hang"
            never answers; "truncate" sends half of the body and closes; "lost answer" lets the
            store do the work and breaks the connection; "first" calls `action`, then serves;
            "page" answers `status` with a page of HTML, or what `headers` and `body` say, in the
            store's place; "flip" turns the byte at `at` of the body over; "whole" leaves the Range
            out; "with" sets headers of the answer; "slow" answers after `at` milliseconds.
        match: Regular expression, searched in "METHOD /path?query".
        times: How many matching requests it happens to.
        skip: Matching requests that are left alone before.
    """

    kind: Literal[
        "status",
        "reset",
        "hang",
        "truncate",
        "lost answer",
        "first",
        "page",
        "flip",
        "whole",
        "with",
        "slow",
    ]
    match: str
    times: int = 1
    skip: int = 0
    status: int = 503
    code: str = "SlowDown"
    action: Callable[[], object] = lambda: None
    at: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"<html><body><p>Please log in.</p></body></html>"

    def applies(self, request: str) -> bool:
        """Whether it is this request's turn; counts it."""
        if not re.search(self.match, request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if not self.times:
            return False
        self.times -= 1
        return True


class FaultyStore:
    """A running proxy: its address, its faults, the requests that came."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.requests: list[str] = []
        self.n_at_once = self.most_at_once = 0
        self.refuses: Callable[[str, Any], Fault | None] = lambda _, __: None
        self.ended = threading.Event()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.store = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def add(self, *faults: Fault) -> None:
        """Lets faults happen from now on."""
        self._faults += faults

    def clear(self) -> None:
        """Serves faithfully again and forgets the requests."""
        self._faults.clear()
        self.requests.clear()
        self.most_at_once = 0
        self.refuses = lambda _, __: None

    def count(self, match: str) -> int:
        """Returns how many requests matched."""
        return sum(re.search(match, request) is not None for request in self.requests)

    def fault_of(self, request: str) -> Fault | None:
        """Notes a request and returns what is to happen to it."""
        with self._lock:
            self.requests.append(request)
            return next((fault for fault in self._faults if fault.applies(request)), None)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts how many requests are answered at once."""
        with self._lock:
            self.n_at_once += 1
            self.most_at_once = max(self.most_at_once, self.n_at_once)
        try:
            yield
        finally:
            with self._lock:
                self.n_at_once -= 1

    def close(self) -> None:
        """Ends the proxy and what hangs in it."""
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def faulty(upstream: str) -> Iterator[FaultyStore]:
    """Runs a proxy in front of the server at a URL."""
    store = FaultyStore(upstream)
    try:
        yield store
    finally:
        store.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        store: FaultyStore = self.server.store  # type: ignore[attr-defined]
        with store.counted():
            self._answer_for(store)

    def _answer_for(self, store: FaultyStore) -> None:
        request = f"{self.command} {self.path}"
        fault = store.fault_of(request) or store.refuses(request, self.headers)
        kind = fault.kind if fault else None
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if kind == "reset":
            return self._reset()
        if kind == "hang":
            store.ended.wait(60)
            return self._reset()
        if fault and kind == "status":
            error = f"<Error><Code>{fault.code}</Code><Message>injected</Message></Error>"
            return self._answer(fault.status, {"Content-Type": "application/xml"}, error.encode())
        if fault and kind == "page":
            headers = fault.headers or {"Content-Type": "text/html; charset=utf-8"}
            return self._answer(200 if fault.status == 503 else fault.status, headers, fault.body)
        if fault and kind == "first":
            fault.action()
        if fault and kind == "slow":
            time.sleep(fault.at / 1000)
        if kind == "whole":
            del self.headers["Range"]
        status, headers, content = self._forward(store.upstream, body)
        if kind == "lost answer":
            return self._reset()
        if fault and kind == "flip" and content:
            place = fault.at % len(content)
            # The sum of a part would give it away; stores keep those of whole objects.
            headers = {k: v for k, v in headers.items() if "checksum" not in k.lower()}
            content = content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
        if fault and kind == "with":
            headers = {**headers, **fault.headers}
        return self._answer(status, headers, content, cut=kind == "truncate")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def _forward(self, upstream: str, body: bytes) -> tuple[int, Any, bytes]:
        connection = http.client.HTTPConnection(upstream)
        connection.request(self.command, self.path, body or None, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def _answer(self, status: int, headers: Any, content: bytes, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _PASSED_ON:
                self.send_header(name, value)
        is_head = self.command == "HEAD"
        length = headers.get("Content-Length", "0") if is_head else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if not is_head:
            try:
                self.wfile.write(content[: len(content) // 2] if cut else content)
            except OSError:
                # Whoever asked has seen enough.
                cut = True
        self.close_connection = cut

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        return
