"""Pictures in: any file that Pillow reads, upright, as RGB."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from ..core.errors import FacesError

Pixels = NDArray[np.uint8]

# A picture of more pixels than this is a bomb or a map; Pillow refuses it too. It is 540 MB of RGB.
MAX_PIXELS = 178_000_000
# What is read, whatever a file's name ends in; HEIF where a library taught it to Pillow. Not EPS: Pillow has
# Ghostscript run what such a file says.
FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "GIF", "WEBP", "BMP", "DIB", "PPM", "JPEG2000", "AVIF", "HEIF", "TGA", "PCX",
           "ICO", "PSD", "SGI")
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
         5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
         8: Image.Transpose.ROTATE_90}
# Wide greys are brought to 8 bits by so many rows at a time, so that they never stand in memory as floats.
BAND = 256


@dataclass(frozen=True)
class Header:
    """What a file says of its picture: its sides as stored, its EXIF orientation, 1–8, and description."""

    width: int
    height: int
    orientation: int
    description: str


def read_picture(source: Path | bytes) -> Pixels:
    """Read a picture as it is meant to be looked at.

    EXIF orientation is applied; the first frame of an animation is read; transparency is laid on white;
    16-bit and floating-point greys are scaled to 8 bits. Returns (height, width, 3) uint8 RGB.
    Raises FacesError: ``picture_missing``, ``picture_unreadable`` or ``picture_too_large``.
    """
    with _opened(source) as opened:
        opened.load()
        turn = TURNS.get(_exif(opened, ExifTags.Base.Orientation))
        upright = _as_rgb(opened)
        return np.asarray(upright if turn is None else upright.transpose(turn))


def read_header(source: Path | bytes) -> Header:
    """What a picture's file says of it, without decoding it; raises as ``read_picture``."""
    with _opened(source) as opened:
        turn = _exif(opened, ExifTags.Base.Orientation)
        described = _exif(opened, ExifTags.Base.ImageDescription)
        return Header(opened.width, opened.height, turn if turn in TURNS else 1,
                      described if isinstance(described, str) else "")


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_formats()) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise FacesError("picture_too_large", megapixels=opened.width * opened.height // 1_000_000,
                                 limit=MAX_PIXELS // 1_000_000)
            if not opened.width * opened.height:
                raise ValueError(f"{opened.width} × {opened.height}")
            yield opened
    except FacesError:
        raise
    except FileNotFoundError as error:
        raise FacesError("picture_missing") from error
    except Image.DecompressionBombError as error:
        raise FacesError("picture_too_large", megapixels=f">{MAX_PIXELS // 1_000_000}",
                         limit=MAX_PIXELS // 1_000_000) from error
    # Pillow's readers answer a broken file with almost any exception, struct.error and MemoryError among them.
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise FacesError("picture_unreadable", reason=reason[:200]) from error


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _exif(picture: Image.Image, tag: int) -> Any:
    """A value of a picture's EXIF, None where there is none or the EXIF is broken: the picture may still be sound."""
    try:
        found = picture.getexif().get(tag)
        hash(found)
        return found
    except Exception:
        return None


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGB", clear.size, "white")
        white.paste(clear, mask=clear.getchannel("A"))
        return white
    return image.convert("RGB")


def _eight_bits(grey: NDArray[Any]) -> Pixels:
    """(height, width) numbers of any kind → their greys; what is not finite is black."""
    bands = [slice(start, start + BAND) for start in range(0, len(grey), BAND)]
    ranges = [(float(band.min()), float(band.max())) for band in (_finite(grey[rows]) for rows in bands)]
    low, high = min(least for least, _ in ranges), max(most for _, most in ranges)
    if low >= 0 and 255 < high <= 65535:
        base, scale = 0.0, 1 / 257
    elif low >= 0 and 1 < high <= 255:
        base, scale = 0.0, 1.0
    else:
        base, scale = low, 255 / (high - low or 1)
    made = np.empty(grey.shape, dtype=np.uint8)
    for rows in bands:
        made[rows] = np.clip((_finite(grey[rows]) - base) * scale, 0, 255)
    return made


def _finite(grey: NDArray[Any]) -> NDArray[np.float64]:
    return np.nan_to_num(grey.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
