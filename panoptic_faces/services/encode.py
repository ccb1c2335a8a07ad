"""A folder of photos into a table of faces; stopped at any moment, it is taken up where it was."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..core.errors import FacesError
from .crops import FaceCrops
from .face_table import FaceTable, PhotoRow, face_id, read_table, write_csv, write_table
from .scan import PHOTOS_AT_ONCE, FaceScanner, FoundFace, Photo, ScannedPhoto, in_parallel

PICTURES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".pgm", ".ppm", ".pbm", ".pnm", ".bmp", ".webp", ".tif", ".tiff",
    ".gif", ".jp2", ".j2k", ".avif", ".tga"})


@dataclass
class Encoded:
    """What is known of the photos of one content: their faces, or why there are none."""

    faces: Sequence[FoundFace] = ()
    error: str = ""


@dataclass
class Encoding:
    """What an encoding did: the table, how many photos were new, the photos that could not be read, and how many faces
    of new photos were too small."""

    table: FaceTable
    new: int = 0
    unreadable: list[PhotoRow] = field(default_factory=list)
    too_small: int = 0


def find_photos(sources: Iterable[Path]) -> list[Path]:
    """Files, and every picture in folders that is not hidden, sorted, each once; raises FacesError ``no_photos``."""
    found: set[Path] = set()
    listed = list(sources)
    for source in listed:
        if not source.is_dir():
            found.add(source.resolve())
            continue
        for folder, folders, files in os.walk(source.resolve()):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found |= {Path(folder) / name for name in files
                      if not name.startswith(".") and Path(name).suffix.lower() in PICTURES}
    if not found:
        raise FacesError("no_photos", folders=", ".join(map(str, listed)))
    return sorted(found)


def encode(photos: Sequence[Path], out: Path, scanner: FaceScanner, settings: Mapping[str, str], *,
           workers: int | None = None, crops: FaceCrops | None = None,
           seen: Callable[[], None] = lambda: None) -> Encoding:
    """Write the faces of photos to ``out`` and to a CSV beside it.

    Photos whose content ``out`` or its journal knows are not computed again; what ``out`` holds of other photos
    stays. crops: is given the crops on the way. Raises FacesError ``faces_settings`` where ``out`` was made with
    other settings, and those of ``read_table``.
    """
    before = read_table(out) if out.exists() else None
    _check_settings(before.settings if before else settings, settings, out)
    known = _known(before) if before else {}
    journal = Journal(out.with_name(out.name + ".part"), settings)
    known |= journal.known
    rows: dict[str, PhotoRow] = {row.path: row for row in (before.photos if before else ())}
    new, too_small, unreadable = 0, 0, []

    def work(paths: Sequence[Path]) -> list[tuple[Path, str, ScannedPhoto | None]]:
        read = [_read(path) for path in paths]
        scans = scanner.scan([photo for photo in read if not isinstance(photo, ScannedPhoto)
                              and photo.sha1 not in known])
        scanned = {scan.photo.sha1: scan for scan in scans}
        return [(path, photo.photo.sha1, photo) if isinstance(photo, ScannedPhoto) else
                (path, photo.sha1, scanned.get(photo.sha1)) for path, photo in zip(paths, read, strict=True)]

    def in_order() -> Iterator[tuple[Path, str, ScannedPhoto | None]]:
        chunks = [photos[start : start + PHOTOS_AT_ONCE] for start in range(0, len(photos), PHOTOS_AT_ONCE)]
        for done in in_parallel(work, chunks, workers=workers):
            yield from done

    with journal:
        for path, sha1, scanned in in_order():
            if scanned is not None:
                new += 1
                too_small += scanned.too_small
                known[sha1] = journal.add(sha1, scanned)
                if crops:
                    for number, face in enumerate(scanned.faces, 1):
                        crops.add(face_id(sha1, number), face.crop)
            row = rows[str(path)] = PhotoRow(str(path), sha1, known[sha1].error)
            if row.error:
                unreadable.append(row)
            seen()
    table = _as_table(settings, [rows[path] for path in sorted(rows)], known)
    write_table(table, out)
    write_csv(table, out.with_suffix(".csv"))
    journal.remove()
    return Encoding(table, new, unreadable, too_small)


def _read(path: Path) -> Photo | ScannedPhoto:
    try:
        content = path.read_bytes()
    except OSError as error:
        return ScannedPhoto(Photo("", path.name, b""), error=FacesError("picture_unreadable", reason=str(error)))
    return Photo(hashlib.sha1(content, usedforsecurity=False).hexdigest(), path.name, content)


class Journal:
    """What was computed since the last whole table: a line of JSON a photo; a line that was cut off is left out."""

    def __init__(self, path: Path, settings: Mapping[str, str]) -> None:
        self._path = path
        self.known: dict[str, Encoded] = {}
        lines = list(_whole_lines(path))
        if lines:
            _check_settings(lines[0].get("settings", {}), settings, path)
        for line in lines[1:]:
            self.known[line["sha1"]] = Encoded(tuple(_face(face) for face in line["faces"]), line["error"])
        self._header = None if lines else {"settings": dict(settings)}
        self._file: IO[str] | None = None

    def __enter__(self) -> Journal:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a", encoding="utf-8")
        # Ends a line that a kill cut off.
        self._file.write("\n" if self._header is None else json.dumps(self._header) + "\n")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def add(self, sha1: str, scanned: ScannedPhoto) -> Encoded:
        error = scanned.error.code if scanned.error else ""
        assert self._file
        self._file.write(json.dumps({"sha1": sha1, "error": error,
                                     "faces": [_line(face) for face in scanned.faces]}) + "\n")
        self._file.flush()
        return Encoded([FoundFace(face.box, face.landmarks, face.confidence, face.sharpness, face.vector, b"")
                        for face in scanned.faces], error)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _line(face: FoundFace) -> dict[str, Any]:
    return {"box": face.box, "landmarks": face.landmarks.tolist(), "confidence": face.confidence,
            "sharpness": face.sharpness,
            "vector": base64.b64encode(face.vector.astype("<f4").tobytes()).decode("ascii")}


def _face(line: Mapping[str, Any]) -> FoundFace:
    x, y, width, height = line["box"]
    return FoundFace((x, y, width, height), np.array(line["landmarks"], dtype=np.float32), line["confidence"],
                     line["sharpness"], np.frombuffer(base64.b64decode(line["vector"]), dtype="<f4"), b"")


def _check_settings(there: Mapping[str, str], wanted: Mapping[str, str], file: Path) -> None:
    if dict(there) != dict(wanted):
        raise FacesError("faces_settings", file=str(file), there=_told(there), wanted=_told(wanted))


def _told(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items() if value)


def _known(table: FaceTable) -> dict[str, Encoded]:
    faces: dict[int, list[FoundFace]] = {}
    for index, photo in enumerate(table.photo.tolist()):
        x, y, width, height = table.boxes[index].tolist()
        faces.setdefault(photo, []).append(FoundFace(
            (x, y, width, height), table.landmarks[index], float(table.confidences[index]),
            float(table.sharpnesses[index]), table.vectors[index], b""))
    # A photo that could not be read may be readable today.
    return {row.sha1: Encoded(faces.get(index, ())) for index, row in enumerate(table.photos) if not row.error}


def _as_table(settings: Mapping[str, str], photos: Sequence[PhotoRow], known: Mapping[str, Encoded]) -> FaceTable:
    faces = [(index, face) for index, row in enumerate(photos) for face in known[row.sha1].faces]
    found = [face for _, face in faces]
    dimension = len(found[0].vector) if found else 1
    return FaceTable(
        dict(settings), tuple(photos), np.array([index for index, _ in faces], dtype=np.int64),
        np.array([face.box for face in found], dtype=np.int32).reshape(-1, 4),
        np.array([face.landmarks for face in found], dtype=np.float32).reshape(-1, 5, 2),
        np.array([face.confidence for face in found], dtype=np.float32),
        np.array([face.sharpness for face in found], dtype=np.float32),
        np.array([face.vector for face in found], dtype=np.float32).reshape(-1, dimension))
