"""Vectors that are none: every entrance of the core says so, and so does the page."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panoptic_faces import core
from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.faces import CLUSTERERS
from panoptic_faces.core.people import recognize, train_recognizer
from panoptic_faces.core.projection import METHODS
from panoptic_faces.core.suggestions import suggest_merges, suggest_splits
from panoptic_faces.launch import Panoptic

from .conftest import Guarded

SOUND = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
LABELS = np.arange(12) // 3
NAMES = [f"person {label}" for label in LABELS]


def changed(value: float, row: int = 5) -> np.ndarray:
    wrong = SOUND.copy()
    wrong[row, 3] = value
    return wrong


def zero() -> np.ndarray:
    wrong = SOUND.copy()
    wrong[5] = 0
    return wrong


BAD: dict[str, Any] = {
    "NaN": changed(np.nan), "infinity": changed(np.inf), "minus infinity": changed(-np.inf), "zero": zero(),
    "text": [["a"] * 8] * 12, "complex": SOUND.astype(complex), "objects": np.full((12, 8), {}, dtype=object),
    "dates": SOUND.astype("datetime64[s]"), "two models mixed": [[1.0] * 8] * 6 + [[1.0] * 4] * 6,
    "one axis": SOUND[0], "three axes": SOUND[None], "no column": np.zeros((12, 0)), "none": None, "a number": 3,
    "bytes": b"\x00" * 96}
# Every entrance that takes vectors, with all else sound.
ENTRANCES: dict[str, Callable[[Any], Any]] = {
    **{f"cluster_faces {method}": partial(core.cluster_faces, method=method) for method in CLUSTERERS},
    **{f"project {method}": partial(core.project, method=method) for method in METHODS if method != "umap"},
    "cluster_images": lambda wrong: core.cluster_images(wrong, 3), "cluster_levels": lambda wrong: core.cluster_levels(
        wrong, 2, 2), "cluster_images chosen": lambda wrong: core.cluster_images(wrong, -1),
    "group_duplicates": core.group_duplicates, "assign_tags images": lambda wrong: core.assign_tags(wrong, SOUND[:3]),
    "assign_tags texts": lambda wrong: core.assign_tags(SOUND, wrong),
    "train_recognizer": lambda wrong: train_recognizer(wrong, NAMES),
    "recognize": lambda wrong: recognize(train_recognizer(SOUND, NAMES), wrong),
    "impostors": lambda wrong: train_recognizer(SOUND, NAMES, impostors=wrong),
    "suggest_merges": lambda wrong: suggest_merges(wrong, LABELS),
    "suggest_splits": lambda wrong: suggest_splits(wrong, LABELS),
    "evaluate": lambda wrong: core.evaluate(LABELS, vectors=wrong)}
# No impostors are as good as none given; without vectors less is evaluated.
MAY_BE_NONE = {"impostors", "evaluate"}


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("kind", BAD)
def test_every_entrance_tells_what_is_wrong(kind: str, entrance: str) -> None:
    if kind == "none" and entrance in MAY_BE_NONE:
        ENTRANCES[entrance](None)
        return
    with pytest.raises(FacesError) as raised:
        ENTRANCES[entrance](BAD[kind])
    assert raised.value.code.startswith("vectors_"), raised.value.code
    for language in ("en", "fr"):
        assert len(raised.value.sentence(language).splitlines()) == 1


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "int64", "uint8", "bool", ">f4"])
@pytest.mark.parametrize("entrance", [name for name in ENTRANCES if name not in ("recognize", "assign_tags texts")])
def test_numbers_of_any_kind_are_vectors(entrance: str, dtype: str) -> None:
    whole = np.abs(np.round(SOUND * 20)) % 100
    whole[:, 0] = 1
    ENTRANCES[entrance](whole.astype(dtype))


def test_huge_and_tiny_numbers_are_vectors() -> None:
    same = core.cluster_faces(SOUND).labels
    for scale in (1e-37, 1e30):
        np.testing.assert_array_equal(core.cluster_faces(SOUND.astype(np.float64) * scale).labels, same)


@given(st.lists(st.lists(st.floats(width=32) | st.integers(-(2**70), 2**70) | st.none() | st.text(max_size=2),
                         max_size=4), max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_rows_at_all(rows: list[list[Any]]) -> None:
    for entrance in (core.cluster_faces, core.group_duplicates, lambda found: core.cluster_images(found, -1)):
        try:
            found = entrance(rows)
        except FacesError as error:
            assert error.code.startswith("vectors_")
        else:
            assert len(found.labels) == len(rows) and np.isfinite(found.scores).all()


@pytest.fixture(scope="module")
def project(guarded: Guarded, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Panoptic, Path]:
    place = tmp_path_factory.mktemp("vectors")
    server = guarded.open(place, *sorted((shared / "data/faces/bbt_cast").iterdir())[:2])
    server.act("detect_faces")
    server.wait()
    server.act("compute_vectors", vectors=server.act("create_vector_type")["value"])
    server.wait()
    server.act("cluster_faces", save_as="Personnes")
    return server, place / "project/media.db"


@pytest.mark.parametrize("kind", ["NaN", "infinity", "zero", "shorter", "empty"])
def test_broken_vectors_in_a_project_are_told_in_the_page(kind: str, project: tuple[Panoptic, Path]) -> None:
    """As another plugin, or a damaged disk, may leave them; repaired, all is as before."""
    server, database = project
    with closing(sqlite3.connect(database)) as media:
        sound = media.execute("SELECT type_id, sha1, data FROM vectors").fetchall()
        before = [group["sha1s"] for group in server.act("cluster_faces")["groups"]]
        for number in {row[0] for row in sound}:
            _, sha1, data = next(row for row in sound if row[0] == number)
            vector = np.frombuffer(data, dtype=np.float32).copy()
            vector[3] = {"NaN": np.nan, "infinity": np.inf}.get(kind, vector[3])
            broken = {"zero": np.zeros_like(vector), "shorter": vector[:5], "empty": vector[:0]}.get(kind, vector)
            media.execute("UPDATE vectors SET data = ? WHERE type_id = ? AND sha1 = ?",
                          (broken.tobytes(), number, sha1))
        media.commit()
    people = next(row[0] for row in server.get("/property") if row[3] == "Personnes")
    try:
        for action in ("cluster_faces", "recognize_people", "suggest_merges", "evaluate_clusters", "compute_clusters",
                       "find_duplicates", "map_images"):
            with pytest.raises(FacesError) as raised:
                server.act(action, people=people, clusters=people, nb_clusters=2)
            assert raised.value.code == "panoptic_told" and "ecteur" in str(raised.value), (action, str(raised.value))
    finally:
        with closing(sqlite3.connect(database)) as media:
            media.executemany("UPDATE vectors SET data = ? WHERE type_id = ? AND sha1 = ?",
                              [(data, number, sha1) for number, sha1, data in sound])
            media.commit()
    assert [group["sha1s"] for group in server.act("cluster_faces")["groups"]] == before
