"""What a person says of faces stays said; what a person asks to forget is gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import Panoptic

from .person import Person
from .test_images import computed
from .test_people import carried, provenance


@pytest.fixture
def scanned(open_project: Callable[..., Panoptic], shared: Path) -> Panoptic:
    groups = shared / "data/faces/groups"
    panoptic = open_project(*(shared / "data/faces/bbt_cast" / name for name in ("amy", "raj", "sheldon")),
                            groups / "bbt1.jpg", groups / "bbt4.jpg", groups / "dlib_faces/dogs.jpg")
    panoptic.act("detect_faces")
    panoptic.wait()
    return panoptic


def faces_of(tmp_path: Path, name: str) -> list[str]:
    """The crops of the photos whose file name begins so."""
    return sorted(sha1 for sha1, crop in provenance(tmp_path).items() if crop["photo"].startswith(name))


def test_photos_mirror_the_people_of_their_faces(scanned: Panoptic, tmp_path: Path) -> None:
    person, crops = Person(scanned), provenance(tmp_path)
    group = [sha1 for sha1, crop in sorted(crops.items()) if crop["photo"] == "bbt1.jpg"]
    photo = crops[group[0]]["sha1"]
    person.tag_id("Sheldon", parent="Physiciens")
    person.give(group[:1], "Sheldon")
    person.give(group[1:2], "Penny")
    person.give(group[2:3], "Ignorer")
    person.give([photo], "plateau")
    assert "1 photos" in scanned.act("tag_photos", people=person.property)["notifs"][0]["message"]
    assert carried(scanned, "Personnes")[photo] == {"Sheldon", "Penny", "plateau"}

    assert "0 photos" in scanned.act("tag_photos", people=person.property)["notifs"][0]["message"]
    person.give(group[1:2], "Amy")
    person.give(group[:1])
    scanned.act("tag_photos", people=person.property)
    assert carried(scanned, "Personnes")[photo] == {"Amy", "plateau"}
    person.give(group[1:2])
    scanned.act("tag_photos", people=person.property)
    assert carried(scanned, "Personnes")[photo] == {"plateau"}


def test_photos_keep_the_groups_of_photos(scanned: Panoptic, tmp_path: Path) -> None:
    kind = computed(scanned)
    photos = {crop["sha1"] for crop in provenance(tmp_path).values()}
    seen = [row[0] for row in scanned.get("/instances") if row[2] in photos]
    scanned.act("compute_clusters", seen, vectors=kind, nb_clusters=3, save_as="Vues")
    before = carried(scanned, "Vues")
    assert set(before) == photos
    views = next(row[0] for row in scanned.get("/property") if row[3] == "Vues")
    assert "0 photos" in scanned.act("tag_photos", people=views)["notifs"][0]["message"]
    assert carried(scanned, "Vues") == before


def test_a_property_that_names_nobody_is_refused(scanned: Panoptic) -> None:
    for wrong in (1, 10**9, "", None):
        with pytest.raises(FacesError, match="propriété"):
            scanned.act("tag_photos", people=wrong)


def test_what_is_no_face_leaves_every_result(scanned: Panoptic, tmp_path: Path) -> None:
    person = Person(scanned, "Corrections")
    wrong = faces_of(tmp_path, "dogs")
    assert wrong
    person.give(wrong[:1], "Ce n'est pas un visage")
    person.give(wrong[1:], "ignore")
    result = scanned.act("cluster_faces")
    assert set(wrong) <= set(result["groups"][-1]["sha1s"])
    assert result["groups"][-1]["name"].startswith("Autres images")
    scanned.act("detect_faces")
    assert sorted(faces_of(tmp_path, "dogs")) == wrong


def test_somebody_unknown_is_no_person(scanned: Panoptic, tmp_path: Path) -> None:
    person = Person(scanned)
    person.give(faces_of(tmp_path, "amy")[:2], "Amy")
    stranger = faces_of(tmp_path, "raj")
    person.give(stranger[:3], "inconnu")
    groups = scanned.act("recognize_people", people=person.property)["groups"]
    assert [group["name"] for group in groups[:2]] == ["Amy", "Inconnu"]
    assert set(stranger) <= set(groups[1]["sha1s"])


def test_names_and_corrections_survive_another_run(scanned: Panoptic, tmp_path: Path) -> None:
    first = scanned.act("cluster_faces", save_as="Personnes")
    person = Person(scanned)
    people = {group["name"]: group["sha1s"] for group in first["groups"] if group["score"]}
    one, other = sorted(people, key=lambda name: -len(people[name]))[:2]
    person.rename(one, "Élodie")
    person.give(people[one][:1], other)
    person.give(people[other][:1], "Jean-Noël")
    before = carried(scanned, "Personnes")
    for _ in range(2):
        scanned.act("cluster_faces", save_as="Personnes")
        assert carried(scanned, "Personnes") == before


def test_splitting_one_person_leaves_the_others_untouched(scanned: Panoptic, tmp_path: Path) -> None:
    person = Person(scanned)
    raj, sheldon = faces_of(tmp_path, "raj"), faces_of(tmp_path, "sheldon")
    people = {"Amy": faces_of(tmp_path, "amy"), "Raj + Sheldon": raj + sheldon}
    for name, faces in people.items():
        person.give(faces, name)
    asked = scanned.act("suggest_merges", people=person.property)["groups"]
    parts = [group for group in asked if "Deux personnes" in group["name"]]
    assert [group["name"].partition("· ")[2] for group in parts] == [
        "Raj + Sheldon, partie 1", "Raj + Sheldon, partie 2"]
    assert {frozenset(group["sha1s"]) & {*raj, *sheldon} for group in parts} == {frozenset(raj), frozenset(sheldon)}
    person.rename("Raj + Sheldon", "Rajesh")
    person.give(sheldon, "Sheldon")
    before = carried(scanned, "Personnes")
    scanned.act("cluster_faces", save_as="Personnes")
    scanned.act("recognize_people", people=person.property)
    after = carried(scanned, "Personnes")
    assert {sha1: after[sha1] for sha1 in before} == before
    again = scanned.act("suggest_merges", people=person.property)
    assert not [group for group in again["groups"] or () if "Deux personnes" in group["name"]]


def test_new_photos_are_scanned_on_import_where_asked(open_project: Callable[..., Panoptic], shared: Path,
                                                      tmp_path: Path) -> None:
    panoptic = open_project(shared / "data/faces/bbt_cast/amy")
    assert not (tmp_path / "project" / "faces").exists()
    panoptic.post("/plugin_params", {"plugin": "PanopticFaces", "params": {"scan_on_import": True}})
    open_project(shared / "data/faces/bbt_cast/raj")
    panoptic.wait()
    assert len(provenance(tmp_path)) == 10
    panoptic.post("/plugin_params", {"plugin": "PanopticFaces", "params": {"scan_on_import": False}})


def test_faces_too_small_are_counted(open_project: Callable[..., Panoptic], shared: Path) -> None:
    panoptic = open_project(shared / "data/faces/groups/bbt1.jpg", shared / "data/faces/bbt_cast/amy")
    panoptic.post("/plugin_params", {"plugin": "PanopticFaces", "params": {"min_face_size": 100}})
    panoptic.act("detect_faces")
    task = panoptic.wait()[-1]
    panoptic.post("/plugin_params", {"plugin": "PanopticFaces", "params": {"min_face_size": 24}})
    assert task["detail"] == "5 visages trouvés (4 trop petits, laissés de côté)"


def test_settings_out_of_range_are_refused_in_one_sentence(scanned: Panoptic) -> None:
    with pytest.raises(FacesError, match="status 422.*max_side.*256.*8192.*reçu"):
        scanned.post("/plugin_params", {"plugin": "PanopticFaces", "params": {"max_side": 5}})
    with pytest.raises(FacesError, match="min_face_size"):
        scanned.post("/plugin_params", {"plugin": "PanopticFaces", "params": {"min_face_size": ""}})


def test_forgetting_leaves_nothing_of_faces(scanned: Panoptic, tmp_path: Path) -> None:
    project = tmp_path / "project"
    result = scanned.act("cluster_faces", save_as="Personnes")
    faces = len(provenance(tmp_path))
    photos = {row[2] for row in scanned.get("/instances")} - set(provenance(tmp_path))
    some = result["groups"][0]["sha1s"][0]
    number, source, params = scanned.get("/vector_types")[0]
    scanned.act("map_images", vectors={"id": number, "source": source, "params": params})
    scanned.wait()
    drawn = scanned.get("/atlas/0")["sha1_mapping"]
    assert drawn.keys() >= set(provenance(tmp_path)) and list((project / "atlas").iterdir())
    for word in ("", "oui", 3):
        with pytest.raises(FacesError, match="OUBLIER"):
            scanned.act("forget_faces", confirm=word)
    message = scanned.act("forget_faces", confirm="oublier")["notifs"][0]["message"]
    assert message == f"Effacés\u00a0: {faces} visages, {faces} vecteurs, 8 propriétés, {faces} fichiers."

    assert {row[2] for row in scanned.get("/instances")} == photos
    assert not (project / "faces").exists()
    with closing(sqlite3.connect(project / "media.db")) as media, closing(sqlite3.connect(project / "data.db")) as data:
        for table in ("vectors", "maps", "image_atlas"):
            assert media.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        assert {sha1 for (sha1,) in media.execute("SELECT DISTINCT sha1 FROM images")} == photos
        for database in (media, data):
            assert database.execute("PRAGMA freelist_count").fetchone() == (0,)
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for file in project.rglob("*"):
        if file.is_file():
            assert some.encode() not in file.read_bytes(), file
    with pytest.raises(FacesError, match="detect_faces"):
        scanned.act("cluster_faces")
    scanned.act("detect_faces")
    scanned.wait()
    assert len(provenance(tmp_path)) == faces


def test_groups_are_measured_against_names_and_by_themselves(scanned: Panoptic, tmp_path: Path) -> None:
    result = scanned.act("cluster_faces", save_as="Personnes")
    groups, truth = Person(scanned), Person(scanned, "Noms exacts")
    for name in ("amy", "raj", "sheldon"):
        truth.give(faces_of(tmp_path, name), name)
    alone = scanned.act("evaluate_clusters", clusters=groups.property, truth=1)
    assert {"silhouette", "width", "separation"} <= alone["value"].keys() and "ari" not in alone["value"]
    both = scanned.act("evaluate_clusters", clusters=groups.property, truth=truth.property)
    assert both["value"]["items"] == 15 and both["value"]["bcubed_f"] > 0.9
    assert "F BCubed = " in both["notifs"][0]["message"]
    assert len(result["groups"]) > 3
    with pytest.raises(FacesError, match="propriété"):
        scanned.act("evaluate_clusters", truth=truth.property)


def test_a_mirror_may_show_a_person_twice(open_project: Callable[..., Panoptic], shared: Path, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "mirror").mkdir()
    with Image.open(sorted((shared / "data/faces/bbt_cast/amy").iterdir())[0]) as opened:
        portrait = opened.convert("RGB")
    both = Image.new("RGB", (2 * portrait.width, portrait.height))
    both.paste(portrait, (0, 0))
    both.paste(portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (portrait.width, 0))
    both.save(tmp_path / "mirror" / "mirror.png")
    panoptic = open_project(tmp_path / "mirror")
    panoptic.act("detect_faces")
    panoptic.wait()
    assert panoptic.act("cluster_faces")["value"]["people"] == 2
    assert panoptic.act("cluster_faces", one_per_photo=False)["value"]["people"] == 1


def test_people_are_exported_as_files(scanned: Panoptic, tmp_path: Path) -> None:
    person = Person(scanned)
    for name, given in (("amy", "Amy"), ("raj", "Raj/../Koothrappali")):
        person.give(faces_of(tmp_path, name), given)
    out = tmp_path / "export"
    with pytest.raises(FacesError, match="dossier où écrire"):
        scanned.act("export_people", people=person.property, folder=str(out))
    out.mkdir()
    done = scanned.act("export_people", people=person.property, folder=str(out), sidecars=True)
    message = done["notifs"][0]["message"]
    assert message.startswith("2 personnes") and "10 photos" in message
    run = out / "run-001"
    assert sorted(len(list(folder.iterdir())) for folder in (run / "people").iterdir())[:2] == [5, 5]
    assert {file.suffix for file in run.iterdir()} >= {".xlsx", ".csv", ".json", ".png", ".html"}
    elsewhere = scanned.act("recognize_people", people_file=str(run / "people.npz"))
    known = {group["name"]: group["sha1s"] for group in elsewhere["groups"]}
    assert set(faces_of(tmp_path, "amy")) <= set(known["Amy"])
    assert set(faces_of(tmp_path, "sheldon")) <= set(known["Inconnu"])
    with pytest.raises(FacesError):
        scanned.act("recognize_people", people_file=str(run / "people.json"))
    sidecars = list((tmp_path / "photos").rglob("*.xmp"))
    assert len(sidecars) == 10 and any("Amy" in file.read_text(encoding="utf-8") for file in sidecars)


def test_a_removed_face_stays_removed(scanned: Panoptic, tmp_path: Path) -> None:
    removed = faces_of(tmp_path, "dogs")[:1]
    ids = [row[0] for row in scanned.get("/instances") if row[2] in removed]
    scanned.post("/commit/delete", {"empty_instances": ids})
    scanned.act("detect_faces")
    scanned.wait()
    assert removed[0] not in provenance(tmp_path)
    shown = {sha1 for group in scanned.act("cluster_faces")["groups"] for sha1 in group["sha1s"]}
    assert removed[0] not in shown
