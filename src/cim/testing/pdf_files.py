"""PDF files written by hand, object by object, to have one with exactly the trait that a test is about."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence

__all__ = ["encrypted", "pdf_file", "pdf_page", "picture", "stream", "text_at"]

_ID = bytes(range(16))
_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_FONT = b"<< /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"


def pdf_file(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A file of these objects, numbered from 1; the first is the catalogue."""
    content, places = b"%PDF-1.7\n", list[int]()
    for number, body in enumerate(objects, start=1):
        places.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n"
    start = b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table)
    return content + start + end % (len(objects) + 1, trailer, len(content))


def pdf_page(
    drawn: bytes, page: bytes = b"/MediaBox [0 0 595 842]", resources: bytes = b"", more: Sequence[bytes] = ()
) -> bytes:
    """A file of one page: what is ``drawn`` on it, its own entries, and ``more`` objects from number 5 on."""
    return pdf_file(_page_objects(drawn, page, resources, more))


def _page_objects(
    drawn: bytes, page: bytes = b"/MediaBox [0 0 595 842]", resources: bytes = b"", more: Sequence[bytes] = ()
) -> list[bytes]:
    font = b"" if b"/Font" in resources else b"/Font " + _FONT
    return [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R %b /Resources << %b %b >> /Contents 4 0 R >>"
        % (page, font, resources),
        stream(drawn),
        *more,
    ]


def stream(content: bytes, entries: bytes = b"", *, deflated: bool = False) -> bytes:
    """A stream object's body."""
    if deflated:
        content, entries = zlib.compress(content, 9), entries + b" /Filter /FlateDecode"
    return b"<< %b /Length %d >>\nstream\n%b\nendstream" % (entries, len(content), content)


def picture(pixels: bytes, width: int, height: int) -> bytes:
    """A picture object of grey pixels, a byte each, from its upper left corner."""
    entries = (
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
    )
    return stream(pixels, entries % (width, height), deflated=True)


def text_at(x: float, y: float, text: str, size: float = 12, state: str = "") -> bytes:
    """Operators that write a line of text in the font F1, ``state`` before it."""
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /F1 {size:g} Tf {state} {x:g} {y:g} Td ({escaped}) Tj ET\n".encode("latin-1")


def encrypted(drawn: bytes, *, user: bytes, owner: bytes) -> bytes:
    """A file of one page that opens with either password, locked with RC4 of 40 bits."""
    lock = _rc4(hashlib.md5((owner + _PADDING)[:32]).digest()[:5], (user + _PADDING)[:32])
    rights = (-4).to_bytes(4, "little", signed=True)
    key = hashlib.md5((user + _PADDING)[:32] + lock + rights + _ID).digest()[:5]
    objects = _page_objects(drawn)
    own = hashlib.md5(key + (4).to_bytes(3, "little") + bytes(2)).digest()[:10]
    objects[3] = stream(_rc4(own, drawn))
    said = b"/Filter /Standard /V 1 /R 2 /P -4 /O <%b> /U <%b>"
    said %= (lock.hex().encode(), _rc4(key, _PADDING).hex().encode())
    return pdf_file(
        objects, b"/Encrypt << %b >> /ID [<%b> <%b>]" % (said, _ID.hex().encode(), _ID.hex().encode())
    )


def _rc4(key: bytes, content: bytes) -> bytes:
    box, swap = list(range(256)), 0
    for index in range(256):
        swap = (swap + box[index] + key[index % len(key)]) % 256
        box[index], box[swap] = box[swap], box[index]
    result, first, second = bytearray(), 0, 0
    for byte in content:
        first = (first + 1) % 256
        second = (second + box[first]) % 256
        box[first], box[second] = box[second], box[first]
        result.append(byte ^ box[(box[first] + box[second]) % 256])
    return bytes(result)
