"""What changes between reading and writing: a person's names stay, and what has left the project gets none."""

from __future__ import annotations

import errno
import io
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from panoptic.core.databases.data.models import File, Folder, Instance, UpsertCommit
from panoptic.core.project.project import Project as HostProject
from PIL import Image as Picture

from panoptic_faces.host.database import Database
from panoptic_faces.host.tags import Tags
from panoptic_faces.services.faults import obstacle
from panoptic_faces.services.tags import TagTree


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A project of two images, a and b, without a server."""
    with HostProject(tmp_path / "project") as host:
        folder = Folder(id=1, source_id=host.local_fs_id, path=str(tmp_path), name="photos", parent=None)
        commit = UpsertCommit(folders={1: folder})
        for number, sha1 in enumerate("ab", 1):
            commit.files[number] = File(id=number, name=f"{sha1}.jpg", folder_id=1, sha1=sha1)
            commit.instances[number] = Instance(id=number, file_id=number, sha1=sha1)
        host.apply_upsert_commit("test", commit)
        yield Database(host.make_plugin_interface("PanopticFaces"), "PanopticFaces")


def test_a_name_given_while_groups_were_made_stays(database: Database) -> None:
    tags = Tags(database)
    people = tags.ensure("Personnes")
    read = tags.tree(people)
    tags.write("Personnes", {"a": ("Marie",)}, images=["a"], read=read)
    tags.write("Personnes", dict.fromkeys(["a", "b", "gone"], ("Visage 1",)), images=["a", "b", "gone"], read=read)
    tree = tags.tree(people)
    assert dict(zip("ab", tree.people("ab"), strict=True)) == {"a": "Marie", "b": "Visage 1"}
    assert tree.carried.keys() == {"a", "b"} and len(tree.carried["a"]) == 1


def test_groups_saved_in_two_tabs_at_once_are_saved_once(database: Database) -> None:
    together = threading.Barrier(4)

    def tab() -> None:
        together.wait()
        tags = Tags(database)
        tags.write("Personnes", {"a": ("Visage 1",), "b": ("Visage 2",)}, images=["a", "b"], read=TagTree({}, {}))

    tabs = [threading.Thread(target=tab) for _ in range(4)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join()
    assert [prop.name for prop in database.public.get_properties() if not prop.system_key] == ["Personnes"]
    assert sorted(tag.value for tag in database.public.get_tags()) == ["Visage 1", "Visage 2"]


@pytest.mark.parametrize("error, code", [
    (OSError(errno.ENOSPC, "", "/usb/x.xlsx"), "disk_full"), (sqlite3.OperationalError("database or disk is full"),
                                                              "disk_full"),
    (PermissionError(errno.EACCES, "", "/usb/x.xlsx"), "access_refused"),
    (sqlite3.OperationalError("attempt to write a readonly database"), "access_refused"),
    (OSError(errno.EIO, ""), "drive_gone"), (TimeoutError(errno.ETIMEDOUT, ""), "drive_gone"),
    (sqlite3.OperationalError("disk I/O error"), "drive_gone"),
    (sqlite3.OperationalError("unable to open database file"), "drive_gone"),
    (sqlite3.OperationalError("database is locked"), "database_locked"),
    (sqlite3.DatabaseError("database disk image is malformed"), "database_damaged"), (MemoryError(), "memory_full"),
    (sqlite3.OperationalError("no such column: x"), None), (ValueError("disk is full"), None)])
def test_what_the_system_refuses_has_its_sentence(error: BaseException, code: str | None, tmp_path: Path) -> None:
    found = obstacle(error, tmp_path)
    assert (found.code if found else None) == code
    if found and code != "memory_full":
        assert (getattr(error, "filename", None) or str(tmp_path)) in found.sentence("fr")


@pytest.mark.parametrize("erased", [False, True])
def test_thumbnails_drawn_while_faces_are_erased_are_not_kept(database: Database, monkeypatch: pytest.MonkeyPatch,
                                                              erased: bool) -> None:
    file = io.BytesIO()
    Picture.new("RGB", (8, 8), "red").save(file, "JPEG")
    database.add_renditions([(1, sha1, file.getvalue()) for sha1 in "ab"])
    drawing: list[Any] = []
    monkeypatch.setattr(database.public, "add_task", drawing.append)
    database.draw_sheets("ab")
    database.guard.erasures += erased
    drawing[0].start()
    with database.public._media_db() as media:
        assert len(media.get_image_atlases()) == 1 - erased
    assert (database.folder / "atlas").exists() is not erased
    database.draw_sheets("ab")
    assert len(drawing) == 1 + erased
