"""Faces from an archive in the real Panoptic: what a scan there would have given, without one."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("distributed")

from panoptic_faces.archive.cluster import cluster_archive
from panoptic_faces.archive.encode import Choice, encode_archive
from panoptic_faces.archive.photos import find_archived
from panoptic_faces.archive.scheduler import connected
from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import Panoptic

from ..faults.state import contents

CAST = "data/faces/bbt_cast"


@pytest.fixture(scope="module")
def archive(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the cast and its people, both made by two workers."""
    place = tmp_path_factory.mktemp("archive")
    with pytest.MonkeyPatch.context() as patch, connected("local", 2, processes=False) as client:
        patch.setenv("PANOPTIC_FACES_WEIGHTS", str(shared / "weights"))
        encode_archive(find_archived([str(shared / CAST)]), str(place / "archive"), Choice(), client)
        cluster_archive(str(place / "archive"), str(place / "people"), client)
    return place


def test_an_import_is_a_scan(open_project: Callable[..., Panoptic], archive: Path, shared: Path, tmp_path: Path
                             ) -> None:
    def imported(panoptic: Panoptic, **more: Any) -> dict[str, Any]:
        panoptic.act("import_faces", archive=str(archive / "archive"), **more)
        return panoptic.wait()[-1]

    panoptic = open_project(shared / CAST)
    panoptic.act("detect_faces", [panoptic.get("/instances")[0][0]])
    panoptic.wait()
    task = imported(panoptic, people=str(archive / "people"), save_as="Personnes")
    assert (task["total"], task["done"], task["failed"]) == (39, 39, 0)
    assert imported(panoptic)["total"] == 0
    by_import = contents(tmp_path / "project")
    groups = Counter(tag for name, _, tag in by_import.pop("tags") if name == "Personnes")
    assert list(groups.values()) == [5] * 8 and all(name.startswith("Visage ") for name in groups)
    panoptic.open_project(tmp_path / "scanned", "scanned")
    panoptic.import_folder(tmp_path / "photos")
    panoptic.act("detect_faces")
    panoptic.wait()
    by_scan = contents(tmp_path / "scanned")
    for part, there in by_import.items():
        assert there == by_scan[part], part


def test_copies_are_found_by_their_path_and_their_boxes_scaled(
        open_project: Callable[..., Panoptic], archive: Path, shared: Path, tmp_path: Path) -> None:
    for folder in ("amy", "penny"):
        (tmp_path / "copies" / folder).mkdir(parents=True)
    for number in (1, 2):
        with Image.open(shared / CAST / "amy" / f"amy{number}.png") as picture:
            picture.resize((picture.width * (3 - number), picture.height * 2)).save(
                tmp_path / "copies" / "amy" / f"amy{number}.png")
    shutil.copy(shared / CAST / "amy" / "amy3.png", tmp_path / "copies" / "penny" / "elsewhere.png")
    panoptic = open_project(tmp_path / "copies" / "amy", tmp_path / "copies" / "penny")
    panoptic.act("import_faces", archive=str(archive / "archive"))
    task = panoptic.wait()[-1]
    # The second is stretched: another picture of the same name.
    assert (task["total"], task["done"], task["failed"]) == (3, 2, 1)
    assert "amy2.png" in task["detail"]


def test_mistakes_are_sentences(open_project: Callable[..., Panoptic], archive: Path, shared: Path, tmp_path: Path
                                ) -> None:
    panoptic = open_project(shared / "data/faces/five_celebs")
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({}, "archive de visages"), ({"archive": str(tmp_path)}, "archive de visages"),
        ({"archive": str(archive / "archive"), "save_as": "X"}, "people")]
    for wrong, told in mistakes:
        with pytest.raises(FacesError, match=told):
            panoptic.act("import_faces", **wrong)
    panoptic.act("import_faces", archive=str(archive / "archive"))
    assert "aucune des" in panoptic.wait()[-1]["name"]
