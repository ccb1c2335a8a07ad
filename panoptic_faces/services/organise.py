"""A clustering of faces or images as the groups that a user sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.types import NOISE, Clustering

# Below these a face is poor: it may join a person, but it neither links two faces nor founds a person.
# Sharpness is the variance of the Laplacian of the aligned face; size is in pixels.
POOR_SIZE = 32
POOR_CONFIDENCE = 0.75
POOR_SHARPNESS = 30.0
# Where even the upper quartile of the faces is small or soft, those are poor that have less than this share of it.
POOR_SHARE = 2 / 3


@dataclass(frozen=True)
class Group:
    """A named group of images.

    score: 100 × mean cosine distance to the centroid, 0 = identical; None where there is nothing to measure.
    group_score, image_score: the keys of the sentences that say what the scores are; note: what else is to be said.
    more_is_better: of the group's score.
    image_scores: of each image, 0–1, more is better; empty where there is none.
    """

    name: str
    images: list[str]
    score: float | None = None
    image_scores: tuple[float, ...] = ()
    image_score: str = "score.image"
    group_score: str = "score.group"
    more_is_better: bool = False
    note: str = ""


def poor_faces(sizes: ArrayLike, confidences: ArrayLike, sharpnesses: ArrayLike) -> NDArray[np.bool_]:
    """Which faces are too small, doubtful or blurred, among all these, to tell people apart: (n,) bool.

    sizes: (n,) the shorter side of each box, in pixels. confidences: (n,) 0–1. sharpnesses: (n,) grey levels squared.
    """
    def low(values: ArrayLike, limit: float, share: float) -> NDArray[np.bool_]:
        given = np.asarray(values, dtype=np.float32)
        return np.asarray(given < min(limit, share * float(np.quantile(given, 0.75))) if given.size else given < limit)

    return (low(sizes, POOR_SIZE, POOR_SHARE) | low(sharpnesses, POOR_SHARPNESS, POOR_SHARE)
            | low(confidences, POOR_CONFIDENCE, 1))


def as_groups(clustering: Clustering, images: Sequence[str], name: Callable[[int], str], note: str = "") -> list[Group]:
    """The clusters in their order, each from its most typical image on; noise is left to the caller.

    name: gives the name of a cluster by its number. note: added to what the score says. A group of one has no score.
    """
    groups = []
    for cluster in range(len(clustering)):
        members = clustering.members(cluster)
        score = float(clustering.scores[cluster]) if len(members) > 1 else None
        groups.append(Group(name(cluster), [images[member] for member in members], score,
                            tuple(float(clustering.similarities[member]) for member in members), note=note))
    return groups


def unassigned(clustering: Clustering, images: Sequence[str]) -> list[str]:
    """The images that are in no cluster, in their order."""
    return [image for image, label in zip(images, clustering.labels, strict=True) if label == NOISE]
