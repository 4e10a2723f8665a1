"""Files that mean harm, or are broken in a way that harms: made here, so that nothing of them need be kept.

Each maker gives a file's content. They expand, nest, loop, lie about their size, or are cut off.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Mapping

from PIL import Image

from cim.testing.pdf_files import pdf_file, pdf_page, picture, stream, text_at

__all__ = ["HOSTILE_FILES", "REFUSED_FILES", "mutated", "pdf_that_takes_for_ever"]

_MEGABYTE = 1 << 20


def _deflated_zeros(megabytes: int, before: bytes = b"") -> bytes:
    deflate = zlib.compressobj(9)
    parts = [deflate.compress(before), *(deflate.compress(bytes(_MEGABYTE)) for _ in range(megabytes))]
    return b"".join(parts) + deflate.flush()


def _png(width: int, height: int, body: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    framed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def _drawn(kind: str) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((400, 300), 80).save(file, kind)
    return file.getvalue()


def _tiff_of_huge_strips() -> bytes:
    tags = (
        (256, 5000),
        (257, 5000),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 200),
        (278, 5000),
        (279, 0xFFFFFFF0),
    )
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + bytes(200)


def _pdf_of_one_gigabyte() -> bytes:
    packed = _deflated_zeros(1100)
    body = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(packed), packed)
    return _pdf_with_contents(body)


def _pdf_with_contents(body: bytes, page: bytes = b"/MediaBox [0 0 595 842]") -> bytes:
    return pdf_file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R %b /Contents 4 0 R >>" % page,
            body,
        ]
    )


def _pdf_of_a_large_picture() -> bytes:
    packed = _deflated_zeros(300)
    entries = b"/Type /XObject /Subtype /Image /Width 49152 /Height 51200 /ColorSpace /DeviceGray"
    entries += b" /BitsPerComponent 1 /Filter /FlateDecode"
    body = b"<< %b /Length %d >>\nstream\n%b\nendstream" % (entries, len(packed), packed)
    return pdf_page(b"595 0 0 842 0 0 cm /Im Do", resources=b"/XObject << /Im 5 0 R >>", more=[body])


def _pdf_of_forms_in_forms() -> bytes:
    """Twelve forms, each drawing the next ten times: a page that would be drawn for years."""
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << /XObject << /Next %d 0 R >> >>"
    forms = [stream(b"/Next Do " * 10, form % (6 + level)) for level in range(12)]
    last = stream(b"0 0 10 10 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 595 842]")
    drawn = text_at(60, 700, "A page with some words on it") + b"/Next Do"
    return pdf_page(drawn, resources=b"/XObject << /Next 5 0 R >>", more=[*forms, last])


def pdf_that_takes_for_ever() -> bytes:
    """A page of so many sheets of glass over each other that no drawing of it comes to an end."""
    glass = b"/Glass << /ca 0.5 /BM /Luminosity >>"
    drawn = b"/Glass gs " + b"0 0 595 842 re f " * 200_000
    return pdf_page(drawn, resources=b"/ExtGState << %b >>" % glass)


def _pdf_of_a_form_in_itself() -> bytes:
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << /XObject << /Next 5 0 R >> >>"
    return pdf_page(b"/Next Do", resources=b"/XObject << /Next 5 0 R >>", more=[stream(b"/Next Do", form)])


def _pdf_of_deep_pages() -> bytes:
    deep = 20_000
    nodes = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (3 + level) for level in range(deep)]
    page = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] >>" % (1 + deep)
    return pdf_file([b"<< /Type /Catalog /Pages 2 0 R >>", *nodes, page])


def _pdf_of_looped_pages() -> bytes:
    return pdf_file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 5 /Parent 3 0 R >>",
            b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 5 /Parent 2 0 R >>",
        ]
    )


def _pdf_of_many_pages() -> bytes:
    kids = b"3 0 R " * 100_000
    pages = b"<< /Type /Pages /Kids [%b] /Count 100000 >>" % kids
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
    return pdf_file([b"<< /Type /Catalog /Pages 2 0 R >>", pages, page])


def _pdf_of_deep_lists() -> bytes:
    deep = b"[" * 200_000 + b"]" * 200_000
    return pdf_page(b"BT /F1 12 Tf %b TJ ET" % deep, b"/MediaBox [0 0 595 842] /Note %b" % deep)


def _pdf_of_looped_lengths() -> bytes:
    return _pdf_with_contents(b"<< /Length 4 0 R /Filter /FlateDecode >>\nstream\nabc\nendstream")


def _box(text: bytes) -> Callable[[], bytes]:
    return lambda: pdf_page(text_at(60, 700, "A page with some words on it"), b"/MediaBox [%b]" % text)


def mutated(content: bytes, seed: int) -> bytes:
    """The content with some bytes changed, a part lost or doubled, or its end cut off."""
    chance = random.Random(seed)
    harmed = bytearray(content)
    place = chance.randrange(len(harmed))
    match seed % 4:
        case 0:
            del harmed[place:]
        case 1:
            del harmed[place : place + chance.randrange(1, 2000)]
        case 2:
            harmed[place:place] = harmed[place : place + chance.randrange(1, 2000)]
        case _:
            for _ in range(chance.randrange(1, 60)):
                harmed[chance.randrange(len(harmed))] = chance.randrange(256)
    return bytes(harmed)


REFUSED_FILES: Mapping[str, Callable[[], bytes]] = {
    "empty": bytes,
    "png of 60000 x 60000": lambda: _png(60_000, 60_000, _deflated_zeros(430)),
    "jpeg that says 65500 x 65500": lambda: _drawn("JPEG").replace(
        struct.pack(">HH", 300, 400), struct.pack(">HH", 65500, 65500), 1
    ),
}
"""What a door refuses by name."""

HOSTILE_FILES: Mapping[str, Callable[[], bytes]] = {
    "text named.pdf": lambda: b"These words only claim to be a PDF.",
    "jpeg named.pdf": lambda: _drawn("JPEG"),
    "png header, jpeg body": lambda: _drawn("PNG")[:33] + _drawn("JPEG"),
    "cut off.png": lambda: _drawn("PNG")[:5000],
    "cut off.jpg": lambda: _drawn("JPEG")[:5000],
    "cut off.pdf": lambda: pdf_page(text_at(60, 700, "words") * 40)[:700],
    "noise": lambda: random.Random(1).randbytes(50_000),
    "noise named.pdf": lambda: b"%PDF-1.7\n" + random.Random(2).randbytes(50_000),
    "archive.zip": lambda: b"PK\x03\x04" + random.Random(3).randbytes(5_000),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><text>words</text></svg>',
    "png that lacks its pixels": lambda: _png(7_000, 7_000, zlib.compress(bytes(1000))),
    "tiff of huge strips": _tiff_of_huge_strips,
    "tiff of no size": lambda: b"II*\0" + struct.pack("<IH", 8, 0) + bytes(4),
    "pdf of one gigabyte": _pdf_of_one_gigabyte,
    "pdf of a large picture": _pdf_of_a_large_picture,
    "pdf of forms in forms": _pdf_of_forms_in_forms,
    "pdf that takes for ever": pdf_that_takes_for_ever,
    "pdf of a form in itself": _pdf_of_a_form_in_itself,
    "pdf of deep pages": _pdf_of_deep_pages,
    "pdf of looped pages": _pdf_of_looped_pages,
    "pdf of many pages": _pdf_of_many_pages,
    "pdf of deep lists": _pdf_of_deep_lists,
    "pdf of looped lengths": _pdf_of_looped_lengths,
    "pdf of a million points": _box(b"0 0 1000000 1000000"),
    "pdf as long as a road": _box(b"0 0 1000000 1"),
    "pdf of no size": _box(b"0 0 0 0"),
    "pdf of a box upside down": _box(b"595 842 0 0"),
    "pdf of a box that is no number": _box(b"0 0 1e400 (a)"),
    "pdf of a picture without pixels": lambda: pdf_page(
        b"595 0 0 842 0 0 cm /Im Do",
        resources=b"/XObject << /Im 5 0 R >>",
        more=[picture(b"", 30_000, 30_000)],
    ),
}
"""What comes past a door and ends in a text or in a failure with its cause."""
