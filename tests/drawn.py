"""Photos of people who never lived, drawn: for pictures of the page that anybody may see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
SIDE = 360
# Drawn larger and reduced, for smooth edges. The picture is 100 units wide.
SCALE = 3
UNIT = SIDE * SCALE / 100


@dataclass(frozen=True)
class Looks:
    """A person's features; lengths in units."""

    skin: Colour
    hair: Colour
    eyes: Colour
    half_width: float
    jaw: float
    eye_gap: float
    eye_size: float
    nose: float
    nostrils: float
    mouth: float
    mouth_at: float
    brow: float
    style: str
    lips: Colour = (175, 90, 85)
    beard: Colour | None = None
    glasses: Colour | None = None
    moustache: bool = False


PEOPLE = (
    Looks((236, 196, 170), (60, 40, 25), (70, 110, 160), 20, 0.8, 8.6, 1.0, 11, 3.2, 8, 66, 1.2, "short"),
    Looks((150, 100, 70), (20, 15, 12), (50, 30, 20), 18, 0.7, 7.6, 1.15, 9, 3.8, 9, 65, 0.8, "long",
          lips=(150, 40, 60)),
    Looks((225, 180, 150), (205, 170, 90), (90, 130, 80), 17, 0.62, 8.2, 1.2, 8, 2.4, 6.5, 64, 0.6, "long",
          lips=(200, 50, 70), glasses=(40, 40, 60)),
    Looks((205, 160, 125), (120, 120, 125), (60, 45, 30), 22, 0.95, 9.6, 0.8, 13, 4.5, 10, 68, 1.8, "bald",
          beard=(150, 150, 150)),
    Looks((240, 205, 185), (170, 70, 30), (70, 120, 110), 19.5, 0.85, 9.3, 0.95, 10, 3, 9, 66, 1.3, "short",
          beard=(160, 70, 35)),
    Looks((105, 68, 48), (25, 20, 20), (35, 22, 15), 21, 0.9, 9.4, 0.95, 11, 5.2, 9.5, 67, 1.5, "short",
          glasses=(230, 210, 120), moustache=True),
)


def draw_people(folder: Path, photos_each: int = 6) -> list[Path]:
    """Write photos of every one of ``PEOPLE``, as ``person-photo.jpg``."""
    written = []
    for number, looks in enumerate(PEOPLE):
        for photo in range(photos_each):
            written.append(folder / f"{number}-{photo}.jpg")
            portrait(looks, np.random.default_rng(100 * number + photo)).save(written[-1], quality=92)
    return written


def portrait(looks: Looks, random: np.random.Generator) -> Image.Image:
    """A photo: the same features in another light, at another angle, before another wall, with another smile."""
    wall, coat = _colour(random, 110, 220), _colour(random, 30, 200)
    picture = Image.new("RGB", (SIDE * SCALE, SIDE * SCALE), wall)
    draw = ImageDraw.Draw(picture)
    _head(draw, looks, coat)
    _eyes(draw, looks, random)
    _nose_and_mouth(draw, looks, float(random.uniform(-0.5, 2)))
    angle, blurred = float(random.uniform(-8, 8)), picture.filter(ImageFilter.GaussianBlur(0.7 * UNIT))
    turned = blurred.rotate(angle, Image.Resampling.BICUBIC, fillcolor=wall)
    pixels = np.asarray(turned.resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=np.float32)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    light = (1 - 0.7 * (x**2 + y**2)) * (1 + 0.3 * (random.uniform(-1, 1) * x + random.uniform(-1, 0.3) * y))
    grain = random.normal(0, 4, (SIDE, SIDE, 1))
    lit = pixels * (light * random.uniform(0.88, 1.08))[..., None] + grain
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))


def _head(draw: ImageDraw.ImageDraw, looks: Looks, coat: Colour) -> None:
    oval, width, skin = _oval(draw), looks.half_width, looks.skin
    if looks.style == "long":
        oval(50, 52, width + 8, 36, looks.hair)
    oval(50, 104, 40, 26, coat)
    draw.polygon(_units(43, 66, 57, 66, 59, 86, 41, 86), fill=_times(skin, 0.78))
    if looks.style != "bald":
        oval(50, 40, width + 3, 24, looks.hair)
    for side in (-1, 1):
        oval(50 + side * width, 51, 3, 5, _times(skin, 0.78))
    oval(50, 44, width, 21, skin)
    jaw = width * looks.jaw
    draw.polygon(_units(50 - width, 46, 50 + width, 46, 50 + jaw, 66, 50 + jaw * 0.45, 78, 50 - jaw * 0.45, 78,
                        50 - jaw, 66), fill=skin)
    oval(50, 64, jaw, 14.5, skin)
    for side in (-1, 1):
        oval(50 + side * width * 0.55, 59, 4.5, 4.5, _times(skin, 1.06))
    if looks.beard:
        draw.chord(_units(50 - width, 40, 50 + width, 82), 15, 165, fill=looks.beard)
        oval(50, looks.mouth_at, looks.mouth + 1, 4.2, skin)
    if looks.style != "bald":
        draw.chord(_units(50 - width, 21, 50 + width, 50), 185, 355, fill=looks.hair)


def _eyes(draw: ImageDraw.ImageDraw, looks: Looks, random: np.random.Generator) -> None:
    oval, size = _oval(draw), looks.eye_size
    for side in (-1, 1):
        x = 50 + side * looks.eye_gap
        oval(x, 48, 5.4 * size, 3.9 * size, _times(looks.skin, 0.78))
        oval(x, 48, 4.4 * size, 2.5 * size, (246, 244, 240))
        oval(x, 48, 2.1 * size, 2.3 * size, looks.eyes)
        oval(x, 48, 1.1 * size, 1.2 * size, (10, 10, 10))
        oval(x + 0.7, 47.3, 0.45, 0.45, (255, 255, 255))
        draw.arc(_units(x - 6, 40.5 - float(random.uniform(0, 0.8)), x + 6, 50), 200, 340,
                 fill=_times(looks.hair, 0.6), width=int(looks.brow * UNIT))
    if looks.glasses:
        for side in (-1, 1):
            x = 50 + side * looks.eye_gap
            draw.ellipse(_units(x - 6.6, 42.5, x + 6.6, 54), outline=looks.glasses, width=int(UNIT))
        reach = looks.eye_gap - 6.6
        draw.line(_units(50 - reach, 47, 50 + reach, 47), fill=looks.glasses, width=int(UNIT))


def _nose_and_mouth(draw: ImageDraw.ImageDraw, looks: Looks, smile: float) -> None:
    oval, tip, wide = _oval(draw), 47 + looks.nose, looks.nostrils
    shade = _times(looks.skin, 0.78)
    draw.polygon(_units(50.3, 48, 50 - wide, tip, 50, tip + 1.5), fill=shade)
    oval(50, tip, wide, 1.8, shade)
    oval(50, tip - 1, wide * 0.75, 1.6, looks.skin)
    for side in (-1, 1):
        oval(50 + side * wide * 0.55, tip + 0.6, 0.6, 0.4, _times(looks.skin, 0.5))
    left, right, at = 50 - looks.mouth, 50 + looks.mouth, looks.mouth_at
    if looks.moustache:
        draw.chord(_units(left, tip + 1, right, tip + 9), 180, 360, fill=looks.hair)
    draw.chord(_units(left, at - 4 - smile, right, at + 4 + smile), 8, 172, fill=looks.lips)
    draw.line(_units(left + 0.5, at, right - 0.5, at), fill=_times(looks.lips, 0.6), width=int(0.6 * UNIT))


def _oval(draw: ImageDraw.ImageDraw) -> Callable[[float, float, float, float, Colour], None]:
    return lambda x, y, width, height, fill: draw.ellipse(
        _units(x - width, y - height, x + width, y + height), fill=fill)


def _units(*lengths: float) -> list[float]:
    return [length * UNIT for length in lengths]


def _times(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, int(level * factor)) for level in colour)
    return red, green, blue


def _colour(random: np.random.Generator, low: int, high: int) -> Colour:
    red, green, blue = random.integers(low, high, 3).tolist()
    return red, green, blue
