"""A PDF file of pages with text, lines, boxes and pictures: what a report needs, and nothing else.

Why it is our own: docs/report.md. Lengths are points (1/72 inch), the origin is the lower left
corner. Letters are those of Windows-1252, which every reader's own Helvetica has; others are
written as escapes.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

Colour = tuple[float, float, float]
Point = tuple[float, float]

WIDTH, HEIGHT = 595.0, 842.0
BLACK: Colour = (0.09, 0.11, 0.13)
_OTHER_WIDTH = 600
# Advance widths of Helvetica's letters from " " to "~", in thousandths of the size.
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip


def text_width(text: str, size: float) -> float:
    """Returns about how wide a line of text is."""
    return sum(_letter_width(byte) for byte in _encoded(text)) * size / 1000


def fitted(text: str, size: float, width: float) -> str:
    """Returns the text, or its beginning and end where it is wider than `width`."""
    encoded = _encoded(text)
    if sum(map(_letter_width, encoded)) * size / 1000 <= width:
        return text
    kept = max(int(width / (size * 0.56)) - 2, 2)
    shown = encoded.decode("cp1252", "replace")
    return f"{shown[: kept // 2]}..{shown[-(kept - kept // 2) :]}"


@dataclass
class Page:
    """One page: what is drawn on it, in order."""

    operators: list[str] = field(default_factory=list)
    pictures: dict[str, int] = field(default_factory=dict)

    def text(
        self,
        at: Point,
        text: str,
        size: float = 9,
        *,
        colour: Colour = BLACK,
        bold: bool = False,
        align: float = 0.0,
    ) -> None:
        """Writes a line of text.

        Args:
            at: Start of its base line; its middle with `align` 0.5, its end with 1.
            text: What to write.
            size: Of the letters.
            colour: Of the letters.
            bold: Whether they are bold.
            align: Part of the text's width that lies left of `at`.
        """
        x = at[0] - align * text_width(text, size) if align else at[0]
        font = "B" if bold else "R"
        self.operators.append(
            f"{_rgb(colour)} rg BT /{font} {size:g} Tf {x:.2f} {at[1]:.2f} Td {_string(text)} Tj ET"
        )

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Fills a rectangle."""
        self.operators.append(f"{_rgb(colour)} rg {x:.2f} {y:.2f} {width:.2f} {height:.2f} re f")

    def line(
        self,
        points: Sequence[Point],
        colour: Colour,
        width: float = 0.5,
        dash: tuple[float, ...] = (),
    ) -> None:
        """Draws a line through points."""
        (x, y), *rest = points
        path = [f"{x:.2f} {y:.2f} m", *(f"{x:.2f} {y:.2f} l" for x, y in rest)]
        pattern = " ".join(f"{length:g}" for length in dash)
        self.operators.append(
            f"{_rgb(colour)} RG {width:g} w 1 j [{pattern}] 0 d {' '.join(path)} S"
        )

    def dots(self, points: Sequence[Point], size: float, colour: Colour) -> None:
        """Draws round dots: lines of no length with round ends."""
        path = " ".join(f"{x:.2f} {y:.2f} m {x:.2f} {y:.2f} l" for x, y in points)
        if path:
            self.operators.append(f"q {_rgb(colour)} RG {size:g} w 1 J [] 0 d {path} S Q")

    def picture(self, number: int, x: float, y: float, width: float, height: float) -> None:
        """Shows a picture of the document in a rectangle."""
        name = f"I{number}"
        self.pictures[name] = number
        self.operators.append(
            f"q {width:.2f} 0 0 {height:.2f} {x:.2f} {y:.2f} cm /{name} Do Q",
        )


class Document:
    """A document that is being made; `to_bytes` ends it."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._pages: list[Page] = []
        self._pictures: list[bytes] = []

    def page(self) -> Page:
        """Begins a page."""
        page = Page()
        self._pages.append(page)
        return page

    def jpeg(self, content: bytes, width: int, height: int) -> int:
        """Adds a JPEG picture of three colours; returns its number for `Page.picture`."""
        return self._add_picture(content, width, height, "/DeviceRGB", "/DCTDecode")

    def grey(self, content: bytes, width: int, height: int) -> int:
        """Adds a picture of a byte per pixel, the highest row first; returns its number."""
        return self._add_picture(
            zlib.compress(content), width, height, "/DeviceGray", "/FlateDecode"
        )

    def to_bytes(self) -> bytes:
        """Returns the file. It holds no time: the same report gives the same bytes."""
        first_picture = 5
        first_page = first_picture + len(self._pictures)
        n_pages = len(self._pages)
        kids = " ".join(f"{first_page + 2 * i} 0 R" for i in range(n_pages))
        font = "/Type /Font /Subtype /Type1 /Encoding /WinAnsiEncoding /BaseFont"
        objects = [
            b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
            f"<< /Type /Pages /Kids [{kids}] /Count {n_pages} >>".encode(),
            f"<< {font} /Helvetica >>".encode(),
            f"<< {font} /Helvetica-Bold >>".encode(),
            *self._pictures,
        ]
        for i, page in enumerate(self._pages):
            pictures = " ".join(
                f"/{name} {first_picture + number} 0 R" for name, number in page.pictures.items()
            )
            objects += [
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH:g} {HEIGHT:g}] "
                f"/Resources << /Font << /R 3 0 R /B 4 0 R >> /XObject << {pictures} >> >> "
                f"/Contents {first_page + 2 * i + 1} 0 R >>".encode(),
                _stream("/Filter /FlateDecode", zlib.compress("\n".join(page.operators).encode())),
            ]
        objects.append(f"<< /Title {_string(self._title)} /Producer (lightly_pipeline) >>".encode())
        return _file(objects)

    def _add_picture(self, content: bytes, width: int, height: int, colours: str, how: str) -> int:
        entries = (
            f"/Type /XObject /Subtype /Image /Width {width} /Height {height} "
            f"/ColorSpace {colours} /BitsPerComponent 8 /Filter {how}"
        )
        self._pictures.append(_stream(entries, content))
        return len(self._pictures) - 1


def _file(objects: Sequence[bytes]) -> bytes:
    """Returns numbered objects with the table of their places; the last one describes the file."""
    parts, places, length = [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"], [], 15
    for number, content in enumerate(objects, 1):
        places.append(length)
        parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, content))
        length += len(parts[-1])
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    n = len(objects) + 1
    parts += [b"xref\n0 %d\n0000000000 65535 f \n%b" % (n, rows)]
    parts += [
        b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (n, n - 1, length)
    ]
    return b"".join(parts)


def _stream(entries: str, content: bytes) -> bytes:
    head = f"<< {entries} /Length {len(content)} >>\nstream\n".encode()
    return head + content + b"\nendstream"


def _rgb(colour: Colour) -> str:
    return "{:.3g} {:.3g} {:.3g}".format(*colour)


def _string(text: str) -> str:
    return f"<{_encoded(text).hex()}>"


def _encoded(text: str) -> bytes:
    return text.encode("cp1252", "backslashreplace").translate(_NO_CONTROLS)


def _letter_width(byte: int) -> int:
    return _WIDTHS[byte - 32] if 32 <= byte < 127 else _OTHER_WIDTH


_NO_CONTROLS = bytes(max(byte, 32) for byte in range(256))
