"""Face crops into groups of people, named and in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.faces import cluster_faces
from ..core.types import NOISE
from ..i18n import text
from .organise import Group, as_groups, is_poor, unassigned


class Face(Protocol):
    @property
    def photo_sha1(self) -> str: ...
    @property
    def size(self) -> float: ...
    @property
    def confidence(self) -> float: ...
    @property
    def sharpness(self) -> float: ...


def group_faces(images: Sequence[str], vectors: NDArray[np.float32], faces: Sequence[Face], language: str, *,
                people: Sequence[str | None] | None = None, within: str = "", method: str = "auto",
                min_size: int = 1, **parameters: Any) -> tuple[list[Group], list[str]]:
    """The people among face crops, best group first, and the crops that belong to none.

    images, faces: (n,) what identifies each crop and what is known of it; vectors: (n, d).
    people: (n,) the person whom a crop was given to before, None = nobody. Those crops stay together and keep
    the name; others join them or form groups of new names.
    within: the name of the group that is being divided; the parts are named after it.
    Raises the FacesErrors of ``core.cluster_faces``.
    """
    names = sorted({name for name in people or () if name is not None})
    known = [names.index(name) if name is not None else NOISE for name in people or [None] * len(images)]
    clustering = cluster_faces(
        vectors, method, groups=[face.photo_sha1 for face in faces], min_size=min_size, known=known,
        poor=[is_poor(face.size, face.confidence, face.sharpness) for face in faces], **parameters)
    given = {int(label): names[person] for label, person in zip(clustering.labels, known, strict=True)
             if person != NOISE}
    new_names = _new_names(set(names), within, language)
    return (as_groups(clustering, images, lambda cluster: given.get(cluster) or next(new_names)),
            unassigned(clustering, images))


def _new_names(taken: set[str], within: str, language: str) -> Iterator[str]:
    for number in itertools.count(1):
        name = f"{within}.{number}" if within else text("group.face", language, number=number)
        if name not in taken:
            yield name
