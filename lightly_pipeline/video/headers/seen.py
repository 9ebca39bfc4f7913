"""What is told of a packet, and the refusal to tell."""

from typing import NamedTuple, Protocol


class Unclear(Exception):  # noqa: N818  a refusal, not an error
    """Packets cannot tell what comes out of the decoder; the text says why."""


class Seen(NamedTuple):
    """What a packet's headers say.

    Attributes:
        is_shown: Whether one picture comes out of it; none otherwise.
        order: Rises in the order in which pictures come out.
        is_key: Whether the decoder calls it a key frame; None where that cannot be told.
        is_start: Whether decoding can begin here.
    """

    is_shown: bool
    order: tuple[int, ...]
    is_key: bool | None
    is_start: bool


class Headers(Protocol):
    """Reads the packets of one stream in file order.

    Attributes:
        reorder: How many pictures the decoder holds back at most, which it takes from the stream's
            word and drops pictures where that is wrong; None where it needs no such word.
    """

    reorder: int | None

    def look(self, packet: bytes) -> Seen:
        """Returns what a packet says.

        Raises:
            Unclear: It does not say it.
        """
        ...
