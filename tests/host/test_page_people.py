"""Naming, asking, recognising, confirming and saving again, as a person sees it in the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from panoptic_faces.launch import Panoptic

from .driver import Page
from .person import Person
from .test_page import page  # noqa: F401  a fixture
from .test_people import carried
from .test_recognition import person_of_face

CLUSTER, RECOGNISE, SUGGEST, CONFIRM = (f"PanopticFaces.{name}" for name in (
    "cluster_faces", "recognize_people", "suggest_merges", "confirm_people"))


def test_people_from_their_first_names_to_a_second_run(page: Page, open_project: Callable[..., Panoptic],  # noqa: F811
                                                       shared: Path, tmp_path: Path) -> None:
    groups = shared / "data/faces/groups"
    panoptic = open_project(shared / "data/faces/bbt_cast", groups / "bbt1.jpg", groups / "bbt4.jpg")
    panoptic.act("detect_faces")
    panoptic.wait()
    person, truth = Person(panoptic), person_of_face(tmp_path)
    halves: dict[str, list[str]] = {}
    for name in ("amy", "raj", "stuart", "leonard"):
        faces = sorted(sha1 for sha1, who in truth.items() if who == name)
        halves |= {f"{name.title()} A": faces[:2], f"{name.title()} B": faces[2:4]}
    for name, faces in halves.items():
        person.give(faces, name)
    page.open(tmp_path.name)
    asked = page.run(SUGGEST)
    page.picture("questions")
    first = [group["name"] for group in asked["groups"][:2]]
    assert list(page.lines())[1:3] == first and "même personne" in first[0] and page.notice() is None

    for name in ("Amy", "Raj", "Stuart", "Leonard"):
        person.give(halves[f"{name} A"] + halves[f"{name} B"], name)
    page.close_clusters()
    found = page.run(RECOGNISE, to_confirm=True)
    page.picture("recognised")
    lines = page.lines()
    people = [group["name"] for group in found["groups"] if group["name"] in ("Amy", "Raj", "Stuart", "Leonard")]
    assert len(people) == 4 and list(lines)[1:5] == people
    waiting = carried(panoptic, "À confirmer")
    assert len(waiting) >= 4
    page.close_clusters()
    page.run(CONFIRM, menu="Executer")
    page.picture("confirmed")
    assert f"{len(waiting)} visages" in (page.notice() or "")
    assert carried(panoptic, "À confirmer") == {}

    page.run(CLUSTER, save_as="Personnes")
    page.picture("saved_again")
    told = page.notice() or ""
    assert "«\u00a0Personnes\u00a0» mis à jour" in told and "0 en changent" in told
    assert "No cluster" not in page.lines()
