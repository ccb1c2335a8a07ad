"""A map of faces, as a person makes it in the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from panoptic_faces.launch import Panoptic

from ..drawn import draw_people
from .driver import Page
from .test_page import page  # noqa: F401  a fixture


def test_faces_lie_on_a_map(page: Page, open_project: Callable[..., Panoptic], tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "drawings").mkdir()
    draw_people(tmp_path / "drawings", 3)
    panoptic = open_project(tmp_path / "drawings")
    panoptic.act("detect_faces")
    panoptic.wait()
    page.open(tmp_path.name)
    page.page.get_by_text("Grille", exact=True).first.click()
    page.page.get_by_text("Spatiale", exact=True).click()
    page.page.get_by_text("Créer", exact=True).first.click()
    page.page.locator(".function-header:visible", has_text="PanopticFaces.map_images").wait_for()
    page.picture("map_form")
    with page.page.expect_response(lambda answer: "action_execute" in answer.url) as answer:
        page.page.locator(".bar:visible .bb", has_text="Lancer").click()
    made = answer.value.json()["value"]
    page.page.get_by_text("PanopticFaces.graph · SFace").first.wait_for()
    panoptic.wait()
    assert panoptic.get("/atlas/0")["sha1_mapping"].keys() >= set(made["data"][::3])
    faces = len(panoptic.get("/instances")) // 2
    assert made["count"] == faces == len(set(made["data"][::3])) and page.notice() is None
    page.page.wait_for_timeout(1500)
    page.picture("map")
