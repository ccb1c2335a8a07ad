"""Face regions into sidecars, into copies of photos or, told twice, into photos; and out of them again."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import FacesError
from .face_table import write_whole
from .regions import Region, Stored, read_regions, with_regions

INTO = ("sidecars", "copies", "originals")
JPEG_MARK = b"http://ns.adobe.com/xap/1.0/\x00"
# A JPEG segment holds 65,535 bytes with its length.
JPEG_LIMIT = 65_533 - len(JPEG_MARK)
PNG_SIGNATURE, PNG_KEY = b"\x89PNG\r\n\x1a\n", b"XML:com.adobe.xmp\x00"


def stored_size(photo: Path) -> Stored:
    """The sides and the orientation of a photo; raises as ``read_header``."""
    from ..models.pictures import read_header

    header = read_header(photo)
    return Stored(header.width, header.height, header.orientation)


def as_region(name: str, box: Sequence[int], stored: Stored) -> Region:
    """A box in pixels of the upright photo, with a name, as a region."""
    width, height = (stored.width, stored.height) if stored.orientation < 5 else (stored.height, stored.width)
    x, y, across, down = box
    return Region(name, (x / width, y / height, across / width, down / height))


def sidecar_of(photo: Path) -> Path:
    """``photo.jpg.xmp``, or ``photo.xmp`` where that exists: digiKam's way and Lightroom's."""
    short = photo.with_suffix(".xmp")
    return short if short.exists() and not _named_after_file(photo).exists() else _named_after_file(photo)


def write_sidecar(photo: Path, regions: Sequence[Region], folder: Path | None = None, *, merge: bool = False) -> Path:
    """Write regions to the sidecar of a photo, beside it or in a folder; what one says already stays.

    Raises FacesError ``file_exists`` for a sidecar that is there, unless ``merge``; ``xmp_unreadable``; and those of
    ``stored_size``.
    """
    target = folder / f"{photo.name}.xmp" if folder else sidecar_of(photo)
    if target.exists() and not merge:
        raise FacesError("file_exists", file=str(target))
    before = target.read_bytes() if target.exists() else None
    write_whole(target, with_regions(before, regions, stored_size(photo)))
    return target


def write_into(photo: Path, regions: Sequence[Region], target: Path) -> None:
    """Write a copy of a photo with regions added to what its own XMP says; not one bit of the picture changes.

    target: a new file, or the photo itself. Raises FacesError ``file_exists``, ``xmp_kind`` for files that are
    neither JPEG nor PNG, ``xmp_too_large``, ``xmp_unreadable``, and those of ``stored_size``.
    """
    if target != photo and target.exists():
        raise FacesError("file_exists", file=str(target))
    stored, content = stored_size(photo), photo.read_bytes()
    packet = with_regions(embedded(content), regions, stored)
    if content.startswith(b"\xff\xd8"):
        changed = _into_jpeg(content, packet)
    elif content.startswith(PNG_SIGNATURE):
        changed = _into_png(content, packet)
    else:
        raise FacesError("xmp_kind", file=photo.name)
    write_whole(target, changed)


def read_photo(photo: Path) -> list[Region]:
    """The face regions of a photo, upright: of its sidecar, or its own where there is none."""
    sidecar = sidecar_of(photo)
    packet = sidecar.read_bytes() if sidecar.exists() else embedded(photo.read_bytes())
    return read_regions(packet, stored_size(photo).orientation) if packet else []


def embedded(content: bytes) -> bytes | None:
    """The XMP packet of a JPEG or PNG file; None where there is none."""
    if content.startswith(b"\xff\xd8"):
        for start, end in _jpeg_segments(content):
            if content[start + 4 : end].startswith(JPEG_MARK):
                return content[start + 4 + len(JPEG_MARK) : end]
    elif content.startswith(PNG_SIGNATURE):
        for start, end in _png_chunks(content):
            body = content[start + 8 : end - 4]
            if content[start + 4 : start + 8] == b"iTXt" and body.startswith(PNG_KEY):
                compressed = body[len(PNG_KEY)]
                text = body[len(PNG_KEY) + 2 :].split(b"\x00", 2)[2]
                return zlib.decompress(text) if compressed else text
    return None


def _named_after_file(photo: Path) -> Path:
    return photo.with_name(photo.name + ".xmp")


def _jpeg_segments(content: bytes) -> list[tuple[int, int]]:
    """Start and end of every segment before the picture's own data."""
    found, place = [], 2
    while place + 4 <= len(content) and content[place] == 0xFF and content[place + 1] not in (0xDA, 0xD9):
        if content[place + 1] == 0xFF:
            place += 1
            continue
        end = place + 2 + struct.unpack(">H", content[place + 2 : place + 4])[0]
        found.append((place, end))
        place = end
    return found


def _into_jpeg(content: bytes, packet: bytes) -> bytes:
    if len(packet) > JPEG_LIMIT:
        raise FacesError("xmp_too_large", size=len(packet), limit=JPEG_LIMIT)
    body = JPEG_MARK + packet
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    segments = _jpeg_segments(content)
    kept = [content[start:end] for start, end in segments if not content[start + 4 : end].startswith(JPEG_MARK)]
    # JFIF and EXIF come first.
    first = next((place for place, part in enumerate(kept) if part[1] not in (0xE0, 0xE1)), len(kept))
    rest = content[segments[-1][1] if segments else 2 :]
    return b"".join([content[:2], *kept[:first], segment, *kept[first:], rest])


def _png_chunks(content: bytes) -> list[tuple[int, int]]:
    found, place = [], len(PNG_SIGNATURE)
    while place + 12 <= len(content):
        end = place + 12 + struct.unpack(">I", content[place : place + 4])[0]
        found.append((place, end))
        place = end
    return found


def _into_png(content: bytes, packet: bytes) -> bytes:
    body = b"iTXt" + PNG_KEY + b"\x00\x00\x00\x00" + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    chunks = _png_chunks(content)
    kept = [content[start:end] for start, end in chunks
            if not content[start + 4 : end].startswith(b"iTXt" + PNG_KEY)]
    return b"".join([content[: len(PNG_SIGNATURE)], kept[0], chunk, *kept[1:], content[chunks[-1][1] :]])


@dataclass
class Written:
    """What was written for each photo, and the photos for which nothing could be."""

    files: list[Path] = field(default_factory=list)
    skipped: list[tuple[Path, FacesError]] = field(default_factory=list)


def write_people(faces: Mapping[Path, Sequence[tuple[str, Sequence[int]]]], into: str, out: Path | None = None, *,
                 merge: bool = False, sure: bool = False, seen: Callable[[], None] = lambda: None) -> Written:
    """Write names and boxes (x, y, width, height in pixels of the upright photo) for each photo.

    into: ``sidecars`` beside the photos or below ``out``; ``copies`` below ``out`` (with a sidecar where a kind of
    file cannot hold the names); ``originals``, only with ``sure``. A photo that is gone, or whose target exists, is
    skipped and told. Raises FacesError ``into_unknown``, ``originals_twice`` or ``out_needed``.
    """
    if into not in INTO:
        raise FacesError("into_unknown", got=into, allowed=", ".join(INTO))
    if into == "originals" and not sure:
        raise FacesError("originals_twice")
    if into == "copies" and out is None:
        raise FacesError("out_needed")
    root = Path(os.path.commonpath([str(photo.parent) for photo in faces])) if faces else Path()
    written = Written()
    for photo, named in faces.items():
        try:
            stored = stored_size(photo)
            regions = [as_region(name, box, stored) for name, box in named]
            below = out / photo.parent.relative_to(root) if out else None
            written.files.append(_write(photo, regions, into, below, merge))
        except FacesError as error:
            written.skipped.append((photo, error))
        seen()
    return written


def _write(photo: Path, regions: Sequence[Region], into: str, folder: Path | None, merge: bool) -> Path:
    if into == "sidecars":
        return write_sidecar(photo, regions, folder, merge=merge)
    target = folder / photo.name if folder and into == "copies" else photo
    try:
        write_into(photo, regions, target)
    except FacesError as error:
        if error.code != "xmp_kind" or target == photo:
            raise
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(photo, target)
        return write_sidecar(target, regions, merge=merge)
    return target
