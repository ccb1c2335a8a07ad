"""Every form, from the first error to people on photos, as a French and as an English user see them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from panoptic_faces.host.plugin import ACTIONS
from panoptic_faces.i18n import text
from panoptic_faces.launch import PLUGIN, Panoptic

from ..drawn import draw_people
from .driver import Page
from .test_page import page  # noqa: F401  a fixture
from .test_people import carried

MENUS = {"group": "Créer des clusters", "execute": "Executer"}
CLUSTER, DETECT = (f"{PLUGIN}.{name}" for name in ("cluster_faces", "detect_faces"))
# How alike two faces of a group are at least: all drawn people; some; one.
LEVELS = (0.55, 0.7, 0.8)


def check_forms(page: Page, panoptic: Panoptic, language: str) -> None:  # noqa: F811
    described = panoptic.get("/actions")
    for name, hook in ACTIONS.items():
        action = described[f"{PLUGIN}.{name}"]
        assert action["description"] == text(f"action.{name}", language)
        for param in action["params"]:
            assert param["description"] == text(f"action.{name}.{param['name']}", language)
        if hook in MENUS:
            names = page.form(f"{PLUGIN}.{name}", menu=MENUS[hook])
            assert names == [param["name"] for param in action["params"]]
            assert page.tooltip(0) == (action["params"][0]["description"] if names else "")
            page.picture(f"{language}_{name}")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_walk_through_the_page(page: Page, open_project: Callable[..., Panoptic], tmp_path: Path,  # noqa: F811
                                 language: str) -> None:
    (tmp_path / "drawings").mkdir()
    draw_people(tmp_path / "drawings", 3)
    panoptic = open_project(tmp_path / "drawings")
    page.open(tmp_path.name, language)
    # The plugin learns the language when the project is opened.
    page.open(tmp_path.name, language)
    check_forms(page, panoptic, language)

    page.run(CLUSTER)
    assert text("error.no_faces_yet", language) in (page.notice() or "")
    page.run(DETECT, menu="Executer")
    assert "forget_faces" in (page.notice() or "")
    panoptic.wait()
    assert text("task.detect_faces", language) in page.tasks()

    page.page.wait_for_timeout(2000)
    group = "All"
    for level in LEVELS:
        found = page.run(CLUSTER, group=group, method="agglomerative", parameters=f"threshold={level}")["groups"]
        group = max((one for one in found if one["score"]), key=lambda one: len(one["sha1s"]))["name"]
        page.picture(f"{language}_level_{level}")
    page.save()
    saved = next(row for row in panoptic.get("/property") if row[3] == "Clustering")
    parents = {row[0]: row[2] for row in panoptic.get("/tags") if row[1] == saved[0]}
    assert max(depth(tag, parents) for tag in parents) == len(LEVELS)

    page.close_clusters()
    page.run(CLUSTER, method="agglomerative", parameters="threshold=0.8", save_as="Personnes")
    page.close_clusters()
    named = next(row[0] for row in panoptic.get("/property") if row[3] == "Personnes")
    panoptic.act("tag_photos", people=named)
    people = {name for names in carried(panoptic, "Personnes").values() for name in names}
    page.group_by("Personnes")
    page.picture(f"{language}_photos_by_person")
    shown = page.page.locator(".group-line").all_inner_texts()[1:]
    # A photo stands beside its face, under each person on it.
    counted = {line.split("\n")[0]: int(line.split("\n")[1].split()[0]) for line in shown}
    assert counted.keys() == people and sum(counted.values()) == len(panoptic.get("/instances"))


def depth(tag: int, parents: dict[int, list[int]]) -> int:
    return 1 + max((depth(parent, parents) for parent in parents[tag] or ()), default=0)
