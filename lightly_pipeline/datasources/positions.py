"""The position of a reader that asks for something only when it is read from."""

import io
from abc import abstractmethod


class PositionedReader(io.RawIOBase):
    """A seekable reader whose position is a number; how it reads is for those that inherit."""

    _position = 0

    @property
    @abstractmethod
    def _end(self) -> int:
        """How long the content is, in bytes."""

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Returns the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves the position; nothing is asked for.

        Raises:
            ValueError: It would be negative.
        """
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._end}[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._position = start + offset
        return self._position
