"""Secrets that are planted, and the search for where they came out.

A new way of configuration gets a line in `MARKERS`; a test plants it, and what it finds of it
anywhere is a leak, unless the test names the place and the reason.
"""

import base64
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

# By the way in which they are given. With characters that URLs, JSON and shells write otherwise.
MARKERS: Mapping[str, str] = {
    "environment": "canary/environment+7c1d",
    "environment, session token": "canary/session+91ab",
    "profile": "canary/profile+02fe",
    "Python": "canary/python+5b1e",
    "Python, session token": "canary/python-session+5b1f",
    "Python, external id": "canary-python-external-5b20",
    "YAML": "canary/yaml+63aa",
    "YAML, URL": "canary-yaml-url-63ab",
    "component": "canary/component+44c0",
    "resource": "canary/resource+44c1",
    "EnvVar": "canary/envvar+44c2",
    "launch": "canary/launch+8d10",
    "options": "canary/options+8d11",
    "client": "canary/client+1f30",
    "client, external id": "canary-client-external-1f31",
    "client, other store": "canary/client-obs+1f32",
    "client, token": "canary/token+1f33",
    "URL": "canary-url-2e70",
    "endpoint": "canary-endpoint-2e71",
    "command line": "canary-command-line-2e72",
    "state's password": "canary-postgres-3d80",
    "state's key": "Y2FuYXJ5LXN0YXRlLWtleS0zZDgxLTEyMzQ1Njc4OTA=",
}


def forms(secret: str) -> set[bytes]:
    """Returns how a secret may be written: as it is, in URLs, in base64 at any place of a text."""
    written = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    written.add(json.dumps(secret)[1:-1])
    found = {text.encode() for text in written}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + secret.encode()).decode()
        # The first and the last characters depend on what stands around it.
        inner = text[4 if before else 0 : (before + len(secret)) // 3 * 4]
        found |= {inner.encode(), inner.replace("+", "-").replace("/", "_").encode()}
    return found


def found_in(content: bytes, markers: Mapping[str, str] = MARKERS) -> Iterator[str]:
    """Yields which secrets are in a content."""
    for name, secret in markers.items():
        if any(form in content for form in forms(secret)):
            yield name


def found_below(folder: Path, markers: Mapping[str, str] = MARKERS) -> Iterator[tuple[str, str]]:
    """Yields which secrets are in which files below a folder, and in rows of databases."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if content.startswith(b"SQLite format 3"):
            # A long value lies in several pages.
            content += _rows(path)
        shown = str(path.relative_to(folder))
        yield from ((name, shown) for name in found_in(content + shown.encode(), markers))


def _rows(file: Path) -> bytes:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return "\n".join(connection.iterdump()).encode()
