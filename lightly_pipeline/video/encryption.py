"""Tells encrypted packets, whose pictures would come out as noise, from clear ones."""

import struct
from itertools import pairwise
from typing import Any, Protocol

_INFO = "encryption_info"
# av_encryption_info_add_side_data(): scheme, pattern (2), sizes of key id and IV, parts.
_HEAD, _PART = struct.Struct(">4sIIIII"), struct.Struct(">II")
_LOOK_BYTES = 1 << 20
_SYNC, _PACKET_SIZES = 0x47, (188, 192, 204)
_HEADER_BYTES = 4


def encryption_of(packet: Any) -> str | None:
    """Returns the scheme that an `av.Packet` is encrypted by ("cenc", "cbcs", ...), if it is."""
    if not packet.has_sidedata(_INFO):
        return None
    info = bytes(packet.get_sidedata(_INFO))
    scheme, _, _, id_size, iv_size, n_parts = _HEAD.unpack_from(info)
    parts = info[_HEAD.size + id_size + iv_size :][: n_parts * _PART.size]
    is_clear = bool(n_parts) and not any(secret for _, secret in _PART.iter_unpack(parts))
    return None if is_clear else scheme.decode("ascii", "replace").strip("\x00") or "unnamed"


class _Readable(Protocol):
    def seek(self, offset: int, /) -> int: ...

    def read(self, size: int, /) -> bytes: ...


def is_scrambled(file: _Readable) -> bool:
    """Returns whether most of a transport stream's beginning is scrambled."""
    file.seek(0)
    content = file.read(_LOOK_BYTES)
    flags = []
    for begin, after in pairwise(_packet_starts(content)):
        head = content[begin:after][:_HEADER_BYTES]
        if len(head) == _HEADER_BYTES and head[3] & 0x10:
            flags.append(bool(head[3] & 0xC0))
    return 2 * sum(flags) > len(flags)


def _packet_starts(content: bytes) -> list[int]:
    for size in _PACKET_SIZES:
        for first in range(min(size, len(content))):
            starts = list(range(first, len(content), size))
            if len(starts) > 1 and all(content[place] == _SYNC for place in starts):
                return starts
    return []
