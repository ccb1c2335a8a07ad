"""Crops of many faces: kept in one temporary file as they come, cut out again where they are missing."""

from __future__ import annotations

import io
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FacesError
from .face_table import FaceRow
from .scan import Photo, cut_out, in_parallel

# The longer side of a thumbnail, in pixels: contact sheets, spreadsheets and the map's page.
THUMBNAIL_SIDE = 112
THUMBNAIL_QUALITY = 82


class Crops:
    """JPEG files by key, on disk; may be used from many threads."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="panoptic_faces")  # noqa: SIM115  closed by close()
        self._places: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __getitem__(self, key: str) -> bytes:
        with self._lock:
            start, length = self._places[key]
            self._file.seek(start)
            return self._file.read(length)

    def add(self, key: str, content: bytes) -> None:
        with self._lock:
            self._places[key] = (self._file.seek(0, io.SEEK_END), len(content))
            self._file.write(content)

    def close(self) -> None:
        self._file.close()


class FaceCrops:
    """The crop and the thumbnail of every face of a table, by its id."""

    def __init__(self) -> None:
        self._crops, self._thumbnails = Crops(), Crops()

    def crop(self, face: str) -> bytes:
        return self._crops[face]

    def thumbnail(self, face: str) -> bytes:
        return self._thumbnails[face]

    def has(self, face: str) -> bool:
        return face in self._crops

    def add(self, face: str, crop: bytes) -> None:
        if face not in self._crops:
            self._crops.add(face, crop)
            self._thumbnails.add(face, thumbnail(crop))

    def complete(self, rows: Sequence[FaceRow], *, workers: int | None = None,
                 seen: Callable[[int], None] = lambda faces: None) -> list[str]:
        """Cut the missing ones out of their photos; the ids of those whose photo is gone or changed get none."""
        by_photo: dict[str, list[FaceRow]] = defaultdict(list)
        for row in rows:
            if not self.has(row.id):
                by_photo[row.photo.path].append(row)
        missing: list[str] = []
        for faces, done in in_parallel(self._cut, list(by_photo.values()), workers=workers):
            seen(len(faces))
            if not done:
                missing += [row.id for row in faces]
        return missing

    def _cut(self, rows: list[FaceRow]) -> tuple[list[FaceRow], bool]:
        from ..models.pictures import read_picture

        path = Path(rows[0].photo.path)
        try:
            picture = read_picture(path)
        except FacesError:
            return rows, False
        height, width = picture.shape[:2]
        if any(row.box[0] + row.box[2] > width or row.box[1] + row.box[3] > height for row in rows):
            return rows, False
        for row in rows:
            self.add(row.id, cut_out(picture, row.box, Photo(row.photo.sha1, path.name, path)))
        return rows, True

    def close(self) -> None:
        self._crops.close()
        self._thumbnails.close()


def thumbnail(crop: bytes) -> bytes:
    """A small JPEG of a crop."""
    import cv2

    picture = cv2.imdecode(np.frombuffer(crop, dtype=np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
    if picture is None or max(picture.shape[:2]) < THUMBNAIL_SIDE:
        picture = cv2.imdecode(np.frombuffer(crop, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    scale = min(1.0, THUMBNAIL_SIDE / max(picture.shape[:2]))
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY])[1])


def decoded(thumbnail: bytes) -> NDArray[np.uint8]:
    """(height, width, 3) RGB pixels of a thumbnail."""
    import cv2

    picture = cv2.imdecode(np.frombuffer(thumbnail, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.ascontiguousarray(picture[:, :, ::-1], dtype=np.uint8)
