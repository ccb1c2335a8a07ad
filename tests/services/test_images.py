"""Whole images as the groups that a user sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.services.images import group_copies, group_images


def test_more_groups_than_images_is_one_group_an_image() -> None:
    groups, paths = group_images(["a", "b", "c"], np.eye(3, dtype=np.float32), "fr", n_clusters=10)
    assert sorted(image for group in groups for image in group.images) == ["a", "b", "c"]
    assert len(groups) == 3 and all(group.score is None for group in groups)
    assert set(paths) == {"a", "b", "c"}


def test_levels_nest_their_names() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    groups, paths = group_images([str(number) for number in range(40)], vectors, "en", n_clusters=2, levels=2)
    assert all(path[1].startswith(path[0]) for path in paths.values())
    assert {path[1] for path in paths.values()} == {group.name for group in groups}


@pytest.mark.parametrize("wrong", [0, -2, "", "many", None])
def test_a_number_that_is_none_gets_one_sentence(wrong: Any) -> None:
    with pytest.raises(FacesError):
        group_images(["a", "b"], np.eye(2, dtype=np.float32), "fr", n_clusters=wrong)


def test_sharpness_is_asked_only_where_the_pixels_do_not_decide() -> None:
    vectors = np.repeat(np.eye(3, 8, dtype=np.float32), [3, 2, 1], axis=0)
    sizes = {"a": 9, "b": 4, "c": 9, "d": 1, "e": 2, "f": 5}
    asked: list[str] = []

    def sharpness(images: Sequence[str]) -> list[float]:
        asked.extend(images)
        return [{"a": 1.0, "c": 7.0}[image] for image in images]

    groups = group_copies("abcdef", vectors, "en", pixels=lambda images: [sizes[image] for image in images],
                          sharpness=sharpness)
    assert sorted(group.images for group in groups) == [["c", "a", "b"], ["e", "d"]] and sorted(asked) == ["a", "c"]
