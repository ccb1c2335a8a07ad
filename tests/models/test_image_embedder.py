"""The embedder that needs no weights: near-duplicates found, other pictures apart."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from panoptic_faces.core.duplicates import group_duplicates
from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.poses import group_turned_duplicates
from panoptic_faces.models.pictures import read_picture
from panoptic_faces.models.visual import DIMENSION, VisualEmbedder, poses


def scene(seed: int, height: int = 240, width: int = 320) -> np.ndarray:
    """A drawn picture: a soft ground and some coloured discs and boxes."""
    random = np.random.default_rng(seed)
    ground = cv2.resize(random.integers(0, 255, (3, 4, 3)).astype(np.uint8), (width, height))
    for _ in range(6):
        colour = tuple(int(value) for value in random.integers(0, 255, 3))
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        size = int(random.integers(15, 70))
        if random.random() < 0.5:
            cv2.circle(ground, (x, y), size, colour, -1)
        else:
            cv2.rectangle(ground, (x, y), (x + size, y + size), colour, -1)
    return ground


def test_vectors_have_length_one_whatever_the_picture() -> None:
    pictures = [scene(0), scene(1, 31, 900), np.zeros((50, 60, 3), np.uint8), np.full((1, 1, 3), 200, np.uint8)]
    vectors = VisualEmbedder().embed(pictures)
    assert vectors.shape == (4, DIMENSION) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert VisualEmbedder().embed([]).shape == (0, DIMENSION)


def test_one_picture_has_one_vector_whatever_is_beside_it() -> None:
    pictures = [scene(seed) for seed in range(5)]
    together = VisualEmbedder().embed(pictures)
    for picture, vector in zip(pictures, together, strict=True):
        np.testing.assert_array_equal(VisualEmbedder().embed([picture])[0], vector)


def edits(picture: np.ndarray) -> dict[str, np.ndarray]:
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return {
        "half size": cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA),
        "other shape": cv2.resize(picture, (width, height * 4 // 5)),
        "poor JPEG": np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], 1)),
        "grey": np.repeat(grey[..., None], 3, axis=2),
        "brighter": np.clip(picture * 1.15 + 8, 0, 255).astype(np.uint8),
        "grainy": np.clip(picture + np.random.default_rng(0).normal(0, 8, picture.shape), 0, 255).astype(np.uint8),
    }


@pytest.mark.parametrize("edit", list(edits(scene(0))))
def test_a_light_edit_is_a_near_duplicate_and_another_picture_is_not(edit: str) -> None:
    embedder = VisualEmbedder()
    originals = embedder.embed([scene(seed) for seed in range(20)])
    changed = embedder.embed([edits(scene(seed))[edit] for seed in range(20)])
    near = originals @ changed.T
    assert np.diag(near).min() >= 0.95
    assert near[~np.eye(20, dtype=bool)].max() < 0.95


def test_poses_are_the_vectors_of_the_turned_pictures() -> None:
    picture = scene(3)
    turns = [np.rot90(side, k) for side in (picture, picture[:, ::-1]) for k in range(4)]
    embedder = VisualEmbedder()
    expected = embedder.embed([np.ascontiguousarray(turn) for turn in turns])
    given = poses(embedder.embed([picture]))[:, 0]
    near = expected @ given.T
    assert given.shape == (8, DIMENSION)
    assert np.allclose(np.sort(near, axis=1)[:, -1], 1, atol=1e-4)
    assert sorted(near.argmax(axis=1).tolist()) == list(range(8))


@pytest.fixture(scope="module")
def ground_truth(shared: Path) -> tuple[list[str], np.ndarray]:
    folder = shared / "data" / "general" / "imagededup_tests"
    names, pictures, unreadable = [], [], []
    for file in sorted(folder.rglob("*.*")):
        try:
            pictures.append(read_picture(file))
            names.append(file.name)
        except FacesError:
            unreadable.append(file.name)
    assert set(unreadable) <= {"ukbench09268_corrupt.jpg"}
    return names, VisualEmbedder().embed(pictures)


def original(name: str) -> str:
    """The picture that a file was made from: by name, but for one that was renamed."""
    return "ukbench00120" if name.startswith("alpha") else name.split(".")[0].split("_")[0]


def pairs(names: list[str], labels: np.ndarray) -> set[tuple[int, int]]:
    return {(i, j) for i, j in combinations(range(len(names)), 2) if labels[i] == labels[j] >= 0}


def test_true_pairs_of_real_pictures_are_found_and_no_other(ground_truth: tuple[list[str], np.ndarray]) -> None:
    names, vectors = ground_truth
    found = pairs(names, group_duplicates(vectors).labels)
    free = pairs(names, group_turned_duplicates(poses(vectors)).labels)
    unseen = ("hflip", "rotation")

    def kind(name: str) -> str:
        return next((part for part in unseen if part in name), "")

    same = {(i, j) for i, j in combinations(range(len(names)), 2) if original(names[i]) == original(names[j])}
    assert found == {(i, j) for i, j in same if kind(names[i]) == kind(names[j])}
    # A rotation by some degrees, which cuts corners off, stays out of reach of both.
    assert free == {(i, j) for i, j in same if ("rotation" in names[i]) == ("rotation" in names[j])}
