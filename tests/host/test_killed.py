"""A scan that was killed is finished by the next one, and nobody can tell."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest

from panoptic_faces.launch import Panoptic

# What a project knows of its faces, without the ids, which depend on the order of arrival.
FACES = """SELECT properties.name, sha1_values.sha1, sha1_values.value FROM sha1_values
           JOIN properties ON properties.id = property_id WHERE sha1_values.operation != -1"""
CROPS = """SELECT files.name, files.sha1, count(instances.id) FROM files JOIN instances ON instances.file_id = files.id
           JOIN folders ON folders.id = folder_id WHERE folders.name = 'Visages' GROUP BY files.id"""


def contents(project: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(project / "data.db")) as data, closing(sqlite3.connect(project / "media.db")) as media:
        for database in (data, media):
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {"values": sorted(data.execute(FACES).fetchall()), "crops": sorted(data.execute(CROPS).fetchall()),
                "vectors": sorted(media.execute("SELECT sha1, data FROM vectors").fetchall()),
                "renditions": sorted(media.execute("SELECT type_id, sha1 FROM images").fetchall()),
                "files": sorted(file.name for file in (project / "faces").iterdir())}


@pytest.fixture
def photos(shared: Path, tmp_path: Path) -> Path:
    people = sorted((shared / "data/faces/lfw_a").iterdir())
    for person in random.Random(1).sample(people, 60):
        shutil.copytree(person, tmp_path / "chosen" / person.name)
    return tmp_path / "chosen"


def test_killed_scan_ends_as_an_undisturbed_one(start_panoptic: Callable[[], AbstractContextManager[Any]],
                                                photos: Path, tmp_path: Path) -> None:
    def opened(server: Panoptic, project: str) -> Panoptic:
        server.register_plugin()
        server.open_project(tmp_path / project, project)
        return server

    with start_panoptic() as (server, _):
        opened(server, "undisturbed").import_folder(photos)
        server.act("detect_faces")
        server.wait()
        opened(server, "killed").import_folder(photos)
    kills = 0
    for least in (1, 60, 110):
        with start_panoptic() as (server, process):
            opened(server, "killed").act("detect_faces")
            while (scan := server.tasks()[-1])["done"] < least and not scan["finished"]:
                time.sleep(0.01)
            kills += not scan["finished"]
            process.kill()
            process.wait()
    assert kills >= 2
    with start_panoptic() as (server, _):
        opened(server, "killed").act("detect_faces")
        assert server.wait()[-1]["failed"] == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")


def test_cancelling_keeps_what_is_done(open_project: Callable[..., Panoptic], photos: Path, tmp_path: Path) -> None:
    panoptic = open_project(*photos.iterdir())
    total = len(panoptic.get("/instances"))
    task = panoptic.act("detect_faces")["task_id"]
    while panoptic.tasks()[-1]["done"] == 0:
        time.sleep(0.02)
    panoptic.post("/task/stop", {"id": task})
    stopped = panoptic.wait()[-1]
    assert stopped["cancelled"] and 0 < stopped["done"] < total
    panoptic.act("detect_faces")
    assert panoptic.wait()[-1]["total"] == total - stopped["done"]
    counted = [value for name, _, value in contents(tmp_path / "project")["values"] if name == "Nombre de visages"]
    assert len(counted) == total
