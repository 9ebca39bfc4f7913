"""What a process and its decoding child speak: a JSON header, and bytes behind it."""

import json
import struct
from collections.abc import Mapping
from typing import IO, Any

_LENGTH = struct.Struct("<II")


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Returns the next message, or None when the child's output ends, also in its middle."""
    lengths = stream.read(_LENGTH.size)
    if len(lengths) < _LENGTH.size:
        return None
    n_header, n_payload = _LENGTH.unpack(lengths)
    header, payload = stream.read(n_header), stream.read(n_payload)
    if len(header) < n_header or len(payload) < n_payload:
        return None
    return json.loads(header), payload


def send(stream: IO[bytes], header: Mapping[str, Any], payload: bytes = b"") -> None:
    """Writes a message."""
    text = json.dumps(header).encode()
    stream.write(_LENGTH.pack(len(text), len(payload)) + text + payload)
