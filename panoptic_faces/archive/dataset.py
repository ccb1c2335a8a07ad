"""An encoded archive: a folder of Parquet files, at any address that fsspec opens.

One row a face; a photo without faces, or that could not be read, has one row of its own. A file is written whole or
not at all, by one task, under a name that follows from its photos: done again, it overwrites itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray

from ..core.errors import FacesError
from .store import file_system

FORMAT = "panoptic_faces archive 1"
# Names that begin with _ or . are no data to Arrow, Spark and their like.
MARK = "_dataset.json"
PART = re.compile(r"part-(\d{4,})-[0-9a-f]{16}\.parquet")
TEMPORARY = ".writing-"

SCHEMA = pa.schema([
    ("photo", pa.string()), ("path", pa.string()), ("photo_sha1", pa.string()), ("stamp", pa.string()),
    ("photo_width", pa.int32()), ("photo_height", pa.int32()), ("error", pa.string()), ("face", pa.int32()),
    ("x", pa.int32()), ("y", pa.int32()), ("width", pa.int32()), ("height", pa.int32()),
    ("landmarks", pa.list_(pa.float32())), ("confidence", pa.float32()), ("sharpness", pa.float32()),
    ("crop", pa.binary()), ("vector", pa.list_(pa.float32())), ("model", pa.string()), ("model_weights", pa.string())])


@dataclass(frozen=True, eq=False)
class Index:
    """What an archive knows of its photos, as numbers: 29 bytes a photo.

    address, version, content: (n,) uint64 hashes of the photo's address, of address and stamp, and the start of its
    SHA-1. part: (n,) int32 index into ``parts``. readable: (n,) bool.
    """

    parts: tuple[str, ...]
    address: NDArray[np.uint64]
    version: NDArray[np.uint64]
    content: NDArray[np.uint64]
    part: NDArray[np.int32]
    readable: NDArray[np.bool_]


class Dataset:
    """The archive at an address: a path, or what fsspec understands (``s3://…``, ``memory://…``)."""

    def __init__(self, address: str) -> None:
        self.fs, self.root = file_system(address)
        # Workers have other working directories.
        self.address = self.root if isinstance(self.fs, LocalFileSystem) else address

    def exists(self) -> bool:
        return bool(self.fs.exists(f"{self.root}/{MARK}"))

    def settings(self) -> dict[str, str]:
        """What makes the vectors comparable; raises FacesError ``archive_missing``."""
        try:
            described = json.loads(self.fs.cat_file(f"{self.root}/{MARK}"))
            if described["format"] != FORMAT:
                raise ValueError(described["format"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FacesError("archive_missing", address=self.address) from error
        return dict(described["settings"])

    def open_with(self, settings: Mapping[str, str]) -> None:
        """Make the archive, or check that it was made so; raises FacesError ``faces_settings``."""
        if not self.exists():
            self.write_whole(MARK, lambda file: file.write(
                json.dumps({"format": FORMAT, "settings": dict(settings)}, indent=1).encode()))
        there = self.settings()
        if there != dict(settings):
            raise FacesError("faces_settings", file=self.address, there=_told(there), wanted=_told(settings))

    # ---- parts

    def parts(self) -> list[str]:
        """Names of the Parquet files, oldest run first."""
        names = (path.rsplit("/", 1)[-1] for path in self.fs.ls(self.root, detail=False))
        return sorted((name for name in names if PART.fullmatch(name)), key=lambda name: (run_of(name), name))

    def read(self, part: str, columns: Sequence[str] | None = None, filters: Any = None) -> pa.Table:
        """Rows of a part; raises FacesError ``archive_part``."""
        try:
            return pq.read_table(f"{self.root}/{part}", columns=columns, filesystem=self.fs, filters=filters,
                                 partitioning=None)
        except (OSError, pa.ArrowException) as error:
            raise FacesError("archive_part", part=part, address=self.address,
                             reason=f"{type(error).__name__}: {error}"[:200]) from error

    def write_part(self, part: str, tables: Iterable[pa.Table]) -> None:
        """Write a part from tables, each a row group, so that only one of them is held in memory."""
        def write(file: IO[bytes]) -> None:
            with pq.ParquetWriter(file, SCHEMA, compression={name: "none" if name in ("crop", "vector") else "zstd"
                                                             for name in SCHEMA.names}) as writer:
                for table in tables:
                    writer.write_table(table)
        self.write_whole(part, write)

    def write_whole(self, name: str, write: Callable[[IO[bytes]], Any]) -> None:
        """Write a file of the archive whole or not at all.

        It is made on the local disk first. A local file is renamed; an object store shows an object once it is
        complete.
        """
        local = isinstance(self.fs, LocalFileSystem)
        self.fs.makedirs(self.root, exist_ok=True)
        target = f"{self.root}/{name}"
        place = f"{self.root}/{TEMPORARY}{uuid.uuid4().hex}" if local else target
        with tempfile.TemporaryFile() as made:
            write(made)
            made.seek(0)
            with self.fs.open(place, "wb") as file:
                shutil.copyfileobj(made, file, 1 << 20)
        if local:
            os.replace(place, target)

    def sweep(self) -> None:
        """Remove what killed workers left half-written; nobody may be writing."""
        for path in self.fs.ls(self.root, detail=False):
            if path.rsplit("/", 1)[-1].startswith(TEMPORARY):
                self.fs.rm_file(path)

    # ---- photos

    def index(self) -> Index:
        """Every photo of the archive, read from four small columns."""
        parts = self.parts()
        found: list[list[NDArray[Any]]] = [[] for _ in range(5)]
        for number, part in enumerate(parts):
            rows = self.read(part, ["photo", "stamp", "photo_sha1", "error", "face"])
            rows = rows.filter(pc.less_equal(rows["face"], 1)).to_pydict()
            columns: tuple[NDArray[Any], ...] = (
                hashes(rows["photo"]), versions(rows["photo"], rows["stamp"]), contents(rows["photo_sha1"]),
                np.full(len(rows["photo"]), number, dtype=np.int32),
                np.array([not error for error in rows["error"]], dtype=bool))
            for values, column in zip(found, columns, strict=True):
                values.append(column)
        kinds = (np.uint64, np.uint64, np.uint64, np.int32, np.bool_)
        return Index(tuple(parts), *(np.concatenate([np.zeros(0, dtype=kind), *values])
                                     for values, kind in zip(found, kinds, strict=True)))

    def tidy(self, index: Index) -> bool:
        """Drop rows of photos that a later part tells of anew; whether there were any."""
        order = np.lexsort((index.part, index.address))
        last = np.append(index.address[order][1:] != index.address[order][:-1], True)
        stale = order[~last[: len(order)]]
        for number in np.unique(index.part[stale]).tolist():
            gone = index.address[stale[index.part[stale] == number]]
            part = index.parts[number]
            rows = self.read(part)
            kept = rows.filter(pa.array(~np.isin(hashes(rows["photo"].to_pylist()), gone)))
            if len(kept):
                self.write_part(part, [kept.cast(SCHEMA)])
            else:
                self.fs.rm_file(f"{self.root}/{part}")
        return bool(len(stale))


def run_of(part: str) -> int:
    """The number of the run that wrote a part."""
    found = PART.fullmatch(part)
    return int(found[1]) if found else 0


def hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """(n,) the same on every machine."""
    from hashlib import blake2b

    return np.array([int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") for text in texts],
                    dtype=np.uint64)


def versions(addresses: Iterable[str], stamps: Iterable[str]) -> NDArray[np.uint64]:
    return hashes(f"{address}\n{stamp}" for address, stamp in zip(addresses, stamps, strict=True))


def contents(sha1s: Iterable[str]) -> NDArray[np.uint64]:
    return np.array([int(sha1[:16] or "0", 16) for sha1 in sha1s], dtype=np.uint64)


def vectors_of(rows: pa.Table) -> NDArray[np.float32]:
    """(n, d) float32 vectors of rows that all have one."""
    column = rows["vector"].combine_chunks()
    return np.asarray(column.flatten(), dtype=np.float32).reshape(len(rows), -1)


def _told(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items() if value)
