"""Encoded faces as a file: npz or Parquet with the vectors, and a CSV that any program reads."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FacesError
from .file_names import safe_cell

SUFFIXES = (".npz", ".parquet")
LANDMARK_COLUMNS = tuple(f"landmark{number}_{axis}" for number in range(1, 6) for axis in "xy")
CSV_COLUMNS = ("face", "photo", "photo_sha1", "x", "y", "width", "height", *LANDMARK_COLUMNS, "confidence",
               "sharpness")
FORMAT = "panoptic_faces 1"


@dataclass(frozen=True)
class PhotoRow:
    """A photo that was looked at: its absolute path, the SHA-1 of its content, and why it could not be read."""

    path: str
    sha1: str
    error: str = ""


@dataclass(frozen=True)
class FaceRow:
    """A face as the clustering and the spreadsheets want it."""

    id: str
    photo: PhotoRow
    box: tuple[int, int, int, int]
    confidence: float
    sharpness: float

    @property
    def photo_sha1(self) -> str:
        """Which photo it is on, for the clustering: two copies of a photo are two photos."""
        return self.photo.path

    @property
    def size(self) -> int:
        return min(self.box[2:])


@dataclass(frozen=True, eq=False)
class FaceTable:
    """The faces of some photos, by photo and, within one, largest first.

    settings: what makes the vectors comparable. photos: all that were looked at, with faces or without.
    photo: (n,) int64, index of each face's photo. boxes: (n, 4) int32 x, y, width, height and landmarks:
    (n, 5, 2) float32, in pixels of the upright photo. confidences, sharpnesses: (n,) float32.
    vectors: (n, d) float32, not normalised.
    """

    settings: Mapping[str, str]
    photos: tuple[PhotoRow, ...]
    photo: NDArray[np.int64]
    boxes: NDArray[np.int32]
    landmarks: NDArray[np.float32]
    confidences: NDArray[np.float32]
    sharpnesses: NDArray[np.float32]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.photo)

    def rows(self) -> list[FaceRow]:
        """Every face, with its id; of copies of a photo, those after the first are numbered too."""
        found: list[FaceRow] = []
        numbers: dict[int, int] = {}
        copies: dict[str, list[int]] = {}
        for index, (photo, box) in enumerate(zip(self.photo.tolist(), self.boxes.tolist(), strict=True)):
            numbers[photo] = numbers.get(photo, 0) + 1
            row = self.photos[photo]
            places = copies.setdefault(row.sha1, [])
            if photo not in places:
                places.append(photo)
            found.append(FaceRow(face_id(row.sha1, numbers[photo], places.index(photo)), row,
                                 (box[0], box[1], box[2], box[3]),
                                 float(self.confidences[index]), float(self.sharpnesses[index])))
        return found


def face_id(photo_sha1: str, number: int, copy: int = 0) -> str:
    """The id of the face of that number, from 1, on a photo; copy: how many copies of the photo come before."""
    return f"{photo_sha1[:12]}{f'.{copy}' if copy else ''}-{number}"


def write_table(table: FaceTable, path: Path) -> None:
    """Write a table as npz or Parquet, by the suffix, whole or not at all; raises FacesError ``faces_suffix``."""
    write_whole(path, _as_npz(table) if _suffix(path) == ".npz" else _as_parquet(table))


def read_table(path: Path) -> FaceTable:
    """The table of a file; raises FacesError ``faces_suffix`` or ``faces_unreadable``."""
    suffix = _suffix(path)
    try:
        return _from_npz(path) if suffix == ".npz" else _from_parquet(path)
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, NotImplementedError, MemoryError,
            zipfile.BadZipFile, zlib.error) as error:
        raise FacesError("faces_unreadable", file=str(path), reason=f"{type(error).__name__}: {error}"[:200]) from error


def write_csv(table: FaceTable, path: Path) -> None:
    """One line a face, with ``CSV_COLUMNS``: UTF-8 with a mark that spreadsheets need, no formulas."""
    lines = []
    for row, points in zip(table.rows(), table.landmarks, strict=True):
        lines.append([row.id, row.photo.path, row.photo.sha1, *row.box,
                      *(f"{value:.1f}" for value in points.ravel().tolist()),
                      f"{row.confidence:.4f}", f"{row.sharpness:.1f}"])
    write_whole(path, csv_bytes(CSV_COLUMNS, lines))


def csv_bytes(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    """A CSV file whose texts no spreadsheet takes for formulas."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([safe_cell(value) if isinstance(value, str) and not _is_number(value) else value
                      for value in line] for line in lines)
    return file.getvalue().encode("utf-8-sig")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _suffix(path: Path) -> str:
    if path.suffix.lower() not in SUFFIXES:
        raise FacesError("faces_suffix", got=path.name, allowed=" | ".join(SUFFIXES))
    return path.suffix.lower()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _described(table: FaceTable) -> str:
    return json.dumps({"format": FORMAT, "settings": dict(table.settings),
                       "photos": [[row.path, row.sha1, row.error] for row in table.photos]}, ensure_ascii=False)


def _undescribed(text: str) -> tuple[dict[str, str], tuple[PhotoRow, ...]]:
    described = json.loads(text)
    if described["format"] != FORMAT:
        raise ValueError(described["format"])
    return described["settings"], tuple(PhotoRow(*row) for row in described["photos"])


def _as_npz(table: FaceTable) -> bytes:
    file = io.BytesIO()
    np.savez(file, description=np.array(_described(table)), face=np.array([row.id for row in table.rows()], dtype=str),
             photo=table.photo, box=table.boxes, landmarks=table.landmarks, confidence=table.confidences,
             sharpness=table.sharpnesses, vector=table.vectors)
    return file.getvalue()


def _from_npz(path: Path) -> FaceTable:
    with np.load(path, allow_pickle=False) as arrays:
        settings, photos = _undescribed(str(arrays["description"]))
        return FaceTable(settings, photos, arrays["photo"], arrays["box"], arrays["landmarks"],
                         arrays["confidence"], arrays["sharpness"], arrays["vector"])


def _as_parquet(table: FaceTable) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = table.rows()
    dimension = table.vectors.shape[1]
    columns: dict[str, Any] = {
        "face": pa.array([row.id for row in rows], pa.string()),
        "photo": pa.array([row.photo.path for row in rows], pa.string()),
        "photo_sha1": pa.array([row.photo.sha1 for row in rows], pa.string()),
        **{name: pa.array(table.boxes[:, place]) for place, name in enumerate(("x", "y", "width", "height"))},
        "landmarks": pa.FixedSizeListArray.from_arrays(pa.array(table.landmarks.reshape(-1)), 10),
        "confidence": pa.array(table.confidences), "sharpness": pa.array(table.sharpnesses),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(table.vectors.reshape(-1)), max(1, dimension)),
        "photo_index": pa.array(table.photo)}
    made = pa.table(columns).replace_schema_metadata({"panoptic_faces": _described(table)})
    file = io.BytesIO()
    pq.write_table(made, file)
    return file.getvalue()


def _from_parquet(path: Path) -> FaceTable:
    import pyarrow.parquet as pq

    made = pq.read_table(path)
    settings, photos = _undescribed((made.schema.metadata or {})[b"panoptic_faces"].decode())

    def column(name: str) -> NDArray[Any]:
        return np.asarray(made[name].combine_chunks().to_numpy(zero_copy_only=False))

    def lists(name: str) -> NDArray[np.float32]:
        width = made.schema.field(name).type.list_size
        return np.asarray(made[name].combine_chunks().flatten(), dtype=np.float32).reshape(-1, width)

    boxes = np.stack([column(name) for name in ("x", "y", "width", "height")], axis=1).astype(np.int32)
    return FaceTable(settings, photos, column("photo_index").astype(np.int64), boxes.reshape(-1, 4),
                     lists("landmarks").reshape(-1, 5, 2), column("confidence").astype(np.float32),
                     column("sharpness").astype(np.float32), lists("vector"))
