"""How many pixels a picture has, by its header: what fits no memory is refused unopened."""

from collections.abc import Iterator

LONGEST_HEADER = 4_000_000
"""Bytes of a JPEG or TIFF that are looked through for its size: profiles and previews come first."""

_MOST_PARTS = 10_000
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_BYTES = {1: 1, 3: 2, 4: 4}


def dimensions(content: bytes, media: str) -> tuple[int, int] | None:
    """Width and height in pixels of a picture of this media type, of its largest page where it has several.

    None where the header does not tell: a format not known here, or a damaged file.
    """
    match media:
        case "image/png":
            found = _pair(content, 16, 4, "big") if content[12:16] == b"IHDR" else None
        case "image/gif":
            found = _pair(content, 6, 2, "little")
        case "image/bmp":
            found = _bmp(content)
        case "image/webp":
            found = _webp(content)
        case "image/jpeg":
            found = _jpeg(content)
        case "image/tiff":
            found = max(_tiff(content), key=lambda size: size[0] * size[1], default=None)
        case _:
            found = None
    return found


def _pair(content: bytes, place: int, length: int, order: str) -> tuple[int, int] | None:
    first, second = (_number(content, place + shift, length, order) for shift in (0, length))
    return None if first is None or second is None else (first, second)


def _number(content: bytes, place: int, length: int, order: str) -> int | None:
    if not 0 <= place <= len(content) - length:
        return None
    return int.from_bytes(content[place : place + length], "big" if order == "big" else "little")


def _bmp(content: bytes) -> tuple[int, int] | None:
    if _number(content, 14, 4, "little") == 12:
        return _pair(content, 18, 2, "little")
    found = _pair(content, 18, 4, "little")
    if found is None:
        return None
    # A negative height means that the rows run from the top.
    width, height = (side - (1 << 32) if side >= 1 << 31 else side for side in found)
    return abs(width), abs(height)


def _webp(content: bytes) -> tuple[int, int] | None:
    kind = content[12:16]
    if kind == b"VP8X" and len(content) >= 30:
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if kind == b"VP8L" and len(content) >= 25:
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    found = _pair(content, 26, 2, "little") if kind == b"VP8 " else None
    return None if found is None else (found[0] & 0x3FFF, found[1] & 0x3FFF)


def _jpeg(content: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 4 <= min(len(content), LONGEST_HEADER):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF or marker in _JPEG_ALONE:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _JPEG_SIZES:
            found = _pair(content, place + 5, 2, "big")
            return None if found is None else (found[1], found[0])
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return None


def _tiff(content: bytes) -> Iterator[tuple[int, int]]:
    order = "little" if content[:2] == b"II" else "big"
    place = _number(content, 4, 4, order)
    seen: set[int] = set()
    while place and place not in seen and len(seen) < _MOST_PARTS:
        seen.add(place)
        count = _number(content, place, 2, order)
        if count is None:
            return
        tags = dict(_tiff_tags(content, place + 2, count, order))
        if _TIFF_WIDTH in tags and _TIFF_HEIGHT in tags:
            yield tags[_TIFF_WIDTH], tags[_TIFF_HEIGHT]
        place = _number(content, place + 2 + 12 * count, 4, order)


def _tiff_tags(content: bytes, place: int, count: int, order: str) -> Iterator[tuple[int, int]]:
    for entry in range(place, min(place + 12 * count, len(content)), 12):
        tag, kind = _number(content, entry, 2, order), _number(content, entry + 2, 2, order)
        # Tags stand in their order: past the two there is nothing to look for.
        if tag is None or kind is None or tag > _TIFF_HEIGHT:
            return
        value = _number(content, entry + 8, _TIFF_BYTES.get(kind, 4), order)
        if value is not None:
            yield tag, value
