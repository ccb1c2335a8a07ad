"""Photos in, people out, in the real Panoptic."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from panoptic_faces.core import evaluate
from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import Panoptic


def people_with(folder: Path, least: int, most: int, count: int) -> list[Path]:
    fit = [person for person in sorted(folder.iterdir()) if least <= len(os.listdir(person)) <= most]
    return random.Random(0).sample(fit, count)


def rows(tmp_path: Path, query: str, name: str = "data") -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(tmp_path / "project" / f"{name}.db")) as database:
        return database.execute(query).fetchall()


def provenance(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Of each crop, what its EXIF description says, by the SHA-1 that the project knows it by."""
    files = dict(rows(
        tmp_path, "SELECT files.name, files.sha1 FROM files JOIN folders ON folders.id = folder_id "
                  "WHERE folders.name = 'Visages'"))
    found = {}
    for name, sha1 in files.items():
        with Image.open(tmp_path / "project" / "faces" / name) as crop:
            found[sha1] = json.loads(crop.getexif()[0x010E])
    return found


def labels_of(groups: list[dict[str, Any]], person_of: dict[str, str]) -> tuple[list[int], list[str]]:
    """Predicted label, −1 in groups without a score that hold several, and true person of each face."""
    labels: list[int] = []
    truth: list[str] = []
    for number, group in enumerate(groups):
        faces = [sha1 for sha1 in group["sha1s"] if sha1 in person_of]
        label = -1 if group["score"] is None and len(faces) > 1 else number
        labels += [label] * len(faces)
        truth += [person_of[sha1] for sha1 in faces]
    return labels, truth


def test_sixty_people_come_out_as_sixty_people(open_project: Callable[..., Panoptic], shared: Path, tmp_path: Path
                                               ) -> None:
    panoptic = open_project(*people_with(shared / "data/faces/lfw_a", 5, 20, 60))
    photos = len(panoptic.get("/instances"))
    panoptic.act("detect_faces")
    task = panoptic.wait()[-1]
    assert (task["done"], task["failed"], task["cancelled"]) == (photos, 0, False)

    result = panoptic.act("cluster_faces")
    crops = provenance(tmp_path)
    names = dict(rows(
        tmp_path, "SELECT files.sha1, folders.name FROM files JOIN folders ON folders.id = folder_id"))
    largest = largest_face_of_each_photo(crops)
    labels, truth = labels_of(result["groups"], {sha1: names[crops[sha1]["sha1"]] for sha1 in largest})
    figures = evaluate(labels, truth)
    print("BCubed F", figures["bcubed_f"], "precision", figures["bcubed_precision"])
    assert len(truth) >= 0.99 * photos
    assert figures["bcubed_f"] >= 0.97
    assert_partition(panoptic, result)
    assert_in_order(result["groups"])


def largest_face_of_each_photo(crops: dict[str, dict[str, Any]]) -> list[str]:
    """LFW names the person in the middle of each photo; others in the background have no name."""
    best: dict[str, str] = {}
    for sha1, crop in sorted(crops.items()):
        photo = crop["sha1"]
        if photo not in best or min(crop["box"][2:]) > min(crops[best[photo]]["box"][2:]):
            best[photo] = sha1
    return list(best.values())


def assert_partition(panoptic: Panoptic, result: dict[str, Any]) -> None:
    shown = [sha1 for group in result["groups"] for sha1 in group["sha1s"]]
    assert sorted(shown) == sorted({row[2] for row in panoptic.get("/instances")})


def assert_in_order(groups: list[dict[str, Any]]) -> None:
    scores = [group["score"]["value"] for group in groups if group["score"]]
    assert scores == sorted(scores) and all(0 <= score <= 100 for score in scores)
    assert [group["score"] is None for group in groups] == sorted(group["score"] is None for group in groups)
    assert [group["name"] for group in groups[:3]] == ["Visage 1", "Visage 2", "Visage 3"]
    assert groups[-1]["name"] == "Autres images (pas des visages)"


def tile(portraits: list[Path], columns: int, side: int = 250) -> Image.Image:
    rows = -(-len(portraits) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side))
    for place, portrait in enumerate(portraits):
        with Image.open(portrait) as image:
            sheet.paste(image.convert("RGB").resize((side, side)), (place % columns * side, place // columns * side))
    return sheet


def test_every_face_of_group_photos_is_found_and_named(open_project: Callable[..., Panoptic], shared: Path,
                                                       tmp_path: Path) -> None:
    people = people_with(shared / "data/faces/lfw_a", 8, 20, 24)
    sheets = tmp_path / "groups"
    sheets.mkdir()
    for photo in range(8):
        tile([sorted(person.iterdir())[photo] for person in people], columns=6).save(sheets / f"group{photo}.png")
    panoptic = open_project(sheets)
    panoptic.act("detect_faces")
    panoptic.wait()
    result = panoptic.act("cluster_faces")

    crops = provenance(tmp_path)
    tiles: dict[tuple[str, int], str] = {}
    for sha1, crop in crops.items():
        x, y, width, height = crop["box"]
        place = int((y + height / 2) // 250) * 6 + int((x + width / 2) // 250)
        key = (crop["photo"], place)
        if key not in tiles or min(crops[tiles[key]]["box"][2:]) < min(width, height):
            tiles[key] = sha1
    wanted = len(people) * 8
    print("tiles found", len(tiles), "of", wanted)
    assert len(tiles) >= 0.95 * wanted
    group_of = {sha1: number for number, group in enumerate(result["groups"]) for sha1 in group["sha1s"]}
    home = {place: np.bincount([group_of[sha1] for (_, at), sha1 in tiles.items() if at == place]).argmax()
            for place in range(len(people))}
    right = sum(group_of[sha1] == home[place] for (_, place), sha1 in tiles.items())
    print("in the right group", right, "of", len(tiles))
    assert len(set(home.values())) == len(people)
    assert right >= 0.95 * wanted


def test_saving_writes_nested_tags_and_a_second_run_keeps_them(open_project: Callable[..., Panoptic], shared: Path
                                                               ) -> None:
    panoptic = open_project(shared / "data/faces/bbt_cast", shared / "data/faces/groups/historical")
    panoptic.act("detect_faces")
    panoptic.wait()
    result = panoptic.act("cluster_faces", save_as="Personnes")
    people = [group for group in result["groups"] if group["name"].startswith("Visage ")]
    tags = carried(panoptic, "Personnes")
    assert tags == {sha1: {group["name"]} for group in people for sha1 in group["sha1s"]}

    biggest = max(people, key=lambda group: len(group["sha1s"]))
    ids = [row[0] for row in panoptic.get("/instances") if row[2] in biggest["sha1s"]]
    parts = panoptic.act("cluster_faces", ids, save_as="Personnes", method="agglomerative",
                         parameters="threshold=0.9")["groups"]
    assert len(parts) > 1
    nested = carried(panoptic, "Personnes")
    assert nested == {**tags, **{sha1: {part["name"]} for part in parts for sha1 in part["sha1s"]
                                 if part["name"].startswith(biggest["name"] + ".")}}
    parents = {tag[3]: tag[2] for tag in panoptic.get("/tags")}
    top = next(tag[0] for tag in panoptic.get("/tags") if tag[3] == biggest["name"])
    assert parents[f"{biggest['name']}.1"] == [top]

    again = panoptic.act("cluster_faces", save_as="Personnes")
    assert carried(panoptic, "Personnes") == nested
    assert {group["name"]: sorted(group["sha1s"]) for group in again["groups"]} == \
        {group["name"]: sorted(group["sha1s"]) for group in result["groups"]}
    assert [prop[3] for prop in panoptic.get("/property")].count("Personnes") == 1


def carried(panoptic: Panoptic, name: str) -> dict[str, set[str]]:
    """The names of the tags of each image."""
    prop = next(row[0] for row in panoptic.get("/property") if row[3] == name)
    tags = {row[0]: row[3] for row in panoptic.get("/tags")}
    sha1s = {row[0]: row[2] for row in panoptic.get("/instances")}
    answer = panoptic.post("/instances/values", {"ids": list(sha1s), "prop_ids": [prop]})
    return {sha1s[int(instance)]: {tags[tag] for tag in values[str(prop)]}
            for instance, values in answer.items() if values.get(str(prop))}


def test_a_selection_without_faces_is_told_where_they_are(open_project: Callable[..., Panoptic], shared: Path) -> None:
    panoptic = open_project(shared / "data/faces/bbt_cast")
    with pytest.raises(FacesError, match="detect_faces"):
        panoptic.act("cluster_faces")
    photos = [row[0] for row in panoptic.get("/instances")]
    panoptic.act("detect_faces", photos[:5])
    panoptic.wait()
    with pytest.raises(FacesError, match="dossier «\u00a0Visages\u00a0»"):
        panoptic.act("cluster_faces", photos)
    assert len(panoptic.get("/instances")) == len(photos) + 5


def test_a_photo_that_cannot_be_read_stops_nothing(open_project: Callable[..., Panoptic], shared: Path, tmp_path: Path
                                                   ) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "page.jpg").write_bytes((shared / "weights/bad/w600k_r50_is_an_html_page.onnx").read_bytes())
    panoptic = open_project(broken)
    panoptic.act("detect_faces")
    failed = panoptic.wait()[-1]
    assert failed["cancelled"] and "échec" in failed["name"] and (failed["done"], failed["failed"]) == (0, 1)

    panoptic = open_project(shared / "data/faces/bbt_cast")
    panoptic.act("detect_faces")
    task = panoptic.wait()[-1]
    assert (task["done"], task["failed"], task["cancelled"]) == (40, 1, False)
    assert "page.jpg" in task["detail"]
    log = tmp_path / "project/plugin_data/panopticfaces/scan.log"
    assert log.read_text(encoding="utf-8").count("page.jpg\t") == 2
    crops = len(provenance(tmp_path))
    panoptic.act("detect_faces")
    assert panoptic.wait()[-1]["total"] == 1 and len(provenance(tmp_path)) == crops


@pytest.mark.parametrize("inputs, sentence", [
    ({"min_size": ""}, "min_size doit être un nombre entier"),
    ({"min_size": -1}, "min_size doit être un nombre entier"),
    ({"parameters": "eps"}, "nom=valeur"),
    ({"parameters": "eps=0.5"}, "auto"),
    ({"method": "dbscan", "parameters": "eps=-3"}, "eps"),
    ({"method": "dbscan", "parameters": "seed=5 eps=0,5"}, "seed"),
    ({"method": "dbscan", "parameters": "images=5"}, "images"),
    ({"save_as": "sha1"}, "«\u00a0sha1\u00a0»"),
])
def test_wrong_parameters_get_one_sentence(open_project: Callable[..., Panoptic], shared: Path,
                                           inputs: dict[str, Any], sentence: str) -> None:
    panoptic = open_project(shared / "data/faces/bbt_cast/amy")
    panoptic.act("detect_faces")
    panoptic.wait()
    with pytest.raises(FacesError, match=sentence):
        panoptic.act("cluster_faces", **inputs)
