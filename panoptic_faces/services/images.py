"""Whole images into groups, named and in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.duplicates import best_copies_first, group_duplicates
from ..core.errors import FacesError
from ..core.images import cluster_levels
from ..core.neighbors import similarity_blocks, unit_vectors
from ..core.poses import group_turned_duplicates
from ..core.tagging import assign_tags, tag_texts
from ..core.types import NOISE
from ..i18n import text
from .faults import check_unchanged
from .organise import Group, as_groups
from .scan import Photo

Path = tuple[str, ...]
# Of each photo its vector, or why it has none.
VectorsOf = Callable[[Sequence[Photo]], list[tuple[Photo, NDArray[np.float32] | None, FacesError | None]]]


def group_images(images: Sequence[str], vectors: NDArray[np.float32], language: str, *, n_clusters: int = 10,
                 levels: int = 1, within: str = "") -> tuple[list[Group], dict[str, Path]]:
    """Like images together, best group first, and each image's path of group names from the coarsest level down.

    n_clusters: −1 chooses the number; more than there are images means one group an image.
    levels: more than 1 cuts each group again; the groups are the leaves. within: the name of the group that is being
    divided; the parts are named after it.
    Raises the FacesErrors of ``core.cluster_levels``.
    """
    if isinstance(n_clusters, int) and images:
        n_clusters = min(n_clusters, len(images))
    found = cluster_levels(vectors, n_clusters, levels)
    names: list[list[str]] = [[f"{within}.{number}" if within else text("group.images", language, number=number)
                               for number in range(1, len(found[0]) + 1)]]
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
                 linkage: str = "complete", turned: bool = False, pixels: Callable[[Sequence[str]], Sequence[int]],
                 sharpness: Callable[[Sequence[str]], Sequence[float]]) -> list[Group]:
    """Near-duplicates together, exact copies first, in each group the copy worth keeping first.

    A group's score is 100 × the smallest similarity of any two of its images: more is better. Images without a
    duplicate are in no group. turned: find mirrored and turned copies too; only with vectors of the visual embedder.
    pixels, sharpness: of images; the sharpness is asked only of those of a group that have the same number of pixels.
    Raises the FacesErrors of ``core.group_duplicates``.
    """
    if turned:
        from ..models.visual import poses

        found = group_turned_duplicates(poses(vectors), min_similarity, linkage=linkage)
    else:
        found = group_duplicates(vectors, min_similarity, linkage=linkage)
    if not len(found):
        return []
    sizes, sharp = np.zeros(len(images)), np.zeros(len(images))
    copies = np.flatnonzero(found.labels != NOISE)
    sizes[copies] = pixels([images[index] for index in copies.tolist()])
    _, kind, count = np.unique(np.stack([found.labels[copies], sizes[copies]]), axis=1, return_inverse=True,
                               return_counts=True)
    level = copies[count[kind.ravel()] > 1]
    sharp[level] = sharpness([images[index] for index in level.tolist()])
    groups = []
    for cluster, members in enumerate(best_copies_first(found, sizes, sharp)):
        key = "group.copies" if found.notes["exact"][cluster] else "group.duplicates"
        groups.append(Group(
            text(key, language, number=cluster + 1), [images[member] for member in members],
            float(100 * np.clip(found.scores[cluster], 0, 1)),
            tuple(float(found.similarities[member]) for member in members),
            group_score="score.duplicates", more_is_better=True))
    return groups


def group_by_tags(images: Sequence[str], vectors: NDArray[np.float32], names: Sequence[str],
                  parents: Sequence[Sequence[int]], embed: Callable[[Sequence[str]], NDArray[np.float32]], *,
                  examples: NDArray[np.bool_] | None = None, parent_tags: str = "use", prefix: str = "",
                  min_strength: float = 0.5, multiple: bool = False
                  ) -> tuple[list[Group], list[str], dict[str, list[int]]]:
    """Images by the tag that their content is nearest to, best group first; those that are near none; their tags.

    names, parents, parent_tags, prefix: see ``core.tag_texts``. embed: texts to vectors of the images' model.
    examples: (images, names) bool, the tags that images carry. The tags of an image are positions in names, the
    strongest first. A group's score is that of every clustering; an image's is the strength of its tag.
    Raises the FacesErrors of ``core.tag_texts`` and ``core.assign_tags``.
    """
    pairs = tag_texts(names, parents, parent_tags=parent_tags, prefix=prefix)
    used = [tag for tag, _ in pairs]
    found = assign_tags(vectors, embed([words for _, words in pairs]), min_strength=min_strength, multiple=multiple,
                        examples=None if examples is None else examples[:, used])
    unit = unit_vectors(vectors)
    groups = []
    for place, tag in enumerate(used):
        members = found.members(place)
        if len(members):
            # The mean similarity of unit vectors to their normalised mean is the length of that mean.
            near = float(np.linalg.norm(unit[members].mean(axis=0, dtype=np.float64)))
            groups.append(Group(names[tag], [images[member] for member in members],
                                100 * min(max(1 - near, 0.0), 1.0) if len(members) > 1 else None,
                                tuple(float(found.strengths[member, place]) for member in members),
                                image_score="score.strength"))
    groups.sort(key=lambda group: (group.score is None, group.score or 0.0, group.name))
    tags = {}
    for row in np.flatnonzero(found.assigned.any(axis=1)).tolist():
        # The tag of the group that shows the image comes first.
        order = sorted(np.flatnonzero(found.assigned[row]).tolist(),
                       key=lambda place: (place != found.tags[row], -found.strengths[row, place], place))
        tags[images[row]] = [used[place] for place in order]
    return groups, [image for image, tag in zip(images, found.tags, strict=True) if tag == NOISE], tags


def nearest_images(images: Sequence[str], vectors: NDArray[np.float32], queries: NDArray[np.float32], name: str, *,
                   most: int | None = None, min_similarity: float = 0.0) -> Group:
    """The images that are most similar to any of the queries, the nearest first, ties by name.

    most: at most so many. min_similarity: cosine similarity, compared unrounded. An image's score is that
    similarity, 0 where it is negative. Raises the FacesErrors of ``core.unit_vectors``.
    """
    asked = unit_vectors(queries)
    unit = unit_vectors(vectors, dimension=asked.shape[1])
    best = np.empty(len(unit), dtype=np.float32)
    for start, block in similarity_blocks(unit, asked):
        best[start : start + len(block)] = block.max(axis=1)
    scores = np.clip(best, 0, 1)
    order = [row for row in np.lexsort((np.asarray(images), -best)).tolist() if scores[row] >= min_similarity][:most]
    return Group(name, [images[row] for row in order], image_scores=tuple(float(scores[row]) for row in order),
                 image_score="score.query")


def vectors_of_photos(embedder: Any) -> VectorsOf:
    """The work of an embedder of ``models.images`` on some photos at a time, for threads."""
    from ..models.images import prepared

    def work(photos: Sequence[Photo]) -> list[tuple[Photo, NDArray[np.float32] | None, FacesError | None]]:
        pictures, errors = [], {}
        for photo in photos:
            try:
                picture = prepared(photo.source)
                check_unchanged(photo.sha1, photo.source)
                pictures.append(picture)
            except FacesError as error:
                errors[photo.sha1] = error
        vectors = iter(embedder.embed(pictures))
        return [(photo, None, errors[photo.sha1]) if photo.sha1 in errors else (photo, next(vectors), None)
                for photo in photos]
    return work
