"""Picture files, opened with care and made ready for reading."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFilter, ImageOps, ImageSequence, UnidentifiedImageError

from cim.domain.errors import Failure
from cim.ports.reading import PIXEL_LIMIT

FRAME_LIMIT = 100
# What Pillow opens for others may start programs, such as Ghostscript.
_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "JPEG2000", "PPM")
_GRAIN = 3.0
_TILT_PIXELS = 300_000
# Greys of 0 to 255, and the share of bright areas below which a dark picture is white print on black.
_DARK, _BRIGHT, _BRIGHT_SHARE = 90, 170, 0.03

_WIDE_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")


def grey_pages(picture: bytes, pixel_limit: int = PIXEL_LIMIT) -> Iterator[Image.Image]:
    """The pages of a picture file in 8-bit grey, upright as its EXIF data says.

    A TIFF may hold several pages; of other formats (an animation, a photo with a
    preview) the first picture counts. Raises `Failure` for what is no picture, is cut
    off, or is larger than `pixel_limit` a page or `FRAME_LIMIT` pages.
    """
    try:
        with Image.open(io.BytesIO(picture), formats=_FORMATS) as image:
            for number, frame in enumerate(_frames(image), start=1):
                _check_size(frame, number, pixel_limit)
                yield _grey(ImageOps.exif_transpose(frame))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Failure(f"The picture is too large: {error}. Scan it at a lower resolution.") from error
    except UnidentifiedImageError as error:
        raise Failure(_not_a_picture(picture)) from error
    # Pillow's decoders raise whatever their format's reader stumbled over.
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, OverflowError) as error:
        raise Failure(f"The picture is damaged ({error}). Scan or export it again.") from error


def _frames(image: Image.Image) -> Iterator[Image.Image]:
    if image.format != "TIFF":
        yield image
        return
    for number, frame in enumerate(ImageSequence.Iterator(image), start=1):
        if number > FRAME_LIMIT:
            raise Failure(f"The picture has more than {FRAME_LIMIT} pages. Split it and hand in the parts.")
        yield frame


def _check_size(frame: Image.Image, number: int, pixel_limit: int) -> None:
    if frame.width * frame.height > pixel_limit:
        raise Failure(
            f"Page {number} of the picture is too large: {frame.width} x {frame.height} pixels; "
            f"{pixel_limit / 1_000_000:g} million are the limit. Scan it at a lower resolution."
        )


def _not_a_picture(content: bytes) -> str:
    if not content:
        return "The picture is empty: 0 bytes. Hand it in again."
    return "This is no picture that can be opened. Hand in a JPEG, PNG, TIFF, WebP, BMP or GIF."


def _grey(image: Image.Image) -> Image.Image:
    if image.mode in _WIDE_MODES:
        return _grey_of_wide(image)
    if image.mode == "P" or "A" in image.mode or "transparency" in image.info:
        # Paper is white where nothing was drawn.
        drawn = image.convert("RGBA")
        paper = Image.new("RGBA", drawn.size, "white")
        return Image.alpha_composite(paper, drawn).convert("L")
    return image.convert("L")


def _grey_of_wide(image: Image.Image) -> Image.Image:
    # Pillow clips 16-bit and float values at 255 on conversion: stretch them first.
    values = image.convert("F")
    low, high = values.getextrema()
    assert isinstance(low, float)
    assert isinstance(high, float)
    span = (high - low) or 1.0
    return values.point(lambda value: value * (255.0 / span) - low * (255.0 / span)).convert("L")


def resized(image: Image.Image, scale: float) -> Image.Image:
    """The picture at another size; itself at scale 1."""
    if scale == 1.0:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX)


def dark_on_light(image: Image.Image) -> Image.Image:
    """The picture with its print darker than its paper: white print on black is turned about.

    A page on a dark table is mostly dark, too, but has areas of white paper; white strokes alone make none.
    """
    areas = np.asarray(resized(image, 1 / 16))
    dark = float(np.median(areas)) < _DARK and float((areas > _BRIGHT).mean()) < _BRIGHT_SHARE
    return ImageOps.invert(image) if dark else image


def even_light(image: Image.Image) -> Image.Image:
    """The picture with its paper made evenly white.

    Each place is divided by the brightest paper near it, so that shadows, yellowed paper and
    creases no longer outweigh faint print. The dark lid of the scanner around the paper
    becomes white.
    """
    small = resized(image, 1 / 8)
    near = small.filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.GaussianBlur(4))
    paper = np.asarray(near.resize(image.size, Image.Resampling.BILINEAR), dtype=np.float32)
    light = np.asarray(image, dtype=np.float32) / np.maximum(paper, 32.0)
    even = Image.fromarray(np.clip(light * 255.0, 0.0, 255.0).astype(np.uint8))
    even.paste(255, mask=_lid(small).resize(image.size, Image.Resampling.BILINEAR))
    return even


def _lid(small: Image.Image) -> Image.Image:
    """A mask of what is dark and reaches in from the edge, a little widened."""
    grey = np.asarray(small, dtype=np.float32)
    dark = grey < 0.35 * float(np.percentile(grey, 85))
    inside = np.zeros_like(dark)
    inside[1:-1, 1:-1] = True
    lid = dark & ~inside
    for _ in range(max(grey.shape)):
        wider = lid.copy()
        wider[1:] |= lid[:-1]
        wider[:-1] |= lid[1:]
        wider[:, 1:] |= lid[:, :-1]
        wider[:, :-1] |= lid[:, 1:]
        wider &= dark
        if np.array_equal(wider, lid):
            break
        lid = wider
    mask = Image.fromarray(lid.astype(np.uint8) * 255)
    return mask.filter(ImageFilter.MaxFilter(5))


def without_grain(image: Image.Image) -> Image.Image:
    """The picture without the grain of a noisy camera or scanner; itself where there is little.

    Smoothing costs clean print its fine strokes, so it is done only where the median pixel
    differs from its neighbours.
    """
    smooth = image.filter(ImageFilter.MedianFilter(3))
    apart = np.abs(np.asarray(image, dtype=np.int16) - np.asarray(smooth, dtype=np.int16))
    return smooth if float(np.median(apart)) > _GRAIN else image


def tilt_of(image: Image.Image) -> float:
    """By how many degrees counter-clockwise a page must be turned for its lines to be level.

    At the right angle rows of print and rows of paper differ most. Looked for within 16
    degrees either way, to a quarter of a degree; 0 for a page without print.
    """
    small = resized(image, min(1.0, (_TILT_PIXELS / (image.width * image.height)) ** 0.5))
    grey = np.asarray(small)
    ink = Image.fromarray(((grey < 0.75 * float(np.median(grey))) * 255).astype(np.uint8))

    def contrast(degrees: float) -> float:
        rows = np.asarray(ink.rotate(degrees), dtype=np.float32).sum(axis=1)
        return float(np.square(np.diff(rows)).sum())

    coarse = max((float(degrees) for degrees in range(-16, 17)), key=contrast)
    fine = max((coarse + step / 4 for step in range(-3, 4)), key=contrast)
    return fine if contrast(fine) > 1.2 * contrast(0.0) else 0.0


def inked_part(image: Image.Image) -> Image.Image:
    """A part of a page with print in it, 0.6 of its width and height, around the middle of its print."""
    grey = np.asarray(resized(image, 1 / 8))
    ink = np.argwhere(grey < 0.75 * float(np.median(grey)))
    across, down = (0.6 * image.width, 0.6 * image.height)
    y, x = (float(middle) * 8 for middle in np.median(ink, axis=0)) if len(ink) else (down, across)
    left = min(max(0.0, x - across / 2), image.width - across)
    top = min(max(0.0, y - down / 2), image.height - down)
    return image.crop((int(left), int(top), math.ceil(left + across), math.ceil(top + down)))
