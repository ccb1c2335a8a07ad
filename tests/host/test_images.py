"""Whole images in the real Panoptic: vectors, duplicates, tags, look-ups and maps."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import Panoptic

from ..models.shapes import CAPTIONS, drawings
from .person import Person


def kind_of(panoptic: Panoptic, **inputs: Any) -> dict[str, Any]:
    return dict(panoptic.act("create_vector_type", **inputs)["value"])


def computed(panoptic: Panoptic, unreadable: int = 0, **inputs: Any) -> dict[str, Any]:
    """A type of vectors that every image of the project has."""
    kind = kind_of(panoptic, **inputs)
    panoptic.act("compute_vectors", vectors=kind)
    task = panoptic.wait()[-1]
    assert (task["failed"], task["cancelled"]) == (unreadable, False), task
    return kind


def names_of(tmp_path: Path) -> dict[str, str]:
    """Of each image its file's name."""
    with contextlib.closing(sqlite3.connect(tmp_path / "project" / "data.db")) as database:
        return dict(database.execute("SELECT sha1, name FROM files"))


def vectors_in(tmp_path: Path, kind: dict[str, Any]) -> int:
    with contextlib.closing(sqlite3.connect(tmp_path / "project" / "media.db")) as database:
        return int(database.execute("SELECT count(*) FROM vectors WHERE type_id = ?", (kind["id"],)).fetchone()[0])


def refused(panoptic: Panoptic, action: str, **inputs: Any) -> str:
    with pytest.raises(FacesError) as told:
        panoptic.act(action, **inputs)
    assert told.value.code == "panoptic_told", str(told.value)
    return str(told.value)


def original(name: str) -> str:
    """The picture that a file was made from: by name, but for one that was renamed."""
    return "ukbench00120" if name.startswith("alpha") else name.rsplit("/", 1)[-1].split(".")[0].split("_")[0]


def test_true_near_duplicates_and_no_others(open_project: Callable[..., Panoptic], shared: Path, tmp_path: Path
                                            ) -> None:
    panoptic = open_project(shared / "data/general/imagededup_tests")
    kind = kind_of(panoptic)
    assert kind_of(panoptic) == kind and kind["params"] == {"model": "visual-1"}
    names = {sha1: name for sha1, name in names_of(tmp_path).items() if "corrupt" not in name}
    computed(panoptic, unreadable=1)
    assert vectors_in(tmp_path, kind) == len(names)
    unseen = ("hflip", "rotation")
    plain = {sha1: next((part for part in unseen if part in name), "") for sha1, name in names.items()}
    turned = {sha1: "rotation" in name for sha1, name in names.items()}
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, plain), ({"turned": True}, turned)]
    for given, apart in cases:
        groups = panoptic.act("find_duplicates", vectors=kind, **given)["groups"]
        found = {pair for group in groups for pair in combinations(sorted(group["sha1s"]), 2)}
        assert found == {(a, b) for a, b in combinations(sorted(names), 2)
                         if original(names[a]) == original(names[b]) and apart[a] == apart[b]}

    panoptic.act("compute_vectors", vectors=kind)
    task = panoptic.wait()[-1]
    # Taken up again, only the file that could not be read is tried once more, and the task does not look done.
    assert (task["total"], task["failed"], task["cancelled"]) == (1, 1, True)
    assert "corrupt" in next((tmp_path / "project").rglob("vectors.log")).read_text(encoding="utf-8")


def test_what_is_missing_is_computed_after_an_import_and_failures_show(open_project: Callable[..., Panoptic],
                                                                      clip_files: tuple[Path, Path], tmp_path: Path
                                                                      ) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    pictures, _ = drawings(1, 0)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(photos / f"{number}.png")
    panoptic = open_project()
    kind = computed(panoptic)
    assert vectors_in(tmp_path, kind) == len(pictures)

    panoptic.post("/plugin_params", {"plugin": "PanopticFaces", "params": {"vectors_on_import": True}})
    for number, picture in enumerate(drawings(1, 1)[0]):
        Image.fromarray(picture).save(photos / f"new {number}.png")
    panoptic.import_folder(photos)
    panoptic.wait()
    assert vectors_in(tmp_path, kind) == 2 * len(pictures)

    (photos / "new 0.png").unlink()
    other = kind_of(panoptic, model="clip", architecture=str(clip_files[0]), pretrained=str(clip_files[1]))
    panoptic.act("compute_vectors", vectors=other)
    task = panoptic.wait()[-1]
    assert (task["done"], task["failed"]) == (2 * len(pictures) - 1, 1) and "new 0.png" in task["detail"]


def project_of_shapes(open_project: Callable[..., Panoptic], tmp_path: Path) -> Panoptic:
    photos = tmp_path / "photos"
    photos.mkdir()
    pictures, kinds = drawings(6, 7)
    for number, (picture, kind) in enumerate(zip(pictures, kinds, strict=True)):
        Image.fromarray(picture).save(photos / f"{CAPTIONS[kind]} {number}.png")
    return open_project()


def shown_on(names: dict[str, str], sha1: str) -> str:
    return names[sha1].rpartition(" ")[0]


@pytest.fixture
def shapes(open_project: Callable[..., Panoptic], clip_files: tuple[Path, Path], tmp_path: Path
           ) -> tuple[Panoptic, dict[str, Any], dict[str, str]]:
    panoptic = project_of_shapes(open_project, tmp_path)
    kind = computed(panoptic, model="clip", architecture=str(clip_files[0]), pretrained=str(clip_files[1]))
    return panoptic, kind, names_of(tmp_path)


def test_words_find_and_sort_pictures(shapes: tuple[Panoptic, dict[str, Any], dict[str, str]],
                                      clip_files: tuple[Path, Path], tmp_path: Path) -> None:
    panoptic, kind, names = shapes
    parameters = {"model": "clip", "architecture": str(clip_files[0]), "pretrained": str(clip_files[1])}
    again = panoptic.act("compute_vectors", vectors=kind)
    assert again["task_id"] is None and again["notifs"][0]["type"] == "info"
    assert kind_of(panoptic, **parameters) == kind and kind["params"]["model"].startswith("clip/tiny-shapes/")
    # The search box sends the first type of vectors and 0.
    group, = panoptic.act("search_by_text", vectors=kind_of(panoptic), text="a yellow circle",
                          min_similarity=0)["groups"]
    assert len(group["sha1s"]) == len(names)
    assert group["scores"]["values"] == sorted(group["scores"]["values"], reverse=True)
    assert sum(shown_on(names, sha1) == "a yellow circle" for sha1 in group["sha1s"][:6]) >= 4

    vocabulary = Person(panoptic, "Formes")
    for caption in CAPTIONS:
        vocabulary.tag_id(caption, parent=caption.split()[1])
    result = panoptic.act("cluster_by_tags", tags=vocabulary.property, vectors=kind, parent_tags="ignore",
                          min_strength=0, save_as="Vues")
    seen = [sha1 for group in result["groups"] for sha1 in group["sha1s"]]
    assert sorted(seen) == sorted(names)
    right = sum(shown_on(names, sha1) == group["name"] for group in result["groups"] for sha1 in group["sha1s"])
    assert right >= 0.8 * len(names)
    scores = [group["score"]["value"] for group in result["groups"] if group["score"]]
    assert scores == sorted(scores) and scores[0] >= 0 and scores[-1] <= 100
    saved = next(row for row in panoptic.get("/property") if row[3] == "Vues")
    tags = {row[0]: row for row in panoptic.get("/tags") if row[1] == saved[0]}
    assert {row[3] for row in tags.values() if row[2]} == {group["name"] for group in result["groups"]}

    strict = panoptic.act("cluster_by_tags", tags=vocabulary.property, vectors=kind, parent_tags="ignore",
                          min_strength=0.95, prefix="a photo of")["groups"]
    assert strict[-1]["name"] == "Sans tag" and strict[-1]["score"] is None
    assert sorted(sha1 for group in strict for sha1 in group["sha1s"]) == sorted(names)


def test_parents_tell_tags_of_one_name_apart(shapes: tuple[Panoptic, dict[str, Any], dict[str, str]]) -> None:
    panoptic, kind, names = shapes
    vocabulary = Person(panoptic, "Sujets")
    for shape in ("circle", "bar"):
        parent = vocabulary.tag_id(shape)
        panoptic.post("/commit/upsert", {"tags": [
            {"id": -1 - number, "property_id": vocabulary.property, "value": colour, "parents": [parent], "color": 1}
            for number, colour in enumerate(("red", "blue"))]})
    groups = panoptic.act("cluster_by_tags", tags=vocabulary.property, vectors=kind, parent_tags="combine",
                          min_strength=0)["groups"]
    assert sorted(sha1 for group in groups for sha1 in group["sha1s"]) == sorted(names)
    assert len(groups) == 4 and not {"circle", "bar"} & {group["name"] for group in groups}
    shown = [[shown_on(names, sha1) for sha1 in group["sha1s"]] for group in groups]
    for caption in ("a red circle", "a blue circle", "a red bar", "a blue bar"):
        # Each of the four is nearly whole in a group of its own.
        assert max(group.count(caption) for group in shown) >= 5
    assert len({max(range(4), key=lambda place: shown[place].count(caption)) for caption in (
        "a red circle", "a blue circle", "a red bar", "a blue bar")}) == 4


def test_stopped_computing_is_taken_up_where_it_was(open_project: Callable[..., Panoptic], tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    random = np.random.default_rng(0)
    count = 400
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 255, (4, 4, 3), np.uint8))
        coarse.resize((900, 900)).save(photos / f"{number}.jpg")
    panoptic = open_project()
    kind, some = kind_of(panoptic), [row[0] for row in panoptic.get("/instances")][:50]
    panoptic.act("compute_vectors", some, vectors=kind)
    assert panoptic.wait()[-1]["done"] == len(some)
    task = panoptic.act("compute_vectors", vectors=kind)["task_id"]
    panoptic.post("/task/stop", {"id": task})
    stopped = panoptic.wait()[-1]
    left = count - len(some) - stopped["done"]
    assert stopped["cancelled"] and left
    assert vectors_in(tmp_path, kind) == count - left
    panoptic.act("compute_vectors", vectors=kind)
    again = panoptic.wait()[-1]
    assert (again["total"], again["failed"], again["cancelled"]) == (left, 0, False)
    assert vectors_in(tmp_path, kind) == count


def test_examples_keep_their_tag_and_teach_it(shapes: tuple[Panoptic, dict[str, Any], dict[str, str]]) -> None:
    panoptic, kind, names = shapes
    vocabulary = Person(panoptic, "Notes")
    # Words that the model has never seen: only the examples can tell what they mean.
    circles = [sha1 for sha1 in names if "circle" in names[sha1]]
    others = [sha1 for sha1 in names if "circle" not in names[sha1]]
    vocabulary.give(circles[:12], "zorblax")
    vocabulary.give(others[:24], "quimp")
    groups = {group["name"]: set(group["sha1s"]) for group in panoptic.act(
        "cluster_by_tags", tags=vocabulary.property, vectors=kind, examples=True, min_strength=0)["groups"]}
    assert set(circles[:12]) <= groups["zorblax"] and set(others[:24]) <= groups["quimp"]
    assert len(groups["zorblax"] & set(circles)) >= 0.8 * len(circles)


def test_several_tags_are_saved(shapes: tuple[Panoptic, dict[str, Any], dict[str, str]], tmp_path: Path) -> None:
    panoptic, kind, names = shapes
    vocabulary = Person(panoptic, "Mots")
    for word in ("red", "blue", "circle", "square"):
        vocabulary.tag_id(word)
    panoptic.act("cluster_by_tags", tags=vocabulary.property, vectors=kind, min_strength=0, multiple=True,
                 save_as="Mots")
    with contextlib.closing(sqlite3.connect(tmp_path / "project" / "data.db")) as database:
        given = database.execute("SELECT count(*) FROM sha1_tag_values WHERE property_id = ?",
                                 (vocabulary.property,)).fetchone()[0]
    # At strength 0 every tag is strong enough.
    assert given == 4 * len(names)
    assert len([row for row in panoptic.get("/tags") if row[1] == vocabulary.property]) == 4


def test_alike_pictures_and_a_picture_file(shapes: tuple[Panoptic, dict[str, Any], dict[str, str]], tmp_path: Path
                                           ) -> None:
    panoptic, kind, names = shapes
    file = tmp_path / "query.png"
    Image.open(tmp_path / "photos" / sorted(names.values())[0]).save(file)
    by_file, = panoptic.act("find_similar", vectors=kind, picture=str(file), max_results=5)["groups"]
    assert len(by_file["sha1s"]) == 5
    assert names[by_file["sha1s"][0]] == sorted(names.values())[0]
    assert by_file["scores"]["values"][0] == pytest.approx(1, abs=1e-5)

    by_selection, = panoptic.act("find_similar", [1], vectors=kind)["groups"]
    assert len(by_selection["sha1s"]) == len(names) - 1


@pytest.mark.parametrize("method", ["graph", "pca", "tsne"])
def test_a_map_is_kept_for_the_page(shapes: tuple[Panoptic, dict[str, Any], dict[str, str]], method: str) -> None:
    panoptic, kind, names = shapes
    made = panoptic.act("map_images", vectors=kind, method=method)["value"]
    assert panoptic.act("map_images", vectors=kind, method=method)["value"] == made
    assert [known["id"] for known in panoptic.get("/list_maps")] == [made["id"]]
    kept = panoptic.get(f"/map/{made['id']}")
    assert kept["data"] == made["data"] and set(kept["data"][::3]) == set(names) and kept["count"] == len(names)
    points = np.array([kept["data"][1::3], kept["data"][2::3]])
    assert np.hypot(*points).max() == pytest.approx(100)


def test_faces_are_found_by_a_photo(open_project: Callable[..., Panoptic], shared: Path, tmp_path: Path) -> None:
    person = sorted((shared / "data/faces/bbt_cast").iterdir())[0]
    panoptic = open_project(shared / "data/faces/bbt_cast")
    panoptic.act("detect_faces")
    panoptic.wait()
    faces = next({"id": row[0], "source": row[1], "params": row[2]} for row in panoptic.get("/vector_types"))
    photo = sorted(person.iterdir())[0] if person.is_dir() else person
    group, = panoptic.act("find_similar", vectors=faces, picture=str(photo), max_results=3)["groups"]
    assert group["scores"]["values"][0] == pytest.approx(1, abs=1e-4)
    assert "detect_faces" in refused(panoptic, "compute_vectors", vectors=faces)
    nothing = tmp_path / "nothing.png"
    Image.new("RGB", (200, 200)).save(nothing)
    assert refused(panoptic, "find_similar", vectors=faces, picture=str(nothing))


def test_what_cannot_be_gets_one_sentence(shapes: tuple[Panoptic, dict[str, Any], dict[str, str]], tmp_path: Path
                                          ) -> None:
    panoptic, kind, _ = shapes
    visual = kind_of(panoptic)
    words = Person(panoptic, "Vide")
    unknown = {**kind, "id": 999}
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("create_vector_type", {"model": "clip", "architecture": "No-Such-Model"}),
        ("create_vector_type", {"model": "clip", "pretrained": "no-such-weights"}),
        ("create_vector_type", {"model": "clip", "architecture": 7}),
        ("compute_vectors", {"vectors": unknown}), ("compute_vectors", {"vectors": ""}),
        ("find_duplicates", {"vectors": kind, "turned": True}), ("find_duplicates", {"vectors": kind, "turned": ""}),
        ("find_duplicates", {"vectors": visual}),
        ("cluster_by_tags", {"tags": words.property, "vectors": kind}),
        ("cluster_by_tags", {"tags": 1, "vectors": kind}), ("cluster_by_tags", {"tags": "", "vectors": kind}),
        ("cluster_by_tags", {"tags": words.property, "vectors": visual}),
        ("cluster_by_tags", {"tags": words.property, "vectors": kind, "min_strength": ""}),
        ("cluster_by_tags", {"tags": words.property, "vectors": kind, "multiple": "x"}),
        ("cluster_by_tags", {"tags": words.property, "vectors": kind, "prefix": []}),
        ("search_by_text", {"vectors": kind, "text": " "}), ("search_by_text", {"vectors": unknown, "text": "a"}),
        ("search_by_text", {"vectors": kind, "text": "a", "min_similarity": ""}),
        ("find_similar", {"vectors": kind}), ("find_similar", {"vectors": kind, "picture": str(tmp_path / "no.png")}),
        ("find_similar", {"vectors": kind, "picture": str(tmp_path)}),
        ("find_similar", {"vectors": kind, "max_results": ""}), ("map_images", {"vectors": unknown}),
        ("map_images", {"vectors": visual}), ("map_images", {"vectors": kind, "map_name": 3}),
    ]
    for action, inputs in wrong:
        assert len(refused(panoptic, action, **inputs)) > 20, (action, inputs)
