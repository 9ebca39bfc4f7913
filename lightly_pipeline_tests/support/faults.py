"""A proxy in front of a real S3 server that spoils chosen requests, as networks and stores do.

with faulty(server_url) as store:
    store.add(Fault("reset", "GET .*video", times=2))
    client = boto3.client("s3", endpoint_url=store.url)
"""

import http.client
import re
import socket
import ssl
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
            never answers; "truncate" sends half of the body and closes; "stall" sends half and no
            more; "short" sends half and says that it is all; "trickle" sends `at` bytes a second;
            "lost answer" lets the store do the work and breaks the connection; "first" calls
            `action`, then serves; "page" answers `status` with a page of HTML, or what `headers`
            and `body` say, in the store's place; "flip" turns the byte at `at` of the body over;
            "whole" leaves the Range out; "with" sets headers of the answer, or leaves out empty
            ones; "slow" answers after `at` milliseconds. Of what is sent to the store, "cut sent"
            passes half on and breaks both connections, "flip sent" turns the byte at `at` over,
            "trickle sent" takes `at` bytes a second.
        match: Regular expression, searched in "METHOD /path?query".
        times: How many matching requests it happens to.
        skip: Matching requests that are left alone before.
    """

    kind: Literal[
        "status",
        "reset",
        "hang",
        "truncate",
        "stall",
        "short",
        "trickle",
        "lost answer",
        "first",
        "page",
        "flip",
        "whole",
        "with",
        "slow",
        "cut sent",
        "flip sent",
        "trickle sent",
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

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.requests: list[str] = []
        self.n_at_once = self.most_at_once = 0
        self.refuses: Callable[[str, Any], Fault | None] = lambda _, __: None
        self.ended, self.released = threading.Event(), threading.Event()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.store = self  # type: ignore[attr-defined]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def add(self, *faults: Fault) -> None:
        """Lets faults happen from now on."""
        self._faults += faults

    def clear(self) -> None:
        """Serves faithfully again, lets go what hangs, and forgets the requests."""
        self.released.set()
        self.released = threading.Event()
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

    def drain(self) -> None:
        """Waits until no request is being answered."""
        while self.n_at_once:
            time.sleep(0.01)

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
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def faulty(upstream: str, tls: ssl.SSLContext | None = None) -> Iterator[FaultyStore]:
    """Runs a proxy in front of the server at a URL; with a certificate, it is spoken to by TLS."""
    store = FaultyStore(upstream, tls)
    try:
        yield store
    finally:
        store.close()


def _flipped(content: bytes, at: int) -> bytes:
    """Returns the content with the byte at a place turned over."""
    if not content:
        return content
    place = at % len(content)
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The body follows the head at once, not when the other side has confirmed it after 40 ms.
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        store: FaultyStore = self.server.store  # type: ignore[attr-defined]
        with store.counted():
            self._answer_for(store)

    def _answer_for(self, store: FaultyStore) -> None:
        request = f"{self.command} {self.path}"
        fault = store.fault_of(request) or store.refuses(request, self.headers)
        kind = fault.kind if fault else None
        body = self._sent(fault.at if fault and kind == "trickle sent" else None)
        if kind == "reset":
            return self._reset()
        if kind == "hang":
            store.released.wait(60)
            return self._reset()
        if fault and kind == "status":
            error = f"<Error><Code>{fault.code}</Code><Message>injected</Message></Error>"
            headers = {"Content-Type": "application/xml", **fault.headers}
            return self._answer(fault.status, headers, error.encode())
        if fault and kind == "page":
            headers = fault.headers or {"Content-Type": "text/html; charset=utf-8"}
            return self._answer(200 if fault.status == 503 else fault.status, headers, fault.body)
        if fault and kind == "first":
            fault.action()
        if fault and kind == "slow":
            time.sleep(fault.at / 1000)
        if kind == "whole":
            del self.headers["Range"]
        if kind == "cut sent":
            self._forward_half(store.upstream, body)
            return self._reset()
        if fault and kind == "flip sent":
            body = _flipped(body, fault.at)
        status, headers, content = self._forward(store.upstream, body)
        if kind == "lost answer":
            return self._reset()
        if fault and kind == "flip":
            # The sum of a part would give it away; stores keep those of whole objects.
            headers = {k: v for k, v in headers.items() if "checksum" not in k.lower()}
            content = _flipped(content, fault.at)
        if fault and kind == "with":
            named = {name.lower() for name in fault.headers}
            kept = {k: v for k, v in headers.items() if k.lower() not in named}
            headers = kept | {k: v for k, v in fault.headers.items() if v}
        if kind == "short":
            content = content[: len(content) // 2]
        return self._answer(status, headers, content, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def _forward(self, upstream: str, body: bytes) -> tuple[int, Any, bytes]:
        connection = http.client.HTTPConnection(upstream)
        connection.request(self.command, self.path, body or None, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def _forward_half(self, upstream: str, body: bytes) -> None:
        host, _, port = upstream.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"{self.command} {self.path} HTTP/1.1\r\n{self.headers}"
            connection.sendall(head.encode("latin-1") + body[: len(body) // 2])

    def _sent(self, pace: int | None) -> bytes:
        """Returns the body of the request, taken at so many bytes a second."""
        if "Transfer-Encoding" in self.headers:
            return b"".join(self._chunks())
        left = int(self.headers.get("Content-Length", 0))
        if pace is None:
            return self.rfile.read(left)
        parts = []
        while left and (part := self.rfile.read(min(left, max(1, pace // 10)))):
            parts.append(part)
            left -= len(part)
            time.sleep(len(part) / pace)
        return b"".join(parts)

    def _chunks(self) -> Iterator[bytes]:
        """Yields the body of a request that says the length of each part before it."""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _send(self, content: bytes, pace: int | None) -> None:
        step, store = max(1, (pace or 10_000_000) // 10), self.server.store  # type: ignore[attr-defined]
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            if pace and store.ended.wait(step / pace):
                return

    def _answer(
        self, status: int, headers: Any, content: bytes, fault: Fault | None = None
    ) -> None:
        kind = fault.kind if fault else None
        cut, pace = kind in ("truncate", "stall"), fault.at if fault and kind == "trickle" else None
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
                self._send(content[: len(content) // 2] if cut else content, pace)
            except OSError:
                # Whoever asked has seen enough.
                cut = True
            if kind == "stall":
                self.server.store.released.wait(60)  # type: ignore[attr-defined]
        self.close_connection |= cut

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
