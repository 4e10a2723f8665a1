"""A picture's size by its header, held against Pillow's files, and against garbage."""

import io
import random

import pytest
from PIL import Image

from cim.doors.dimensions import dimensions
from cim.doors.media import media_of

SIZE = (301, 207)


def file_of(kind: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.effect_noise(SIZE, 60).convert(mode).save(file, kind, **options)
    return file.getvalue()


FILES = {
    "png": file_of("PNG"),
    "gif": file_of("GIF", "P"),
    "bmp": file_of("BMP"),
    "jpeg": file_of("JPEG"),
    "jpeg in scans": file_of("JPEG", progressive=True),
    "jpeg with a profile": file_of("JPEG", icc_profile=bytes(100_000), comment=b"of no use"),
    "webp": file_of("WEBP"),
    "webp without loss": file_of("WEBP", lossless=True),
    "webp with transparency": file_of("WEBP", "RGBA", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"),
    "tiff": file_of("TIFF"),
    "tiff of bits": file_of("TIFF", "1", compression="group4"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_header_says_what_pillow_says(name: str) -> None:
    content = FILES[name]
    assert dimensions(content, media_of(content)) == SIZE


def test_of_several_pages_the_largest_counts() -> None:
    file = io.BytesIO()
    pages = [Image.new("L", size) for size in ((10, 10), (500, 400), (20, 20))]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    assert dimensions(file.getvalue(), "image/tiff") == (500, 400)


def test_old_and_upside_down_bitmaps() -> None:
    old = (
        b"BM"
        + bytes(12)
        + (12).to_bytes(4, "little")
        + (70).to_bytes(2, "little")
        + (90).to_bytes(2, "little")
    )
    assert dimensions(old, "image/bmp") == (70, 90)
    from_top = b"BM" + bytes(12) + (40).to_bytes(4, "little") + (70).to_bytes(4, "little")
    assert dimensions(from_top + (-90).to_bytes(4, "little", signed=True), "image/bmp") == (70, 90)


def test_what_is_no_picture_has_no_size() -> None:
    assert dimensions(b"%PDF-1.7", "application/pdf") is None
    assert dimensions(b"", "image/png") is None


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_header_gives_a_size_or_none_and_nothing_else(name: str) -> None:
    content, media, chance = FILES[name], media_of(FILES[name]), random.Random(name)
    for cut in (*range(64), *(chance.randrange(len(content)) for _ in range(64))):
        dimensions(content[:cut], media)
    for _ in range(300):
        harmed = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            harmed[chance.randrange(min(len(harmed), 400))] = chance.randrange(256)
        found = dimensions(bytes(harmed), media)
        assert found is None or min(found) >= 0


def test_a_jpeg_that_loses_its_way_has_no_size() -> None:
    content = FILES["jpeg"]
    assert dimensions(content[:2] + b"\x00" + content[2:], "image/jpeg") is None


def test_a_tiff_whose_pages_point_at_each_other_ends() -> None:
    page = (1).to_bytes(2, "little") + bytes(12)
    loop = b"II*\0" + (8).to_bytes(4, "little") + page + (8).to_bytes(4, "little")
    assert dimensions(loop, "image/tiff") is None
