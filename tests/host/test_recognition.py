"""From named people to recognised ones, in the real Panoptic, with every decision kept."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import Panoptic

from .person import Person
from .test_people import carried, largest_face_of_each_photo, people_with, provenance, rows


def names_of_photos(tmp_path: Path) -> dict[str, str]:
    """Folder of each image: the name of the person on it."""
    return dict(rows(tmp_path, "SELECT files.sha1, folders.name FROM files JOIN folders ON folders.id = folder_id"))


def person_of_face(tmp_path: Path) -> dict[str, str]:
    crops, folder = provenance(tmp_path), names_of_photos(tmp_path)
    return {sha1: folder[crops[sha1]["sha1"]] for sha1 in largest_face_of_each_photo(crops)}


def group_named(result: dict[str, Any], name: str) -> set[str]:
    return {sha1 for group in result["groups"] if group["name"] == name for sha1 in group["sha1s"]}


@pytest.fixture
def cast(open_project: Callable[..., Panoptic], shared: Path) -> Panoptic:
    panoptic = open_project(shared / "data/faces/bbt_cast")
    panoptic.act("detect_faces")
    panoptic.wait()
    return panoptic


def test_one_example_is_enough_and_strangers_stay_unknown(cast: Panoptic, tmp_path: Path) -> None:
    person, truth = Person(cast), person_of_face(tmp_path)
    person.tag_id("Amy Farrah", parent="Scientifiques")
    for folder, name in (("amy", "Amy Farrah"), ("penny", "Pénélope"), ("raj", "Rajesh")):
        person.give([sorted(sha1 for sha1, who in truth.items() if who == folder)[0]], name)
    result = cast.act("recognize_people", people=person.property)
    right = wrong = 0
    for group in result["groups"][:-1]:
        for probability in (group["scores"] or {}).get("values", []):
            assert 0 <= probability <= 1
        for sha1 in group["sha1s"]:
            expected = {"amy": "Amy Farrah", "penny": "Pénélope", "raj": "Rajesh"}.get(truth.get(sha1, ""), "Inconnu")
            right += group["name"] == expected
            wrong += group["name"] not in (expected, "Inconnu")
    print("right", right, "wrong", wrong, "of", len(truth))
    assert wrong == 0 and right >= 0.9 * len(truth)
    assert [group["name"] for group in result["groups"][-2:]] == ["Inconnu", "Autres images (pas des visages)"]


def test_recognising_needs_somebody_named(cast: Panoptic) -> None:
    with pytest.raises(FacesError, match="propriété"):
        cast.act("recognize_people")
    with pytest.raises(FacesError):
        cast.act("recognize_people", people=Person(cast).property)


def test_new_photos_wait_to_be_confirmed(cast: Panoptic, shared: Path, tmp_path: Path) -> None:
    person, truth = Person(cast), person_of_face(tmp_path)
    for name in ("amy", "sheldon"):
        person.give([sha1 for sha1, who in truth.items() if who == name], name.title())
    before = carried(cast, "Personnes")
    cast.post("/plugin_params", {"plugin": "PanopticFaces",
                                 "params": {"scan_on_import": True, "people": "Personnes"}})
    shutil.copy(shared / "data/faces/groups/bbt4.jpg", tmp_path / "photos")
    cast.import_folder(tmp_path / "photos")
    cast.post("/plugin_params", {"plugin": "PanopticFaces", "params": {"scan_on_import": False}})
    assert carried(cast, "Personnes") == before
    waiting = carried(cast, "À confirmer")
    assert sorted(name for names in waiting.values() for name in names) == ["Amy", "Sheldon"]
    ids = [row[0] for row in cast.get("/instances") if row[2] in waiting]
    assert "2 visages" in cast.act("confirm_people", ids, people=person.property)["notifs"][0]["message"]
    assert carried(cast, "Personnes") == {**before, **waiting}
    assert carried(cast, "À confirmer") == {}
    with pytest.raises(FacesError, match="À confirmer"):
        cast.act("confirm_people", ids, people=person.property)


def test_questions_are_asked_and_answers_kept(cast: Panoptic, tmp_path: Path) -> None:
    person, truth = Person(cast), person_of_face(tmp_path)
    halves: dict[str, list[str]] = {}
    for name in ("amy", "raj", "stuart", "leonard"):
        faces = sorted(sha1 for sha1, who in truth.items() if who == name)
        halves |= {f"{name} A": faces[:2], f"{name} B": faces[2:]}
    for name, faces in halves.items():
        person.give(faces, name)
    result = cast.act("suggest_merges", people=person.property)
    asked = [group["name"].rpartition("· ")[2] for group in result["groups"] if "même personne" in group["name"]]
    pairs = {frozenset(asked[at:at + 2]) for at in range(0, len(asked), 2)}
    wanted = {frozenset((f"{name} A", f"{name} B")) for name in ("amy", "raj", "stuart", "leonard")}
    assert len(wanted & pairs) >= 3
    assert len(pairs) <= 6

    first = sorted(wanted & pairs, key=sorted)[0]
    one, other = sorted(first)
    person.give(halves[other], one)
    refused = sorted(sorted(wanted & pairs, key=sorted)[1])
    Person(cast, "Personnes différentes").give(halves[refused[0]] + halves[refused[1]], "1")
    again = cast.act("suggest_merges", people=person.property)
    asked = [group["name"].rpartition("· ")[2] for group in again["groups"] if "même personne" in group["name"]]
    pairs = {frozenset(asked[at:at + 2]) for at in range(0, len(asked), 2)}
    assert first not in pairs and frozenset(refused) not in pairs


def test_a_session_of_naming_and_correcting_loses_nothing(open_project: Callable[..., Panoptic], shared: Path,
                                                          tmp_path: Path) -> None:
    folders = people_with(shared / "data/faces/lfw_a", 8, 20, 47)
    panoptic = open_project(*folders[:30])
    panoptic.act("detect_faces")
    panoptic.wait()
    first = panoptic.act("cluster_faces", save_as="Personnes")
    person, truth = Person(panoptic), person_of_face(tmp_path)
    named: dict[str, str] = {}
    for group in sorted((group for group in first["groups"] if group["score"]), key=lambda group: -len(group["sha1s"])):
        who = Counter(truth.get(sha1, "") for sha1 in group["sha1s"]).most_common(1)[0][0]
        if who and who not in named.values() and len(named) < 30:
            person.rename(group["name"], who)
            named[group["name"]] = who
    chosen = random.Random(0).sample(sorted(carried(panoptic, "Personnes")), 10)
    corrections = {sha1: truth.get(sha1, "quelqu’un") for sha1 in chosen[:7]} | \
        {sha1: "Ce n’est pas un visage" for sha1 in chosen[7:]}
    for sha1, name in corrections.items():
        person.give([sha1], name)
    before = carried(panoptic, "Personnes")

    photos = len(names_of_photos(tmp_path))
    open_project(*folders[30:])
    assert len(names_of_photos(tmp_path)) - photos >= 200
    added = 0
    for _ in range(2):
        panoptic.act("detect_faces")
        panoptic.wait()
        panoptic.act("cluster_faces", save_as="Personnes")
        panoptic.act("recognize_people", people=person.property)
        panoptic.act("suggest_merges", people=person.property)
        panoptic.act("tag_photos", people=person.property)
        after = carried(panoptic, "Personnes")
        lost = sum(after.get(sha1) != {name} for sha1, name in corrections.items())
        changed = sum(after.get(sha1) != names for sha1, names in before.items())
        crops = provenance(tmp_path)
        added = len([sha1 for sha1 in after if sha1 in crops and sha1 not in before])
        print(f"people named {len(named)}, corrections {len(corrections)} lost {lost}, "
              f"tags {len(before)} changed {changed}, new faces {added}")
        assert (lost, changed) == (0, 0)
    assert len(named) >= 28 and added >= 80
    names = {row[3] for row in panoptic.get("/tags") if row[1] == person.property}
    assert set(named.values()) <= names
