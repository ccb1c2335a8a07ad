"""Groups saved under one name more than once, and properties that are the plugin's in whatever language."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import Panoptic

from .person import Person
from .test_images import computed
from .test_people import carried
from .test_recognition import person_of_face


@pytest.fixture
def speak(panoptic: Panoptic) -> Iterator[Callable[[str], None]]:
    """Choose the page's language."""
    def choose(language: str) -> None:
        panoptic.post("/ui_data", {"key": "uiState", "data": {"lang": language}})
    yield choose
    choose("fr")


def properties(panoptic: Panoptic) -> list[str]:
    return [row[3] for row in panoptic.get("/property")]


def test_saving_people_again_tells_what_is_new(open_project: Callable[..., Panoptic], shared: Path) -> None:
    cast = shared / "data/faces/bbt_cast"
    panoptic = open_project(cast / "amy", cast / "raj")
    panoptic.act("detect_faces")
    panoptic.wait()
    first = panoptic.act("cluster_faces", save_as="Personnes")
    assert first["notifs"] is None or not first["notifs"]
    before = carried(panoptic, "Personnes")
    same = panoptic.act("cluster_faces", save_as="Personnes")
    assert same["value"]["saved"] == {"kept": len(before), "moved": 0, "new": 0, "gone": 0}

    open_project(cast / "sheldon")
    panoptic.act("detect_faces")
    panoptic.wait()
    again = panoptic.act("cluster_faces", save_as="Personnes")
    after = carried(panoptic, "Personnes")
    assert {sha1: after[sha1] for sha1 in before} == before
    assert again["value"]["saved"] == {"kept": len(before), "moved": 0, "new": len(after) - len(before), "gone": 0}
    assert again["notifs"][0]["message"].startswith(
        f"«\u00a0Personnes\u00a0» mis à jour\u00a0: {len(before)} images gardent leurs tags, 0 en changent, ")

    biggest = max((group for group in again["groups"] if group["score"]), key=lambda group: len(group["sha1s"]))
    ids = [row[0] for row in panoptic.get("/instances") if row[2] in biggest["sha1s"]]
    parts = panoptic.act("cluster_faces", ids, save_as="Personnes", method="agglomerative",
                         parameters="threshold=0.9")
    message = parts["notifs"][0]["message"]
    assert f"{biggest['name']} → {biggest['name']}.1 (" in message
    assert parts["value"]["saved"]["moved"] == sum(
        len(part["sha1s"]) for part in parts["groups"] if part["name"].startswith(biggest["name"] + "."))
    assert properties(panoptic).count("Personnes") == 1


def test_people_saved_one_folder_at_a_time_share_no_tag(open_project: Callable[..., Panoptic], shared: Path,
                                                         tmp_path: Path) -> None:
    cast = shared / "data/faces/bbt_cast"
    panoptic = open_project(*(cast / name for name in ("amy", "raj", "sheldon", "penny")))
    panoptic.act("detect_faces")
    panoptic.wait()
    truth = person_of_face(tmp_path)
    ids = {row[2]: row[0] for row in panoptic.get("/instances")}
    for folders in (("amy", "raj"), ("sheldon", "penny")):
        panoptic.act("cluster_faces", [ids[face] for face, who in truth.items() if who in folders],
                     save_as="Personnes")
    saved = carried(panoptic, "Personnes")
    assert len(set.union(*saved.values())) == 4
    assert len({(truth[face], *names) for face, names in saved.items()}) == 4


def test_the_parts_of_a_group_are_named_after_it(open_project: Callable[..., Panoptic], shared: Path) -> None:
    cast = shared / "data/faces/bbt_cast"
    panoptic = open_project(cast / "amy", cast / "raj")
    panoptic.act("detect_faces")
    panoptic.wait()
    kind = computed(panoptic)
    ids = {row[2]: row[0] for row in panoptic.get("/instances")}

    def parts(action: str, group: dict[str, Any], **inputs: Any) -> list[dict[str, Any]]:
        found = panoptic.act(action, [ids[sha1] for sha1 in reversed(group["sha1s"])], **inputs)["groups"]
        assert [part["name"] for part in found] == [f"{group['name']}.{number}" for number in range(1, len(found) + 1)]
        return list(found)

    people = panoptic.act("cluster_faces")["groups"]
    assert [group["name"] for group in people[:2]] == ["Visage 1", "Visage 2"]
    finer = parts("cluster_faces", people[0], method="kmeans", parameters="n_clusters=2")
    parts("cluster_faces", max(finer, key=lambda part: len(part["sha1s"])), method="kmeans",
          parameters="n_clusters=2")
    cuts = panoptic.act("compute_clusters", vectors=kind, nb_clusters=3)["groups"]
    parts("compute_clusters", max(cuts, key=lambda cut: len(cut["sha1s"])), vectors=kind, nb_clusters=2)
    assert [group["name"] for group in panoptic.act("cluster_faces")["groups"][:2]] == ["Visage 1", "Visage 2"]


def test_saving_images_again_updates_the_groups_and_keeps_names(open_project: Callable[..., Panoptic], shared: Path,
                                                               tmp_path: Path) -> None:
    photos = sorted((shared / "data/faces/bbt_cast").glob("*/*"))
    panoptic = open_project(*photos[::2], *photos[1::4])
    kind = computed(panoptic)
    panoptic.act("compute_clusters", vectors=kind, nb_clusters=5, save_as="Vues")
    before = carried(panoptic, "Vues")
    assert all(len(names) == 1 for names in before.values()) and len(set.union(*before.values())) == 5
    person = Person(panoptic, "Vues")
    biggest = max(set.union(*before.values()), key=lambda name: sum(names == {name} for names in before.values()))
    person.rename(biggest, "Paysages")
    by_hand = sorted(sha1 for sha1, names in before.items() if names != {biggest})[0]
    person.give([by_hand], "À part")
    before = carried(panoptic, "Vues")

    for photo in photos[3::4]:
        shutil.copy(photo, tmp_path / "photos")
    panoptic.import_folder(tmp_path / "photos")
    computed(panoptic)
    again = panoptic.act("compute_clusters", vectors=kind, nb_clusters=6, save_as="Vues")
    after = carried(panoptic, "Vues")
    counts = again["value"]["saved"]
    print(counts, again["notifs"][0]["message"])
    assert after[by_hand] == {"À part"} and all(len(names) == 1 for names in after.values())
    moved = sum(after[sha1] != names for sha1, names in before.items())
    assert counts == {"kept": len(before) - moved, "moved": moved, "new": len(after) - len(before), "gone": 0}
    shown = {sha1: group["name"] for group in again["groups"] for sha1 in group["sha1s"]}
    assert after == {sha1: {name} for sha1, name in shown.items() if sha1 != by_hand} | {by_hand: {"À part"}}
    assert "Paysages" in shown.values()
    assert properties(panoptic).count("Vues") == 1
    same = panoptic.act("compute_clusters", vectors=kind, nb_clusters=6, save_as="Vues")
    assert same["value"]["saved"]["kept"] == len(after) and carried(panoptic, "Vues") == after


def test_another_language_makes_no_second_property(open_project: Callable[..., Panoptic], shared: Path, tmp_path: Path,
                                                   speak: Callable[[str], None]) -> None:
    cast = shared / "data/faces/bbt_cast"
    panoptic = open_project(cast / "amy", cast / "raj")
    panoptic.act("detect_faces")
    panoptic.wait()
    person, truth = Person(panoptic), person_of_face(tmp_path)
    for folder, name in (("amy", "Amy"), ("raj", "Rajesh")):
        person.give(sorted(sha1 for sha1, who in truth.items() if who == folder)[:2], name)
    panoptic.act("suggest_merges", people=person.property)
    panoptic.act("recognize_people", people=person.property, to_confirm=True)
    waiting = carried(panoptic, "À confirmer")
    assert len(waiting) == 6
    speak("en")
    panoptic.act("suggest_merges", people=person.property)
    panoptic.act("recognize_people", people=person.property, to_confirm=True)
    assert carried(panoptic, "À confirmer") == waiting
    assert not {"To confirm", "Different people"} & set(properties(panoptic))
    assert "6 faces" in panoptic.act("confirm_people", people=person.property)["notifs"][0]["message"]
    assert carried(panoptic, "À confirmer") == {}
    with pytest.raises(FacesError, match="To confirm"):
        panoptic.act("confirm_people", people=person.property)
    wrong = sorted(truth)[0]
    person.give([wrong], "Ce n’est pas un visage")
    assert panoptic.act("cluster_faces")["groups"][-1]["sha1s"][-1:] and panoptic.act(
        "cluster_faces")["value"]["faces"] == len(truth) - 1
