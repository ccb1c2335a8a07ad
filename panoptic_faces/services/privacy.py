"""What biometric data a folder holds: a Panoptic project, or what the command line wrote."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from ..core.errors import FacesError
from .face_table import SUFFIXES, read_table
from .people_file import people_in
from .regions import MP, MWG
from .run_log import LOG, PEOPLE

PLUGIN = "PanopticFaces"
# What a run shows faces in, beside the folders of crops.
SHOWN = ("map.html", "people.xlsx", "sheets/**/*.jpg")


def biometric_data(folder: Path) -> dict[str, Any]:
    """Counts and places of face data below a folder; nothing is changed.

    ``vectors``: face vectors in Panoptic's ``media.db``, by type. ``tables``: npz and Parquet files of vectors, and
    their faces. ``people``: files of people, and how many they know. ``crops``: files of face pictures and their
    bytes. ``runs``: files with names of people. ``sheets``: contact sheets, maps and spreadsheets of those runs, which
    show faces. ``sidecars``: XMP files that name people or tell where faces are. ``journals``: what an interrupted
    encoding left.
    """
    if not folder.is_dir():
        raise FacesError("folder_missing", folder=str(folder))
    found: dict[str, Any] = {"vectors": [], "tables": [], "people": [], "crops": {"files": 0, "bytes": 0}, "runs": [],
                             "sheets": 0, "sidecars": 0, "journals": []}
    for path in sorted(folder.rglob("*")):
        if path.name == "media.db":
            found["vectors"] += _vectors(path)
        elif path.suffix.lower() in SUFFIXES:
            _add_arrays(found, path)
        elif path.name == PEOPLE or path.name == LOG:
            found["runs"].append(str(path))
            if path.name == PEOPLE:
                found["sheets"] += sum(file.is_file() for name in SHOWN for file in path.parent.glob(name))
        elif path.suffix.lower() == ".xmp" and path.is_file():
            found["sidecars"] += any(mark in path.read_bytes() for mark in (MWG.encode(), MP.encode()))
        elif path.name.endswith(tuple(f"{suffix}.part" for suffix in SUFFIXES)):
            found["journals"].append(str(path))
        elif path.suffix.lower() == ".jpg" and path.is_file() and _is_crop(path):
            found["crops"]["files"] += 1
            found["crops"]["bytes"] += path.stat().st_size
    return found


def is_empty(found: dict[str, Any]) -> bool:
    return not (found["crops"]["files"] or any(value for name, value in found.items() if name != "crops"))


def _add_arrays(found: dict[str, Any], path: Path) -> None:
    with suppress(FacesError):
        found["tables"].append({"file": str(path), "faces": len(read_table(path))})
        return
    with suppress(FacesError):
        found["people"].append({"file": str(path), "people": len(people_in(path))})
        return
    if path.suffix.lower() == ".parquet" and (faces := _archived(path)):
        found["tables"].append({"file": str(path), "faces": faces})


def _archived(path: Path) -> int:
    """Faces with vectors in a Parquet file of an archive; 0 where it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_table(path, columns=["vector"], partitioning=None)["vector"].drop_null().length())
    except (OSError, KeyError, pa.ArrowException):
        return 0


def _vectors(path: Path) -> list[dict[str, Any]]:
    try:
        with _read_only(path) as database:
            types = database.execute("SELECT id, source, params FROM vector_types").fetchall()
            counts = dict(database.execute("SELECT type_id, COUNT(*) FROM vectors GROUP BY type_id").fetchall())
    except sqlite3.DatabaseError:
        return []
    found = []
    for type_id, source, params in types:
        described = json.loads(params) if isinstance(params, (str, bytes)) else params
        if source == PLUGIN and (described or {}).get("subject") == "face":
            found.append({"file": str(path), "type": described, "count": counts.get(type_id, 0)})
    return found


@contextmanager
def _read_only(path: Path) -> Iterator[sqlite3.Connection]:
    # SQLite makes a file beside a database in write-ahead mode even to read it, unless told that nobody writes.
    nobody_writes = not path.with_name(path.name + "-wal").exists()
    address = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if nobody_writes else ''}"
    with closing(sqlite3.connect(address, uri=True)) as database:
        yield database


def _is_crop(path: Path) -> bool:
    """Whether a picture says of itself that it was cut out of a photo here."""
    from ..models.pictures import read_header

    try:
        described = json.loads(read_header(path).description)
    except (FacesError, ValueError):
        return False
    return isinstance(described, dict) and "box" in described and "sha1" in described
