"""Whole images into groups, named and in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..core.duplicates import best_copies_first, group_duplicates
from ..core.images import cluster_levels
from ..core.types import NOISE
from ..i18n import text
from .organise import Group, as_groups

Path = tuple[str, ...]


def group_images(images: Sequence[str], vectors: NDArray[np.float32], language: str, *, n_clusters: int = 10,
                 levels: int = 1) -> tuple[list[Group], dict[str, Path]]:
    """Like images together, best group first, and each image's path of group names from the coarsest level down.

    n_clusters: −1 chooses the number. levels: more than 1 cuts each group again; the groups are the leaves.
    Raises the FacesErrors of ``core.cluster_levels``.
    """
    found = cluster_levels(vectors, n_clusters, levels)
    names: list[list[str]] = [[text("group.images", language, number=number + 1) for number in range(len(found[0]))]]
    for level in found[1:]:
        parents = level.notes["parents"]
        seen: dict[int, int] = {}
        below = []
        for parent in parents.tolist():
            seen[parent] = seen.get(parent, 0) + 1
            below.append(f"{names[-1][parent]}.{seen[parent]}")
        names.append(below)
    note = ""
    if "runner_up" in found[0].notes:
        note = text("score.chosen", language, number=found[0].notes["n_clusters"],
                    runner_up=found[0].notes["runner_up"], criterion=text("criterion.silhouette", language),
                    value=f"{found[0].notes['value']:.3f}", runner_up_value=f"{found[0].notes['runner_up_value']:.3f}")
    groups = as_groups(found[-1], images, lambda cluster: names[-1][cluster], note)
    paths = {image: tuple(name[level.labels[index]] for name, level in zip(names, found, strict=True))
             for index, image in enumerate(images)}
    return groups, paths


def group_copies(images: Sequence[str], vectors: NDArray[np.float32], language: str, *, min_similarity: float = 0.95,
                 linkage: str = "complete", judge: Callable[[str], tuple[int, float]]) -> list[Group]:
    """Near-duplicates together, exact copies first, in each group the copy worth keeping first.

    A group's score is 100 × the smallest similarity of any two of its images: more is better. Images without a
    duplicate are in no group. judge: number of pixels and sharpness of an image, asked of duplicates only.
    Raises the FacesErrors of ``core.group_duplicates``.
    """
    found = group_duplicates(vectors, min_similarity, linkage=linkage)
    pixels, sharpness = np.zeros(len(images)), np.zeros(len(images))
    for index in np.flatnonzero(found.labels != NOISE).tolist():
        pixels[index], sharpness[index] = judge(images[index])
    groups = []
    for cluster, members in enumerate(best_copies_first(found, pixels, sharpness)):
        key = "group.copies" if found.notes["exact"][cluster] else "group.duplicates"
        groups.append(Group(
            text(key, language, number=cluster + 1), [images[member] for member in members],
            float(100 * np.clip(found.scores[cluster], 0, 1)),
            tuple(float(found.similarities[member]) for member in members),
            group_score="score.duplicates", more_is_better=True))
    return groups
