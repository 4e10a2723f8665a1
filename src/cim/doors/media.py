"""What content is, by its first bytes: a name or a sender may say anything."""

import codecs

PDF = "application/pdf"
UNKNOWN = "application/octet-stream"

_LOOK = 4096
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"BM", "image/bmp"),
    (b"\xff\x4f\xff\x51", "image/jp2"),
    (b"\x00\x00\x00\x0cjP  ", "image/jp2"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
)
# The brands of ISO base media files that hold one picture.
_BRANDS = {b"heic": "image/heic", b"heix": "image/heic", b"mif1": "image/heic", b"avif": "image/avif"}


def media_of(content: bytes) -> str:
    """The MIME type that the content itself shows; plain text where it is text, else unknown bytes."""
    for beginning, media in _BEGINNINGS:
        if content.startswith(beginning):
            return media
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp" and content[8:12] in _BRANDS:
        return _BRANDS[content[8:12]]
    # PDF readers look for the mark in the first kilobyte, so a PDF may have something before it.
    if b"%PDF-" in content[:1024]:
        return PDF
    return "text/plain" if content and _is_text(content) else UNKNOWN


def _is_text(content: bytes) -> bool:
    start = content[:_LOOK]
    if start.translate(None, _CONTROLS) != start:
        return False
    try:
        # The look may end within a character, the content may not.
        codecs.getincrementaldecoder("utf-8")().decode(start, final=len(content) <= _LOOK)
    except UnicodeDecodeError:
        return False
    return True
