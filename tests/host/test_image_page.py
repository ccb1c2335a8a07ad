"""Vectors, near-duplicates and the search by a picture, as a person does them in the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator

from panoptic_faces.launch import Panoptic

from ..models.shapes import CAPTIONS
from .driver import Page
from .person import Person
from .test_images import computed, names_of, project_of_shapes, shown_on
from .test_page import page  # noqa: F401  a fixture
from .test_people import carried


def window(page: Page) -> Locator:  # noqa: F811
    return page.page.locator(".modal-container:visible").first


def test_vectors_are_made_in_the_settings_and_turned_copies_found(
        page: Page, open_project: Callable[..., Panoptic], shared: Path, tmp_path: Path) -> None:  # noqa: F811
    panoptic = open_project(shared / "data/general/imagededup_tests")
    page.open(tmp_path.name)
    page.page.locator(".bi-gear").first.click()
    window(page).get_by_text("Vecteurs", exact=True).first.click()
    window(page).get_by_text("Ajouter un type de vecteur").click()
    page.picture("vector_type")
    with page.page.expect_response(lambda answer: "action_execute" in answer.url):
        window(page).get_by_text("Créer", exact=True).click()
    line = window(page).locator("tbody tr").first
    line.get_by_text("visual-1").wait_for()
    panoptic.wait()
    page.picture("vectors")
    # “Compute now” is ticked: one file cannot be read.
    assert panoptic.tasks()[-1]["failed"] == 1
    window(page).locator(".bi-x").first.click()

    alike = panoptic.act("find_duplicates")["groups"]
    turned = page.run("PanopticFaces.find_duplicates", turned=True)["groups"]
    page.picture("turned")
    assert sum(len(group["sha1s"]) for group in turned) > sum(len(group["sha1s"]) for group in alike)
    shown = page.lines()
    assert list(shown)[1:3] == [group["name"] for group in turned[:2]] and page.notice() is None
    assert shown[turned[0]["name"]] == str(round(turned[0]["score"]["value"]))


def test_a_face_is_sought_by_a_picture_file(page: Page, open_project: Callable[..., Panoptic],  # noqa: F811
                                            shared: Path, tmp_path: Path) -> None:
    panoptic = open_project(shared / "data/faces/bbt_cast")
    panoptic.act("detect_faces")
    panoptic.wait()
    photo = sorted(path for path in (shared / "data/faces/bbt_cast").rglob("*") if path.is_file())[0]
    page.open(tmp_path.name)
    page.page.locator("img:visible").nth(2).click()
    window(page).locator(".bi-boxes").first.click()
    # The page asks at once for what is like the image in view, and a photo has no vector here.
    page.page.wait_for_timeout(2000)
    page.notice()
    window(page).get_by_text("Images similaire", exact=True).last.click()
    name = page.page.locator(".params-grid:visible .label-cell").filter(
        has=page.page.get_by_text("picture", exact=True))
    name.locator("xpath=following-sibling::*[1]").locator("input").fill(str(photo))
    page.picture("picture_form")
    with page.page.expect_response(lambda answer: "action_execute" in answer.url) as answer:
        page.page.locator(".bb:visible", has_text="Lancer").last.click()
    group, = answer.value.json()["groups"]
    page.page.wait_for_timeout(1500)
    page.picture("picture_found")
    assert group["scores"]["values"][0] > 0.999


def test_pictures_are_sorted_by_the_tags_of_a_vocabulary(
        page: Page, open_project: Callable[..., Panoptic], clip_files: tuple[Path, Path],  # noqa: F811
        tmp_path: Path) -> None:
    panoptic = project_of_shapes(open_project, tmp_path)
    computed(panoptic, model="clip", architecture=str(clip_files[0]), pretrained=str(clip_files[1]))
    vocabulary = Person(panoptic, "Formes")
    for caption in CAPTIONS:
        vocabulary.tag_id(caption)
    page.open(tmp_path.name)
    # The only property of tags is the vocabulary, where none was chosen.
    groups = page.run("PanopticFaces.cluster_by_tags", min_strength=0, save_as="Vues")["groups"]
    page.picture("tags")
    assert page.notice() is None and {group["name"] for group in groups} == set(CAPTIONS)
    shown = page.lines()
    assert list(shown)[:3] == ["All", groups[0]["name"], groups[1]["name"]]
    assert shown[groups[0]["name"]] == str(round(groups[0]["score"]["value"]))
    page.close_clusters()
    page.group_by("Vues")
    page.picture("tags_saved")
    names = names_of(tmp_path)
    saved = carried(panoptic, "Vues")
    assert sum(shown_on(names, sha1) in tags for sha1, tags in saved.items()) > 0.8 * len(names)
