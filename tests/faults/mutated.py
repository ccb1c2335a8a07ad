"""Pictures as they should not be: cut, lying about what they are, too large, or stranger than any camera makes them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random

import numpy as np
from PIL import Image

HUGE = 50_000
ORIENTATION = 0x0112
# Formats of Pillow, with the ending that the host imports each by.
FORMATS = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif",
           "JPEG2000": ".jp2", "AVIF": ".avif", "PPM": ".png", "TGA": ".jpg", "ICO": ".png", "PCX": ".gif"}
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F")

Made = tuple[str, bytes]
Mutation = Callable[[Random, Image.Image], Made]


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def encoded(random: Random, picture: Image.Image) -> Made:
    """The picture in a format drawn at random."""
    kind = random.choice(sorted(FORMATS))
    small = picture.convert("RGB").resize((min(256, picture.width), min(256, picture.height)))
    return FORMATS[kind], saved(small if kind == "ICO" else picture.convert("RGB"), kind)


def whole(random: Random, picture: Image.Image) -> Made:
    return encoded(random, picture)


def cut(random: Random, picture: Image.Image) -> Made:
    ending, data = encoded(random, picture)
    return ending, data[: random.randrange(len(data))]


def lengthened(random: Random, picture: Image.Image) -> Made:
    ending, data = encoded(random, picture)
    return ending, data + random.randbytes(random.randrange(1, 100_000))


def wrong_ending(random: Random, picture: Image.Image) -> Made:
    return random.choice(sorted(set(FORMATS.values()))), encoded(random, picture)[1]


def flipped_bits(random: Random, picture: Image.Image) -> Made:
    """A few bytes changed, half of the time near the beginning, where a format tells what it is."""
    ending, data = encoded(random, picture)
    changed = bytearray(data)
    reach = len(changed) if random.random() < 0.5 else min(len(changed), 512)
    for _ in range(random.choice((1, 3, 20))):
        changed[random.randrange(reach)] = random.randrange(256)
    return ending, bytes(changed)


def holes(random: Random, picture: Image.Image) -> Made:
    ending, data = encoded(random, picture)
    start = random.randrange(len(data))
    return ending, data[:start] + data[start + random.randrange(1, 2000):]


def modes(random: Random, picture: Image.Image) -> Made:
    mode = random.choice(MODES)
    if mode in ("I;16", "I", "F"):
        grey = np.asarray(picture.convert("L"), dtype=np.float64)
        low, high = {"I;16": (0, 65535), "I": (-(2**31), 2**31 - 1), "F": (-1e30, 1e30)}[mode]
        wide = low + grey / 255 * (high - low)
        if mode == "F" and random.random() < 0.5:
            wide[random.randrange(wide.shape[0])] = random.choice((np.nan, np.inf, -np.inf))
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        return ".tif", saved(Image.fromarray(wide.astype(kind)), "TIFF")
    if mode in ("LAB", "HSV"):
        picture = picture.convert("RGB")
        return ".tif", saved(picture.convert("YCbCr") if mode == "HSV" else
                             Image.merge("LAB", picture.split()), "TIFF")
    made = picture.convert(mode)
    if mode == "P" and random.random() < 0.5:
        return ".png", saved(made, "PNG", transparency=random.randrange(256))
    return {"CMYK": ".jpg"}.get(mode, ".tif"), saved(made, "JPEG" if mode == "CMYK" else "TIFF")


def animated(random: Random, picture: Image.Image) -> Made:
    kind, ending = random.choice((("GIF", ".gif"), ("WEBP", ".webp"), ("PNG", ".png"), ("TIFF", ".tif")))
    frames = [picture.convert("RGB").rotate(30 * turn) for turn in range(random.randrange(2, 8))]
    return ending, saved(frames[0], kind, save_all=True, append_images=frames[1:])


def odd_exif(random: Random, picture: Image.Image) -> Made:
    """Orientations that do not exist, fractions that are not numbers, texts where numbers belong, wild bytes."""
    turn = random.choice((1, 3, 6, 8, 0, 9, 65535))
    entries = [(0x010E, 2, random.choice((1, 4, 70_000)), 200), (ORIENTATION, *random.choice((
        (3, 1, turn), (2, 4, 0x36), (5, 1, 200), (12, 1, 200), (3, 0, 0), (4, 2**31, 6)))),
        (0x011A, 5, 1, random.choice((200, 208, 2**31))), (0x8825, 4, 1, random.choice((8, 200, 2**32 - 1)))]
    # At 200: 0/0, which is no number, then 1/0, then 300/1, and NaN as a floating-point number.
    body = bytearray(struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries))
    body = bytearray(b"II*\x00\x08\x00\x00\x00") + body.ljust(192, b"\x00") + struct.pack(
        "<6Id", 0, 0, 1, 0, 300, 1, float("nan"))
    for _ in range(random.choice((0, 0, 3, 30))):
        body[random.randrange(4, len(body))] = random.randrange(256)
    kind, ending = random.choice((("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp")))
    return ending, saved(picture.convert("RGB"), kind, exif=b"Exif\x00\x00" + bytes(body))


def panorama(random: Random, picture: Image.Image) -> Made:
    """20 : 1 and more, lying or standing, of one face after another."""
    times = random.choice((20, 30))
    small = picture.convert("RGB").resize((128, 128))
    long = Image.new("RGB", (128 * times, 128))
    for place in range(times):
        long.paste(small, (128 * place, 0))
    return ".jpg", saved(long if random.random() < 0.5 else long.transpose(Image.Transpose.ROTATE_90), "JPEG")


def sliver(random: Random, picture: Image.Image) -> Made:
    """One pixel, or a line of pixels."""
    size = random.choice(((1, 1), (1, 2), (2, 1), (1, 5000), (60_000, 1), (3, 3), (1, 65_000)))
    return ".png", saved(picture.convert("RGB").resize(size), "PNG")


def no_size(random: Random, picture: Image.Image) -> Made:
    """Width or height zero, or no byte at all."""
    width, height = random.choice(((0, 0), (0, 9), (9, 0)))
    return random.choice((
        (".jpg", b""), (".png", png_of(width, height)), (".bmp", bmp_of(width, height)),
        (".gif", b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b";"),
        (".png", f"P6 {width} {height} 255 ".encode()), (".tif", tiff_of(width, height, 3))))


def bomb(random: Random, picture: Image.Image) -> Made:
    """50,000 × 50,000 pixels and more, promised by a file of a few bytes."""
    side = random.choice((HUGE, 2 * HUGE, 2**31 - 1))
    return random.choice((
        (".png", png_of(side, side)), (".bmp", bmp_of(side, side)),
        (".gif", b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b";"),
        (".png", f"P6 {side} {side} 255 ".encode()), (".tif", tiff_of(side, side, 3)),
        (".png", png_text_bomb())))


def large_header(random: Random, picture: Image.Image) -> Made:
    """TIFF headers that promise 1 GB in one strip, one entry or one directory."""
    promised = 2**30
    return ".tif", random.choice((
        tiff_of(1000, 1000, promised), tiff_of(1000, 1000, 3, extra=(0x010E, 2, promised, 8)),
        tiff_of(1000, 1000, 3, extra=(0x8769, 4, 1, promised)), b"II*\x00" + struct.pack("<I", promised),
        b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 65535) + random.randbytes(64)))


def not_pictures(random: Random, picture: Image.Image) -> Made:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 500 500\n(%stdin) (r) file\nshowpage\n%%EOF\n"
    return random.choice((
        (".jpg", svg), (".png", b"<!doctype html><title>404</title>"), (".jpg", eps), (".png", random.randbytes(5000)),
        (".gif", b"%PDF-1.4\n"), (".jpg", b"PK\x03\x04" + random.randbytes(300)), (".tif", b"\x00" * 10_000)))


MUTATIONS: tuple[Mutation, ...] = (
    whole, cut, lengthened, wrong_ending, flipped_bits, holes, modes, animated, odd_exif, panorama, sliver, no_size,
    bomb, large_header, not_pictures)


def png_of(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG that promises its size in the header and holds a few rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, (b"IHDR", b"IDAT", b"IEND"),
                                              (header, zlib.compress(rows or b"\x00" * 1000), b"")))


@cache
def png_text_bomb() -> bytes:
    """A small picture with a compressed text of 256 MB."""
    small = png_of(2, 2, b"\x00" * 14)
    text = _chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(b"\x00" * 2**28, 1))
    return small[:33] + text + small[33:]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def bmp_of(width: int, height: int) -> bytes:
    return (b"BM" + struct.pack("<IHHI", 54, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0) + b"\x00" * 100)


def tiff_of(width: int, height: int, strip: int, extra: tuple[int, int, int, int] | None = None) -> bytes:
    """A little TIFF of one strip of that many promised bytes; extra: one more entry (tag, type, count, value)."""
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
               (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, strip)]
    entries = sorted([*entries, *([extra] if extra else [])])
    return (b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries))
            + b"".join(struct.pack("<HHII", *entry) for entry in entries) + b"\x00" * 4)


def mutated(pictures: Sequence[Image.Image], count: int, seed: int = 0) -> Iterator[tuple[str, str, bytes]]:
    """Name of the mutation, ending and bytes of so many files; the same seed gives the same files."""
    random = Random(seed)
    for number in range(count):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        ending, data = mutation(random, random.choice(pictures))
        yield mutation.__name__, ending, data
