"""A store that does little but list: pages of ListObjectsV2, and one content for all objects.

    python -m benchmarks.listing_server 100000

Prints its port. In a process of its own, so that only the client's work is counted. With
`PUT /more?n=3` there are so many objects more; any other PUT is the content of all from then on.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGE = 1000
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{ns}"><Name>bench</Name>'
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ITEM = (
    "<Contents><Key>{key}</Key><LastModified>2026-03-01T12:{m:02}:{s:02}.000Z</LastModified>"
    "<ETag>&quot;{number:032x}&quot;</ETag><Size>{size}</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


def key(number: int) -> str:
    """Returns the key of an object; keys ascend with their numbers."""
    return f"videos/{number // 1000:05}/camera front {number:08}.mp4"


def page(first: int, n_all: int) -> bytes:
    """Returns the page that begins with an object."""
    last = min(first + PAGE, n_all)
    more = last < n_all
    token = f"<NextContinuationToken>{last}</NextContinuationToken>" if more else ""
    items = "".join(
        _ITEM.format(key=key(i), m=i % 60, s=i % 59, number=i * 7919, size=10**6 + i)
        for i in range(first, last)
    )
    return (
        _HEAD.format(ns=_NAMESPACE)
        + f"<Prefix>videos/</Prefix><KeyCount>{last - first}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{items}</ListBucketResult>"
    ).encode()


class _Lister(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    n_objects = 0

    content = b""

    def do_GET(self) -> None:
        """Answers with a page, or the content."""
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" not in query:
            self._answer(self.content, "application/json")
            return
        token = query.get("continuation-token", ["0"])[0]
        self._answer(page(int(token), self.n_objects), "application/xml")

    def do_PUT(self) -> None:
        """Makes some objects more, or takes the content."""
        own = type(self)
        own.n_objects += int(parse_qs(urlsplit(self.path).query).get("n", ["0"])[0])
        own.content = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or own.content
        self._answer(b"", "application/xml")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("ETag", '"content"')
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    _Lister.n_objects = int(sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), _Lister) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
