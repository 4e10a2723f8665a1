"""What content is, by its first bytes."""

import pytest

from cim.doors.media import media_of


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"GIF87a....", "image/gif"),
        (b"GIF89a....", "image/gif"),
        (b"II*\x00....", "image/tiff"),
        (b"MM\x00*....", "image/tiff"),
        (b"BM....\x00", "image/bmp"),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
        (b"RIFF\x01\x02\x03\x04WAVEfmt ", "application/octet-stream"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
        (b"\xff\x4f\xff\x51", "image/jp2"),
        (b"II+\x00....", "image/tiff"),
        (b"8BPS\x00\x01", "image/vnd.adobe.photoshop"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"\x00\x00\x00\x1cftypavif", "image/avif"),
        (b"\x00\x00\x00\x18ftypmp42", "application/octet-stream"),
        (b"PK\x03\x04\x14", "application/zip"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\xef\xbb\xbf junk before it %PDF-1.4", "application/pdf"),
        (b"x" * 1024 + b"%PDF-1.4", "text/plain"),
        (b"", "application/octet-stream"),
        (b"\x00\x01\x02", "application/octet-stream"),
        (b"\x89PNG", "application/octet-stream"),
        (b"plain words\n", "text/plain"),
        ("Größe".encode(), "text/plain"),
        ("Größe".encode("latin-1"), "application/octet-stream"),
        (b"<!doctype html><script>alert(1)</script>", "text/plain"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "text/plain"),
        (b"text with a zero \x00 in it", "application/octet-stream"),
    ],
)
def test_the_first_bytes_say_what_it_is(content: bytes, media: str) -> None:
    assert media_of(content) == media


@pytest.mark.parametrize("before", range(4093, 4097))
def test_a_character_that_the_look_cuts_in_two_is_still_text(before: int) -> None:
    assert media_of(b"x" * before + "🜁".encode() * 10) == "text/plain"
