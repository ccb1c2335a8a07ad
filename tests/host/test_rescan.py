"""Photos scanned again with another model, in the real Panoptic: names, corrections and removed faces stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import Panoptic

from .person import Person
from .test_people import carried, provenance
from .test_recognition import person_of_face

# Of each crop, all that the project says of it; and of each photo how many faces it has.
VALUES = """SELECT properties.name, sha1_values.sha1, sha1_values.value FROM sha1_values
            JOIN properties ON properties.id = property_id WHERE sha1_values.operation != -1
            AND properties.name NOT LIKE 'Modèles%'"""
FILES = "SELECT files.name, files.sha1 FROM files JOIN instances ON instances.file_id = files.id"


@pytest.fixture
def scanned(open_project: Callable[..., Panoptic], shared: Path) -> Iterator[Panoptic]:
    groups = shared / "data/faces/groups"
    panoptic = open_project(*(shared / "data/faces/bbt_cast" / name for name in ("amy", "penny", "raj", "sheldon")),
                            groups / "bbt1.jpg", groups / "bbt4.jpg")
    panoptic.act("detect_faces")
    panoptic.wait()
    yield panoptic
    use_model(panoptic, "")


def use_model(panoptic: Panoptic, model: object, normalisation: str = "") -> None:
    panoptic.post("/plugin_params", {"plugin": "PanopticFaces", "params": {
        "face_model": str(model), "normalisation": normalisation}})


def rescan(panoptic: Panoptic, shared: Path) -> dict[str, Any]:
    use_model(panoptic, shared / "weights/mobilefacenet_192.onnx", "rgb,127.5,128")
    panoptic.act("detect_faces")
    return panoptic.wait()[-1]


def stored(tmp_path: Path) -> dict[str, Any]:
    """What the project's database says of faces, and the vectors of each model by their length."""
    with closing(sqlite3.connect(tmp_path / "project/data.db")) as data, \
            closing(sqlite3.connect(tmp_path / "project/media.db")) as media:
        vectors: dict[int, set[str]] = {}
        for sha1, size in media.execute("SELECT sha1, length(data) / 4 FROM vectors"):
            vectors.setdefault(size, set()).add(sha1)
        return {"values": sorted(data.execute(VALUES).fetchall()), "files": sorted(data.execute(FILES).fetchall()),
                "tags": sorted(data.execute("SELECT sha1, tag_id FROM sha1_tag_values WHERE operation != -1")),
                "renditions": sorted(media.execute("SELECT type_id, sha1 FROM images")), "vectors": vectors}


def remove(panoptic: Panoptic, sha1s: list[str]) -> None:
    panoptic.post("/commit/delete", {"empty_instances": [row[0] for row in panoptic.get("/instances")
                                                         if row[2] in sha1s]})


def test_another_model_keeps_names_corrections_and_removed_faces(scanned: Panoptic, shared: Path, tmp_path: Path
                                                                 ) -> None:
    person, truth = Person(scanned), person_of_face(tmp_path)
    person.tag_id("Rajesh", parent="Physiciens")
    for folder, name in (("amy", "Amy Farrah"), ("penny", "Pénélope"), ("raj", "Rajesh")):
        person.give(sorted(sha1 for sha1, who in truth.items() if who == folder)[:3], name)
    crops = provenance(tmp_path)
    group = sorted(sha1 for sha1, crop in crops.items() if crop["photo"] == "bbt1.jpg")
    person.give(group[1:2], "Ignorer")
    removed = [group[0], sorted(sha1 for sha1, who in truth.items() if who == "sheldon")[0]]
    remove(scanned, removed)
    # Their files are still there, and a new look at all folders would make images of them.
    scanned.post("/file_source/resync", {"id": 1})
    scanned.wait()
    assert not {row[2] for row in scanned.get("/instances")} & set(removed)
    assert len(list((tmp_path / "project/faces").glob("*.jpg"))) == len(provenance(tmp_path))
    before, names = stored(tmp_path), carried(scanned, "Personnes")
    assert set(before["vectors"]) == {128}

    task = rescan(scanned, shared)
    assert (task["done"], task["failed"]) == (22, 0)
    after = stored(tmp_path)
    assert after | {"vectors": 0} == before | {"vectors": 0}
    assert after["vectors"] == {128: before["vectors"][128], 192: before["vectors"][128]}
    assert carried(scanned, "Personnes") == names and len(names) == 10
    again = scanned.act("detect_faces")
    assert "déjà" in again["notifs"][0]["message"]

    result = scanned.act("recognize_people", people=person.property)
    given = {sha1: found["name"] for found in result["groups"] for sha1 in found["sha1s"]}
    people = {"amy": "Amy Farrah", "penny": "Pénélope", "raj": "Rajesh"}
    right = sum(given[sha1] == people[who] for sha1, who in truth.items() if who in people)
    print("recognised with the second model:", right, "of 15")
    assert right == 15

    clusters = scanned.act("cluster_faces", save_as="Personnes")
    inside = {sha1 for found in clusters["groups"] for sha1 in found["sha1s"]}
    assert not inside & set(removed)
    now = carried(scanned, "Personnes")
    assert {sha1: now[sha1] for sha1 in names} == names


def test_a_face_that_was_not_there_is_added(scanned: Panoptic, shared: Path, tmp_path: Path) -> None:
    use_model(scanned, "")
    before = stored(tmp_path)
    # Somebody forgot one face altogether: no image, no value, no file.
    gone = sorted(sha1 for sha1, crop in provenance(tmp_path).items() if crop["photo"] == "bbt4.jpg")[0]
    name = next(name for name, sha1 in before["files"] if sha1 == gone)
    remove(scanned, [gone])
    (tmp_path / "project/faces" / name).unlink()
    rescan(scanned, shared)
    after = stored(tmp_path)
    files = dict((sha1, name) for name, sha1 in after["files"])
    assert set(files) == {sha1 for _, sha1 in before["files"]} and files[gone] != name
    assert after["vectors"][192] == after["vectors"][128] | {gone}
    unread = None
    use_model(scanned, "")
    for group in scanned.act("cluster_faces")["groups"]:
        if group["sha1s"] == [gone]:
            unread = group["name"]
    assert unread == "Visages que SFace doit d’abord lire"


def test_people_of_another_model_are_refused_in_one_sentence(scanned: Panoptic, shared: Path, tmp_path: Path) -> None:
    person, truth = Person(scanned), person_of_face(tmp_path)
    person.give([sha1 for sha1, who in truth.items() if who == "amy"], "Amy")
    (tmp_path / "export").mkdir()
    scanned.act("export_people", people=person.property, folder=str(tmp_path / "export"))
    file = str(tmp_path / "export/run-001/people.npz")
    rescan(scanned, shared)
    with pytest.raises(FacesError, match="telles que les voit le modèle sface.*mobilefacenet_192.onnx 21a5808c"):
        scanned.act("recognize_people", people_file=file)
    use_model(scanned, "")
    groups = scanned.act("recognize_people", people_file=file)["groups"]
    assert groups[0]["name"] == "Amy" and len(groups[0]["sha1s"]) >= 5


@pytest.mark.parametrize("model, normalisation, sentence", [
    ("nowhere.onnx", "rgb,127.5,128", "fichier ONNX existant"),
    ("mobilefacenet_192.onnx", "", "canaux,moyenne,échelle"),
    ("facenet", "", "sface, dlib"),
])
def test_a_wrong_model_is_told_before_the_scan(scanned: Panoptic, shared: Path, model: str, normalisation: str,
                                               sentence: str) -> None:
    use_model(scanned, shared / "weights" / model if model.endswith(".onnx") else model, normalisation)
    with pytest.raises(FacesError, match=sentence):
        scanned.act("detect_faces")
    assert scanned.act("cluster_faces")["value"]["faces"] > 20


def test_dlib_gives_its_vectors_to_the_same_crops(scanned: Panoptic, tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    before = stored(tmp_path)
    use_model(scanned, "dlib")
    scanned.act("detect_faces")
    assert scanned.wait()[-1]["failed"] == 0
    after = stored(tmp_path)
    assert after | {"vectors": 0} == before | {"vectors": 0}
    with closing(sqlite3.connect(tmp_path / "project/media.db")) as media:
        assert media.execute("SELECT count(*), count(DISTINCT sha1) FROM vectors").fetchone() == (
            2 * len(after["vectors"][128]), len(after["vectors"][128]))
    assert scanned.act("cluster_faces")["value"]["people"] > 3
