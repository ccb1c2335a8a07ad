"""Contact sheets: many thumbnails with a line of text under each."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from .crops import THUMBNAIL_SIDE, decoded

if TYPE_CHECKING:
    from PIL import Image, ImageFont

COLUMNS = 12
# A page of 12 × 40 thumbnails stays under 10 megapixels.
PAGE = 480
CAPTION, TITLE, GAP = 18, 40, 6
QUALITY = 85


def contact_sheets(title: str, pictures: Sequence[bytes | None], captions: Sequence[str]) -> Iterator[bytes]:
    """JPEG pages of thumbnails in their order; ``None`` is drawn as an empty frame."""
    for start in range(0, max(1, len(pictures)), PAGE):
        last = -(-len(pictures) // PAGE)
        heading = title if last < 2 else f"{title} ({start // PAGE + 1}/{last})"
        file = io.BytesIO()
        _page(heading, pictures[start : start + PAGE], captions[start : start + PAGE]).save(
            file, "JPEG", quality=QUALITY)
        yield file.getvalue()


def _page(title: str, pictures: Sequence[bytes | None], captions: Sequence[str]) -> Image.Image:
    from PIL import Image, ImageDraw

    columns = max(3, min(COLUMNS, len(pictures)))
    cell, row = THUMBNAIL_SIDE + GAP, THUMBNAIL_SIDE + CAPTION + GAP
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * cell + GAP, TITLE + rows * row + GAP), "white")
    draw = ImageDraw.Draw(page)
    draw.text((GAP, GAP), _fitting(title, _font(20), page.width - 2 * GAP), "black", _font(20))
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = GAP + number % columns * cell, TITLE + number // columns * row
        if picture is None:
            draw.rectangle((left, top, left + THUMBNAIL_SIDE - 1, top + THUMBNAIL_SIDE - 1), outline="#bbbbbb")
        else:
            small = Image.fromarray(decoded(picture))
            page.paste(small, (left + (THUMBNAIL_SIDE - small.width) // 2, top + (THUMBNAIL_SIDE - small.height) // 2))
        draw.text((left, top + THUMBNAIL_SIDE + 1), _fitting(caption, _font(11), THUMBNAIL_SIDE), "#333333", _font(11))
    return page


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib: Pillow's own font lacks Greek, Cyrillic and much of Latin."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """As much of the first line as fits."""
    line = " ".join(text.split())[:200]
    # Measuring takes longer than drawing: letters one by one, each measured once, are wide enough to be sure.
    ends = list(accumulate(_width(letter, font) for letter in line))
    if not ends or ends[-1] <= width:
        return line
    return line[: bisect_right(ends, width - _width("…", font))] + "…"


@cache
def _width(letter: str, font: ImageFont.FreeTypeFont) -> float:
    return font.getlength(letter)
