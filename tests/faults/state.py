"""What a project holds, read from its files without Panoptic; and what must be true of it at whatever moment."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

CROPS = """SELECT files.name, files.sha1, instances.id FROM files JOIN instances ON instances.file_id = files.id
           JOIN folders ON folders.id = folder_id WHERE folders.name = 'Visages'"""
VALUES = """SELECT properties.name, sha1, value FROM sha1_values JOIN properties ON properties.id = property_id
            WHERE sha1_values.operation != -1 AND properties.operation != -1"""
TAGS = """SELECT properties.name, sha1, tags.value FROM sha1_tag_values
          JOIN properties ON properties.id = property_id JOIN tags ON tags.id = tag_id
          WHERE sha1_tag_values.operation != -1 AND properties.operation != -1 AND tags.operation != -1"""
FACE_VECTORS = """SELECT sha1, data FROM vectors WHERE type_id IN
                  (SELECT id FROM vector_types WHERE json_extract(params, '$.subject') = 'face')"""
# What must be there once: name of the thing, and a query that gives what is there more often.
TWICE = {
    "properties": "SELECT name FROM properties WHERE operation != -1 GROUP BY name, dtype HAVING count(*) > 1",
    "tags": "SELECT value FROM tags WHERE operation != -1 GROUP BY list_id, value, parents HAVING count(*) > 1",
    "folders": "SELECT path FROM folders GROUP BY path HAVING count(*) > 1",
    "files": "SELECT name FROM files GROUP BY folder_id, name HAVING count(*) > 1",
    "instances": "SELECT file_id FROM instances GROUP BY file_id HAVING count(*) > 1",
}
# Everything that tells of faces, dead rows and history included.
TRACES = """SELECT sha1 FROM sha1_values JOIN properties ON properties.id = property_id
            WHERE access = 'read' AND system_key IS NULL"""


@contextmanager
def databases(project: Path) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    with closing(sqlite3.connect(project / "data.db")) as data, closing(sqlite3.connect(project / "media.db")) as media:
        yield data, media


def contents(project: Path) -> dict[str, Any]:
    """What a project knows of its faces, without the ids, which depend on the order of arrival."""
    with databases(project) as (data, media):
        return {"values": sorted(data.execute(VALUES).fetchall()), "tags": sorted(data.execute(TAGS).fetchall()),
                "crops": sorted(row[:2] for row in data.execute(CROPS)),
                "vectors": sorted(media.execute("SELECT sha1, data FROM vectors").fetchall()),
                "renditions": sorted(media.execute("SELECT type_id, sha1 FROM images").fetchall()),
                "traces": sorted(data.execute(TRACES).fetchall()), "files": sorted(files(project))}


def files(project: Path) -> list[str]:
    folder = project / "faces"
    return [file.name for file in folder.iterdir()] if folder.exists() else []


def check(project: Path) -> None:
    """Assert what must be true whatever happened: whole databases, whole crops, each with its provenance."""
    with closing(sqlite3.connect(project / "project.db")) as own:
        assert own.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with databases(project) as (data, media):
        for database in (data, media):
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for thing, query in TWICE.items():
            assert data.execute(query).fetchall() == [], thing
        crops = {sha1: name for name, sha1, _ in data.execute(CROPS)}
        vectors = {sha1 for sha1, _ in media.execute(FACE_VECTORS)}
        assert vectors <= crops.keys(), "a vector without its crop"
        assert media.execute("SELECT count(*) FROM vectors WHERE type_id NOT IN (SELECT id FROM vector_types)"
                             ).fetchone() == (0,)
        known: dict[str, set[str]] = {}
        for name, sha1, _ in data.execute(VALUES):
            known.setdefault(sha1, set()).add(name)
        for sha1, name in crops.items():
            assert any("SHA-1" in value for value in known.get(sha1, ())), f"no photo of {name}"
            assert len(known[sha1]) >= 6, f"half the provenance of {name}: {known[sha1]}"
    folder = project / "faces"
    for name in files(project):
        if name.endswith(".jpg"):
            with Image.open(folder / name) as crop:
                crop.load()
    for sha1, name in crops.items():
        assert hashlib.sha1((folder / name).read_bytes()).hexdigest() == sha1, f"{name} is not what it was"
