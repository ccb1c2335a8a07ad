"""The part of an archive that concerns the photos of a project, read in place of a scan."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import FacesError
from ..services.rescan import Box
from ..services.scan import FoundFace, Photo, ScannedPhoto
from .dataset import Dataset

# Parts whose rows are held while threads read their photos one after another.
HELD_PARTS = 4
# How far the sides of two copies of a picture may differ in proportion.
SAME_SHAPE = 0.01


@dataclass(frozen=True)
class Place:
    """Where the archive has a photo: its part, and its address there. exact: the contents are the same."""

    part: str
    address: str
    exact: bool


class ArchiveScanner:
    """Gives photos the faces that an archive has of them; to be called as a scanner, from many threads."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._held: OrderedDict[str, pa.Table] = OrderedDict()
        self._lock = threading.Lock()
        self.places: dict[str, Place] = {}

    def find(self, photos: Mapping[str, str]) -> list[str]:
        """Look photos up, by SHA-1 the path or name of each; gives those that are there, in the archive's order.

        A photo is found by its content; else by its path, where the path below what was encoded is the end of its own
        and both are the only ones so. Photos that the archive could not read are not found.
        """
        by_name: dict[str, list[str]] = {}
        for sha1, path in photos.items():
            by_name.setdefault(path.rpartition("/")[2], []).append(sha1)
        exact: dict[str, Place] = {}
        likely: dict[str, list[Place]] = {}
        for part in self._dataset.parts():
            rows = self._dataset.read(part, ["photo", "path", "photo_sha1", "face", "error"])
            rows = rows.filter(pc.and_(pc.less_equal(rows["face"], 1), pc.equal(rows["error"], "")))
            for address, path, sha1 in zip(*(rows[name].to_pylist() for name in ("photo", "path", "photo_sha1")),
                                           strict=True):
                if sha1 in photos:
                    exact.setdefault(sha1, Place(part, address, True))
                    continue
                ends = [other for other in by_name.get(path.rpartition("/")[2], ())
                        if f"/{photos[other]}".endswith(f"/{path}")]
                if len(ends) == 1:
                    likely.setdefault(ends[0], []).append(Place(part, address, False))
        single = {sha1: places[0] for sha1, places in likely.items() if len(places) == 1}
        self.places = {**single, **exact}
        return sorted(self.places, key=lambda sha1: (self.places[sha1].part, self.places[sha1].address))

    def scan(self, photos: Sequence[Photo]) -> list[ScannedPhoto]:
        """What the archive has of photos that were found."""
        return [self._scanned(photo) for photo in photos]

    def _scanned(self, photo: Photo) -> ScannedPhoto:
        place = self.places[photo.sha1]
        try:
            rows = self._rows(place)
            scale = 1.0 if place.exact else _scale(photo, rows)
        except FacesError as error:
            return ScannedPhoto(photo, error=error)
        return ScannedPhoto(photo, tuple(_face(row, scale) for row in rows if row["face"]))

    def _rows(self, place: Place) -> list[dict[str, Any]]:
        with self._lock:
            if place.part in self._held:
                self._held.move_to_end(place.part)
            else:
                self._held[place.part] = self._dataset.read(place.part)
                while len(self._held) > HELD_PARTS:
                    self._held.popitem(last=False)
            table = self._held[place.part]
        rows: list[dict[str, Any]] = table.filter(pc.equal(table["photo"], place.address)).to_pylist()
        return rows

    def people(self, people: str, photos: Mapping[str, Photo]) -> Iterator[tuple[str, list[Box], list[int]]]:
        """For photos that were found: SHA-1, the boxes of the archive's faces on it, and the person of each.

        people: the address of a clustering of the archive. Raises FacesError ``people_missing``.
        """
        from .cluster import LABELS

        labels = Dataset(f"{people.rstrip('/')}/{LABELS}")
        if not labels.fs.isdir(labels.root):
            raise FacesError("people_missing", address=people)
        wanted = {place.address: sha1 for sha1, place in self.places.items()}
        there = set(labels.parts())
        for part in sorted({place.part for place in self.places.values()} & there):
            columns = ["photo", "face", "x", "y", "width", "height", "photo_width", "photo_height"]
            rows = self._dataset.read(part, columns, filters=[("face", ">", 0)])
            person = {(address, face): number for address, face, number in zip(
                *(labels.read(part)[name].to_pylist() for name in ("photo", "face", "person")), strict=True)}
            faces: dict[str, list[dict[str, Any]]] = {}
            for row in rows.to_pylist():
                faces.setdefault(row["photo"], []).append(row)
            for address, own in faces.items():
                sha1 = wanted.get(address)
                if sha1 is not None:
                    scale = 1.0 if self.places[sha1].exact else _scale(photos[sha1], own)
                    yield (sha1, [_box(row, scale) for row in own],
                           [person.get((address, row["face"]), -1) for row in own])


def _scale(photo: Photo, rows: Sequence[Mapping[str, Any]]) -> float:
    """How many pixels of the photo are one of the archive's; raises FacesError ``archive_other_picture``."""
    from PIL import Image

    there = rows[0]["photo_width"], rows[0]["photo_height"]
    try:
        with Image.open(photo.source if isinstance(photo.source, Path) else _file(photo.source)) as opened:
            here = opened.size
    except OSError as error:
        raise FacesError("picture_unreadable", reason=f"{type(error).__name__}: {error}"[:200]) from error
    if not all(there) or abs(here[0] * there[1] / (here[1] * there[0]) - 1) > SAME_SHAPE:
        raise FacesError("archive_other_picture", here=f"{here[0]} × {here[1]}", there=f"{there[0]} × {there[1]}")
    return float(here[0] / there[0])


def _file(content: bytes) -> Any:
    import io

    return io.BytesIO(content)


def _box(row: Mapping[str, Any], scale: float) -> Box:
    x, y, width, height = (round(row[side] * scale) for side in ("x", "y", "width", "height"))
    return x, y, width, height


def _face(row: Mapping[str, Any], scale: float) -> FoundFace:
    landmarks = np.array(row["landmarks"], dtype=np.float32).reshape(-1, 2) * np.float32(scale)
    return FoundFace(_box(row, scale), landmarks, row["confidence"], row["sharpness"],
                     np.array(row["vector"], dtype=np.float32), row["crop"])
