"""Face crops into groups of people, named and in order."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FacesError
from ..core.faces import cluster_faces
from ..core.neighbors import unit_vectors
from ..core.people import Recognizer, recognize, train_recognizer
from ..core.suggestions import suggest_merges, suggest_splits
from ..core.types import NOISE
from ..i18n import text
from .organise import Group, as_groups, poor_faces, unassigned
from .tags import TagTree


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
                people: Sequence[str | None] | None = None, within: str = "", taken: Collection[str] = (),
                method: str = "auto", min_size: int = 1, one_per_photo: bool = True, **parameters: Any
                ) -> tuple[list[Group], list[str]]:
    """The people among face crops, best group first, and the crops that belong to none.

    images, faces: (n,) what identifies each crop and what is known of it; vectors: (n, d).
    people: (n,) the person whom a crop was given to before, None = nobody. Those crops stay together and keep
    the name; others join them or form groups of new names.
    within: the name of the group that is being divided; the parts are named after it. taken: names of people who
    are elsewhere; no new group gets one.
    one_per_photo: nobody is twice on a photo; not so with mirrors and collages.
    Raises the FacesErrors of ``core.cluster_faces``.
    """
    names = sorted({name for name in people or () if name is not None})
    number: dict[str | None, int] = {None: NOISE, **{name: place for place, name in enumerate(names)}}
    known = [number[name] for name in people or [None] * len(images)]
    clustering = cluster_faces(
        vectors, method, groups=[face.photo_sha1 for face in faces] if one_per_photo else None,
        min_size=min_size, known=known,
        poor=poor_faces([face.size for face in faces], [face.confidence for face in faces],
                        [face.sharpness for face in faces]), **parameters)
    given = {int(label): names[person] for label, person in zip(clustering.labels, known, strict=True)
             if person != NOISE}
    new_names = _new_names({*names, *taken}, within, language)
    return (as_groups(clustering, images, lambda cluster: given.get(cluster) or next(new_names)),
            unassigned(clustering, images))


def recognize_faces(images: Sequence[str], vectors: NDArray[np.float32], faces: Sequence[Face], language: str, *,
                    people: Sequence[str | None], wanted: Collection[str], max_false_accepts: float = 0.01,
                    method: str = "centroid", recognizer: Recognizer | None = None
                    ) -> tuple[list[Group], list[str], dict[str, str]]:
    """The named people among the wanted crops, best group first; the unknown ones; and who was recognised.

    images, vectors, faces: as for ``group_faces``. people: (n,) the person whom a crop was given to, None = nobody;
    those are learned from, and stay where they are. recognizer: what was learned elsewhere, in place of that.
    Raises the FacesErrors of ``core.people``.
    """
    named = np.array([name is not None for name in people], dtype=bool)
    recognizer = recognizer or train_recognizer(
        vectors[named], [name for name in people if name is not None], method=method)
    asked = np.flatnonzero(~named).tolist()
    photos = [faces[index].photo_sha1 for index in asked]
    found = recognize(recognizer, vectors[asked], groups=photos, max_false_accepts=max_false_accepts)
    person_of, probability = list(people), np.ones(len(people))
    taken = {(face.photo_sha1, name) for face, name in zip(faces, people, strict=True) if name is not None}
    for index, label, sure in zip(asked, found.labels, found.probabilities, strict=True):
        name = found.people[label] if label != NOISE else None
        # Who is named on a photo already is not on it a second time.
        if name is not None and (faces[index].photo_sha1, name) not in taken:
            person_of[index], probability[index] = name, sure
    members: dict[str, list[int]] = {}
    unknown: list[str] = []
    for index, (image, name) in enumerate(zip(images, person_of, strict=True)):
        if image in wanted and name is None:
            unknown.append(image)
        elif image in wanted:
            members.setdefault(str(name), []).append(index)
    groups = [_person(name, np.array(own), images, vectors, probability) for name, own in members.items()]
    groups.sort(key=lambda group: (group.score is None, group.score or 0.0, group.name))
    new = {images[index]: str(person_of[index]) for index in asked if person_of[index] is not None}
    return groups, unknown, new


def _person(name: str, members: NDArray[np.int64], images: Sequence[str], vectors: NDArray[np.float32],
            probability: NDArray[np.float64]) -> Group:
    unit = unit_vectors(vectors[members])
    middle = unit.mean(axis=0, dtype=np.float64)
    near = unit @ (middle / np.linalg.norm(middle))
    order = members[np.lexsort((-near, -probability[members]))]
    score = float(100 * (1 - near.mean())) if len(members) > 1 else None
    return Group(name, [images[index] for index in order], None if score is None else max(score, 0.0),
                 tuple(float(probability[index]) for index in order), "score.probability")


def questions(images: Sequence[str], vectors: NDArray[np.float32], faces: Sequence[Face], language: str, *,
              people: Sequence[str | None], different: Mapping[str, set[int]]) -> tuple[list[Group], list[str]]:
    """Pairs of groups that may be one person and groups that may be two, side by side; and the other crops.

    people: (n,) the person whom a crop was given to, None = nobody. different: image → marks; two groups that carry
    the same mark are known to be different people. Each group is asked about once, in its likeliest question.
    """
    groups, _ = group_faces(images, vectors, faces, language, people=people)
    place = {image: number for number, group in enumerate(groups) for image in group.images}
    labels = np.array([place.get(image, NOISE) for image in images])
    members: dict[int, list[int]] = {}
    for index, label in enumerate(labels.tolist()):
        members.setdefault(label, []).append(index)
    photos = [face.photo_sha1 for face in faces]
    marked: dict[int, set[int]] = {}
    for image, marks in different.items():
        for mark in marks if image in place else ():
            marked.setdefault(mark, set()).add(place[image])
    not_same = sorted({pair for together in marked.values() for pair in itertools.combinations(sorted(together), 2)})
    merges = [(sure, [(groups[a].name, groups[a].images), (groups[b].name, groups[b].images)], {a, b})
              for a, b, sure in suggest_merges(vectors, labels, groups=photos, not_same=not_same or None)]
    splits = []
    for label, part, sure in suggest_splits(vectors, labels, groups=photos):
        halves = [[images[index] for index in members[label] if bool(part[index]) == half] for half in (False, True)]
        splits.append((sure, [(text("group.part", language, name=groups[label].name, part=half), images_of)
                              for half, images_of in enumerate(halves, 1)], {label}))
    asked: set[int] = set()
    shown: list[Group] = []
    for sure, sides, involved in sorted(merges + splits, key=lambda question: -question[0]):
        if not involved & asked:
            asked |= involved
            number = 1 + len(shown) // 2
            key = "group.same" if len(involved) == 2 else "group.two"
            shown += [Group(text(key, language, number=number, percent=round(100 * sure), name=name), images_of)
                      for name, images_of in sides]
    inside = {image for group in shown for image in group.images}
    return shown, [image for image in images if image not in inside]


def figures(found: Sequence[str | None], truth: Sequence[str | None] | None, vectors: NDArray[np.float32]
            ) -> dict[str, float]:
    """Figures of the groups that crops were given to, see ``core.evaluate``.

    found, truth: (n,) names, None = in no group. Where there is a truth, only the crops that it names count.
    """
    from ..core.evaluation import evaluate

    kept = [index for index in range(len(found)) if truth is None or truth[index] is not None]
    names = sorted({name for name in found if name is not None})
    number: dict[str | None, int] = {None: NOISE, **{name: place for place, name in enumerate(names)}}
    if not kept or not names:
        raise FacesError("nothing_to_evaluate")
    return evaluate([number[found[index]] for index in kept],
                    None if truth is None else [str(truth[index]) for index in kept], vectors[kept])


def tags_of_persons(persons: Mapping[int, Sequence[str]], tree: TagTree, language: str) -> dict[str, tuple[str, ...]]:
    """The path of names for each face of numbered persons that carries no tag yet.

    persons: number, from 0, → its faces. A person whose faces carry tags keeps the one that most of them have; others
    are named by their number, or by the next that no tag bears.
    """
    taken = {tag.name for tag in tree.tags.values()}
    free = _new_names(taken, "", language)
    paths: dict[str, tuple[str, ...]] = {}
    for number in sorted(persons):
        has = Counter(tag for face in persons[number] for tag in tree.carried.get(face, ()))
        if has:
            path = tree.path(max(has, key=lambda tag: (has[tag], -tag)))
        else:
            name = text("group.face", language, number=number + 1)
            path = (next(free) if name in taken else name,)
            taken.add(path[0])
        paths |= {face: path for face in persons[number] if not tree.carried.get(face)}
    return paths


def _new_names(taken: set[str], within: str, language: str) -> Iterator[str]:
    for number in itertools.count(1):
        name = f"{within}.{number}" if within else text("group.face", language, number=number)
        if name not in taken:
            yield name
