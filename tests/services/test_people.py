"""People of an album, by the thousand and under every kind of name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from panoptic_faces.services.people import group_faces, questions, recognize_faces, tags_of_persons
from panoptic_faces.services.tags import ExistingTag, TagTree


@dataclass(frozen=True)
class Face:
    photo_sha1: str
    size: float = 100.0
    confidence: float = 0.9
    sharpness: float = 200.0


def crowd(people: int, faces: int, seed: int = 0) -> np.ndarray:
    """(people × faces, 128) vectors: the faces of one person beside each other, alike at about 0.6."""
    draw = np.random.default_rng(seed)
    centres = np.repeat(draw.normal(size=(people, 128)), faces, axis=0)
    return (centres + 0.8 * draw.normal(size=centres.shape)).astype(np.float32)


@pytest.mark.parametrize(("size", "sharpness", "confidence"), [(20, 200, 0.9), (100, 12, 0.9), (100, 200, 0.65)])
def test_where_all_faces_are_small_or_soft_or_doubtful_people_are_found(size: float, sharpness: float,
                                                                        confidence: float) -> None:
    vectors = crowd(5, 4)
    images = [str(number) for number in range(len(vectors))]
    faces = [Face(image, size, confidence, sharpness) for image in images]
    groups, rest = group_faces(images, vectors, faces, "fr")
    assert sorted(sorted(map(int, group.images)) for group in groups) == [list(range(4 * who, 4 * who + 4))
                                                                          for who in range(5)] and not rest


def test_few_small_faces_found_nobody() -> None:
    vectors = crowd(5, 4)
    images = [str(number) for number in range(len(vectors))]
    faces = [Face(image, 20 if int(image) < 4 else 100) for image in images]
    groups, rest = group_faces(images, vectors, faces, "fr")
    assert len(groups) == 4 and sorted(map(int, rest)) == [0, 1, 2, 3]


def test_thousands_of_people_are_recognised_by_tags_with_parents_and_accents() -> None:
    people, known = 3000, 2500
    tags = {1: ExistingTag(1, "Élèves"), 2: ExistingTag(2, "Maîtres")}
    tags |= {10 + who: ExistingTag(10 + who, f"Zoé {who // 2}", (1 + who % 2,)) for who in range(known)}
    vectors = crowd(people, 2)
    images = [f"{who}/{face}" for who in range(people) for face in range(2)]
    tree = TagTree(tags, {f"{who}/0": [10 + who] for who in range(known)})
    named = tree.people(images)
    # Two people of one name in two classes are two people.
    assert named[0] == "Élèves > Zoé 0" and named[2] == "Maîtres > Zoé 0" and len(set(named)) == known + 1
    groups, unknown, new = recognize_faces(images, vectors, [Face(image) for image in images], "fr", people=named,
                                           wanted=set(images))
    right = sum(new.get(f"{who}/1") == named[2 * who] for who in range(known))
    wrong = len(new) - right
    print("right", right, "of", known, "wrong", wrong)
    assert right >= 0.97 * known and wrong <= 0.01 * people
    assert len(groups) == known and len(unknown) + sum(len(group.images) for group in groups) == len(images)


def test_questions_show_the_halves_of_the_right_groups() -> None:
    vectors = crowd(12, 8)
    images = [str(number) for number in range(len(vectors))]
    names = [f"Personne {number // 8}" for number in range(len(vectors))]
    # 0 and 1 were taken for one person, 2 for two.
    names[8:16] = ["Personne 0"] * 8
    names[20:24] = ["Quelqu’un"] * 4
    shown, rest = questions(images, vectors, [Face(image) for image in images], "fr", people=names, different={})
    sides = {frozenset(map(int, group.images)) for group in shown}
    assert sides == {frozenset(range(8)), frozenset(range(8, 16)), frozenset(range(16, 20)), frozenset(range(20, 24))}
    assert sorted(map(int, rest)) == list(range(24, 96))


def test_persons_of_an_archive_keep_their_tags_and_take_nobody_elses() -> None:
    tree = TagTree({1: ExistingTag(1, "Famille"), 2: ExistingTag(2, "Léa", (1,)), 3: ExistingTag(3, "Visage 2")},
                   {"a1": [2], "a2": [2], "a3": [3], "elsewhere": [3]})
    persons = {0: ["a1", "a2", "a3", "a4"], 1: ["b1", "b2"], 2: ["c1"]}
    assert tags_of_persons(persons, tree, "fr") == {
        "a4": ("Famille", "Léa"), "b1": ("Visage 1",), "b2": ("Visage 1",), "c1": ("Visage 3",)}
