"""Pictures in: any file that Pillow reads, upright, as RGB."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ..core.errors import FacesError

Pixels = NDArray[np.uint8]

# A picture of more pixels than this is a bomb or a map: 200 megapixels are 600 MB of RGB.
MAX_PIXELS = 200_000_000


def read_picture(source: Path | bytes) -> Pixels:
    """Read a picture as it is meant to be looked at.

    EXIF orientation is applied; the first frame of an animation is read; transparency is laid on white;
    16-bit and floating-point greys are scaled to 8 bits. Returns (height, width, 3) uint8 RGB.
    Raises FacesError: ``picture_missing``, ``picture_unreadable`` or ``picture_too_large``.
    """
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise FacesError("picture_too_large", megapixels=opened.width * opened.height // 1_000_000,
                                 limit=MAX_PIXELS // 1_000_000)
            opened.load()
            return np.asarray(_as_rgb(ImageOps.exif_transpose(opened)))
    except FileNotFoundError as error:
        raise FacesError("picture_missing") from error
    except Image.DecompressionBombError as error:
        raise FacesError("picture_too_large", megapixels=">" + str(2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6),
                         limit=MAX_PIXELS // 1_000_000) from error
    # Pillow's readers answer a broken file with almost any of the built-in exceptions.
    except (OSError, ValueError, SyntaxError, TypeError, IndexError, KeyError, OverflowError, EOFError,
            AttributeError, ZeroDivisionError, MemoryError, RuntimeError) as error:
        raise FacesError("picture_unreadable", reason=f"{type(error).__name__}: {error}"[:200]) from error


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return image.convert("RGB")


def _eight_bits(grey: NDArray[np.float64]) -> Pixels:
    grey = np.nan_to_num(grey, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(grey.min()), float(grey.max())
    if low >= 0 and 255 < high <= 65535:
        return (grey / 257).astype(np.uint8)
    if low >= 0 and 1 < high <= 255:
        return grey.astype(np.uint8)
    return ((grey - low) * (255 / (high - low or 1))).astype(np.uint8)
