"""Images to tags: nearest text, one meaning of strength, examples, parents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.tagging import assign_tags, tag_texts
from panoptic_faces.core.types import NOISE

TAGS = 6


def world(n: int = 400, d: int = 64, *, gap: float = 0.3, noise: float = 1.5, seed: int = 0
          ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images of t kinds and texts for them, with the distance that lies between images and texts."""
    random = np.random.default_rng(seed)
    kinds = random.integers(0, TAGS, n)
    meanings = random.standard_normal((TAGS, d))
    images = meanings[kinds] + noise * random.standard_normal((n, d)) + 3 * random.standard_normal(d)
    texts = gap * meanings + random.standard_normal(d)
    return images, texts, kinds, meanings


def test_each_image_goes_to_the_text_that_it_is_nearest_to() -> None:
    images, texts, _, _ = world()
    found = assign_tags(images, texts, min_strength=0)
    unit = images / np.linalg.norm(images, axis=1, keepdims=True)
    words = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    np.testing.assert_array_equal(found.tags, (unit @ words.T).argmax(axis=1))
    assert (found.assigned.sum(axis=1) == 1).all()
    strengths = found.strengths[found.members(0), 0]
    assert (np.diff(strengths) <= 0).all() and len(strengths) == (found.tags == 0).sum()


@pytest.mark.parametrize("scale, shift", [(1.0, 0.0), (0.25, 0.7), (4.0, -3.0)])
def test_a_strength_means_the_same_on_another_scale_of_similarity(scale: float, shift: float) -> None:
    from panoptic_faces.core.tagging import _standardised

    similarity = np.random.default_rng(0).normal(0.2, 0.05, (300, 5))
    np.testing.assert_allclose(_standardised(scale * similarity + shift), _standardised(similarity), atol=1e-6)


@pytest.mark.parametrize("seed", [1, 2])
def test_few_images_that_show_no_tag_get_one(seed: int) -> None:
    images, texts, _, _ = world(seed=seed)
    random = np.random.default_rng(seed + 10)
    strangers = random.standard_normal((400, 64)) * images.std(axis=0) + images.mean(axis=0)
    found = assign_tags(np.concatenate([images, strangers]), texts, min_strength=0.9)
    assert (found.tags[400:] != NOISE).mean() < 0.25
    assert (found.tags[:400] != NOISE).mean() > 2 * (found.tags[400:] != NOISE).mean()


def test_the_order_of_the_images_changes_nothing() -> None:
    images, texts, kinds, _ = world()
    examples = np.zeros((len(images), TAGS), bool)
    examples[np.arange(50), kinds[:50]] = True
    shuffle = np.random.default_rng(1).permutation(len(images))
    straight = assign_tags(images, texts, examples=examples)
    mixed = assign_tags(images[shuffle], texts, examples=examples[shuffle])
    np.testing.assert_array_equal(mixed.tags, straight.tags[shuffle])
    np.testing.assert_allclose(mixed.strengths, straight.strengths[shuffle], atol=1e-6)


def test_a_text_and_its_vector_stay_together() -> None:
    images, texts, _, _ = world()
    shuffle = np.random.default_rng(1).permutation(TAGS)
    straight = assign_tags(images, texts, min_strength=0)
    mixed = assign_tags(images, texts[shuffle], min_strength=0)
    np.testing.assert_array_equal(shuffle[mixed.tags], straight.tags)


def test_several_tags_where_asked() -> None:
    images, texts, _, meanings = world()
    images[0] += 2 * meanings[1] + 2 * meanings[2]
    one, all_strong = (assign_tags(images, texts, multiple=multiple) for multiple in (False, True))
    assert all_strong.assigned[0, [1, 2]].all() and one.assigned[0].sum() == 1
    np.testing.assert_array_equal(one.tags, all_strong.tags)
    np.testing.assert_array_equal(all_strong.assigned, all_strong.strengths >= np.float32(0.5))


def test_examples_correct_texts_that_mislead() -> None:
    images, texts, kinds, _ = world()
    texts = texts[[1, 0, *range(2, TAGS)]]
    examples = np.zeros((len(images), TAGS), bool)
    examples[np.arange(120), kinds[:120]] = True
    misled = assign_tags(images, texts, min_strength=0).tags[120:]
    taught = assign_tags(images, texts, min_strength=0, examples=examples).tags[120:]
    swapped = kinds[120:] < 2
    assert (misled[swapped] == kinds[120:][swapped]).mean() < 0.3
    assert (taught[swapped] == kinds[120:][swapped]).mean() > 0.8


def test_an_image_keeps_the_tags_that_it_carries() -> None:
    images, texts, kinds, _ = world()
    examples = np.zeros((len(images), TAGS), bool)
    examples[3, (kinds[3] + 1) % TAGS] = True
    found = assign_tags(images, texts, min_strength=1, examples=examples)
    assert found.tags[3] == (kinds[3] + 1) % TAGS and found.assigned[3].sum() == 1


TEXT: Any = ""
NAMES = ["animal", "cat", "dog", "house cat", "car"]
PARENTS: list[list[int]] = [[], [0], [0], [1], []]


@pytest.mark.parametrize("mode, expected", [
    ("use", [(0, "animal"), (1, "cat"), (2, "dog"), (3, "house cat"), (4, "car")]),
    ("combine", [(2, "dog, animal"), (3, "house cat, cat, animal"), (4, "car")]),
    ("ignore", [(2, "dog"), (3, "house cat"), (4, "car")]),
])
def test_parents_are_used_combined_or_ignored(mode: str, expected: list[tuple[int, str]]) -> None:
    assert tag_texts(NAMES, PARENTS, parent_tags=mode) == expected


def test_parents_that_form_a_ring_end() -> None:
    assert tag_texts(["a", "b", "c"], [[1], [0], [0]], parent_tags="combine") == [(2, "c, a, b")]


@pytest.mark.parametrize("prefix, text", [("a photo of a ", "a photo of a cat"), ("a {} in a book", "a cat in a book")])
def test_a_prefix_is_put_before_the_text_or_around_it(prefix: str, text: str) -> None:
    assert tag_texts(["cat"], [[]], prefix=prefix) == [(0, text)]


@pytest.mark.parametrize("n, t", [(0, 3), (3, 0), (1, 1), (1, 2), (2, 1)])
def test_small_sets(n: int, t: int) -> None:
    found = assign_tags(np.ones((n, 4)), np.ones((t, 4)), min_strength=0)
    assert found.strengths.shape == found.assigned.shape == (n, t)
    assert np.isfinite(found.strengths).all()


@pytest.mark.parametrize("call, code", [
    (lambda: assign_tags(np.eye(3), np.eye(3), min_strength=1.5), "min_strength"),
    (lambda: assign_tags(np.eye(3), np.eye(3), min_strength=TEXT), "min_strength"),
    (lambda: assign_tags(np.eye(3), np.eye(4)), "vectors_dimension"),
    (lambda: assign_tags(np.eye(3), np.eye(3), examples=np.zeros((2, 3))), "examples_shape"),
    (lambda: tag_texts(["a"], [[]], parent_tags="some"), "parent_tags"),
])
def test_a_wrong_parameter_gets_a_sentence(call: Callable[[], object], code: str) -> None:
    with pytest.raises(FacesError) as error:
        call()
    assert error.value.code == code and str(error.value)
