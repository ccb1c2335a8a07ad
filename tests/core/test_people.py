"""Recognition among strangers, and the suggestions of merges and splits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.people import RECOGNIZERS, Recognition, recognize, train_recognizer
from panoptic_faces.core.recognition import Impostors, Mixture, threshold
from panoptic_faces.core.suggestions import suggest_merges, suggest_splits

Vectors = NDArray[np.float32]
METHODS = list(RECOGNIZERS)
# Composed and decomposed accents are two names; so are names that differ in case only.
NAMES = ["Élodie", "E\u0301lodie", "Œuvre", "zoé", "Zoé", "李小龙", "Ποῦλος", "a"]


def faces(person: Any, seed: int = 0, noise: float = 0.6, dimension: int = 64) -> Vectors:
    """One face for each number: a direction of its own for each person, and noise."""
    number = np.asarray(person, dtype=np.int64)
    centres = np.random.default_rng(99).standard_normal((200, dimension))
    rng = np.random.default_rng(seed)
    return (centres[number] + noise * rng.standard_normal((len(number), dimension))).astype(np.float32)


def named(found: Recognition) -> list[str | None]:
    return [found.people[label] if label >= 0 else None for label in found.labels]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("examples", [1, 3, 5])
def test_known_people_are_named_and_strangers_are_not(method: str, examples: int) -> None:
    people = np.repeat(np.arange(len(NAMES)), examples)
    recognizer = train_recognizer(faces(people), [NAMES[one] for one in people], method=method)
    assert recognizer.people == tuple(sorted(NAMES))
    asked = np.concatenate([np.repeat(np.arange(len(NAMES)), 10), np.arange(20, 120)])
    found = recognize(recognizer, faces(asked, seed=1))
    truth = [NAMES[one] if one < len(NAMES) else None for one in asked]
    assert [a == b for a, b in zip(named(found), truth, strict=True)].count(False) <= 3
    assert found.labels.dtype == np.int64 and found.nearest.min() >= 0
    assert found.probabilities.min() >= 0 and found.probabilities.max() <= 1
    assert found.probabilities[:80].mean() > 0.9 and found.probabilities[80:].mean() < 0.1


@pytest.mark.parametrize("method", METHODS)
def test_among_strangers_only_nobody_is_found(method: str) -> None:
    recognizer = train_recognizer(faces([0, 1, 2]), ["a", "b", "c"], method=method)
    found = recognize(recognizer, faces(np.arange(10, 190), seed=2))
    assert np.count_nonzero(found.labels >= 0) <= 5
    assert found.probabilities.mean() < 0.05


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("people", [["seul"], ["une", "deux"]])
def test_one_example_of_one_or_two_people(method: str, people: list[str]) -> None:
    recognizer = train_recognizer(faces(range(len(people))), people, method=method)
    asked = [*([0] * 5), *range(10, 30)]
    found = recognize(recognizer, faces(asked, seed=3))
    assert named(found) == [people[0]] * 5 + [None] * 20


@pytest.mark.parametrize("method", METHODS)
def test_a_face_alone_is_recognised_without_its_corpus(method: str) -> None:
    recognizer = train_recognizer(faces([0, 1, 2]), ["a", "b", "c"], method=method)
    assert named(recognize(recognizer, faces([1], seed=4))) == ["b"]
    assert named(recognize(recognizer, faces([50], seed=4))) == [None]


def test_impostors_given_at_training_are_learned_from() -> None:
    vectors, names = faces([0, 1]), ["a", "b"]
    alone = train_recognizer(vectors, names).impostors
    taught = train_recognizer(vectors, names, impostors=faces(np.arange(10, 190))).impostors
    assert taught.comparisons > alone.comparisons + 300
    assert abs(taught.location) < abs(alone.location)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_neither_the_order_of_faces_nor_of_people_changes_anything(method: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    person = rng.integers(0, 6, 15)
    vectors = faces(person, seed)
    names = [NAMES[one] for one in person]
    asked = faces(rng.integers(0, 30, 60), seed + 1)
    photo = rng.integers(-1, 30, 60)
    small = {"hidden": 8, "steps": 30} if method == "network" else {}
    plain = recognize(train_recognizer(vectors, names, method=method, **small), asked, groups=photo)
    mixed, shuffled = rng.permutation(15), rng.permutation(60)
    again = train_recognizer(vectors[mixed], [names[one] for one in mixed], method=method, **small)
    other = recognize(again, asked[shuffled], groups=photo[shuffled])
    assert plain.people == other.people
    np.testing.assert_array_equal(plain.labels[shuffled], other.labels)
    np.testing.assert_array_equal(plain.nearest[shuffled], other.nearest)
    np.testing.assert_array_equal(plain.probabilities[shuffled], other.probabilities)


@pytest.mark.parametrize("method", METHODS)
def test_length_and_copies_of_faces_do_not_matter(method: str) -> None:
    person = np.array([0, 0, 1, 1, 2])
    vectors, asked = faces(person), faces([0, 1, 2, 30, 31, 32], seed=5)
    names = [NAMES[one] for one in person]
    plain = recognize(train_recognizer(vectors, names, method=method), asked)
    twice = train_recognizer(np.concatenate([vectors, 4 * vectors]), names * 2, method=method)
    copies = recognize(twice, np.concatenate([asked, 2 * asked]))
    np.testing.assert_array_equal(copies.labels, np.tile(plain.labels, 2))
    np.testing.assert_array_equal(copies.probabilities[:6], copies.probabilities[6:])


def test_two_faces_of_a_photo_are_two_people_and_the_better_keeps_the_name() -> None:
    recognizer = train_recognizer(faces([0, 1, 2]), ["a", "b", "c"])
    near, far = faces([0], noise=0.1), faces([0], seed=7, noise=0.8)
    asked = np.concatenate([far, near, faces([1], seed=8)])
    assert named(recognize(recognizer, asked)) == ["a", "a", "b"]
    found = recognize(recognizer, asked, groups=["Été.jpg", "Été.jpg", "Été.jpg"])
    assert named(found) == [None, "a", "b"]
    assert found.nearest[0] != found.labels[1] and found.probabilities[0] < 0.5
    assert named(recognize(recognizer, asked, groups=["1", "2", "2"])) == ["a", "a", "b"]
    assert named(recognize(recognizer, asked, groups=[-1, -1, -1])) == ["a", "a", "b"]
    assert named(recognize(train_recognizer(faces([0]), ["a"]), asked[:2], groups=[5, 5])) == [None, "a"]


def test_a_face_that_loses_a_name_on_its_photo_takes_its_next() -> None:
    twins = faces([0, 0], noise=0.0) + 0.3 * faces([1, 2], noise=0.0)
    recognizer = train_recognizer(np.concatenate([twins, faces([3])]), ["a", "b", "c"])
    between = twins[:1] + np.float32(0.1) * faces([5], noise=0.0)
    found = recognize(recognizer, np.concatenate([twins[:1], between]), groups=[1, 1])
    assert named(found) == ["a", "b"]


def test_a_stricter_limit_names_fewer() -> None:
    recognizer = train_recognizer(faces(range(8)), NAMES)
    asked = faces(np.arange(200), seed=9, noise=1.5)
    named_at = [set(np.flatnonzero(recognize(recognizer, asked, max_false_accepts=limit).labels >= 0))
                for limit in (0.3, 0.01, 1e-6)]
    assert named_at[0] > named_at[1] >= named_at[2]


def test_no_faces_to_recognise() -> None:
    found = recognize(train_recognizer(faces([0]), ["a"]), np.zeros((0, 64)), groups=[])
    assert len(found.labels) == len(found.nearest) == len(found.probabilities) == 0


@pytest.mark.parametrize(("code", "call"), [
    ("people_none", lambda: train_recognizer([], [])),
    ("people_names", lambda: train_recognizer(faces([0, 1]), ["a"])),
    ("people_names", lambda: train_recognizer(faces([0, 1]), ["a", " "])),
    ("people_names", lambda: train_recognizer(faces([0, 1]), ["a", None])),  # type: ignore[list-item]
    ("vectors_not_finite", lambda: train_recognizer([[1.0, np.nan]], ["a"])),
    ("vectors_zero", lambda: train_recognizer([[0.0, 0.0]], ["a"])),
    ("vectors_dimension", lambda: train_recognizer(faces([0]), ["a"], impostors=[[1.0, 2.0]])),
    ("method_unknown", lambda: train_recognizer(faces([0]), ["a"], method="magic")),
    ("parameter_unknown", lambda: train_recognizer(faces([0]), ["a"], k=3)),
    ("parameter_range", lambda: train_recognizer(faces([0]), ["a"], method="neighbors", k=0)),
    ("parameter_range", lambda: recognize(train_recognizer(faces([0]), ["a"]), faces([0]), max_false_accepts=0)),
    ("vectors_not_finite", lambda: recognize(train_recognizer([[1.0, 2.0]], ["a"]), [[1.0, np.nan]])),
    ("vectors_dimension", lambda: recognize(train_recognizer([[1.0, 2.0]], ["a"]), [[1.0, 2.0, 3.0]])),
    ("constraint_length", lambda: recognize(train_recognizer(faces([0]), ["a"]), faces([0]), groups=[1, 2])),
    ("labels_shape", lambda: suggest_merges(faces([0, 1]), [0])),
    ("labels_shape", lambda: suggest_splits(faces([0, 1]), [0.5, 1.5])),
    ("constraint_pairs", lambda: suggest_merges(faces([0, 1]), [0, 1], not_same=[[0, 1, 2]])),
    ("whole_number", lambda: suggest_merges(faces([0, 1]), [0, 1], limit=-1)),
    ("vectors_not_finite", lambda: suggest_merges([[np.nan]], [0])),
])
def test_mistakes_are_explained_in_one_sentence(code: str, call: Any) -> None:
    with pytest.raises(FacesError) as raised:
        call()
    assert raised.value.code == code
    for language in ("en", "fr"):
        assert raised.value.sentence(language).count(". ") == 0


def test_each_method_has_a_summary_and_refuses_what_is_out_of_range() -> None:
    for name, row in RECOGNIZERS.items():
        assert row.name == name and row.summary
        for parameter in row.parameters:
            with pytest.raises(FacesError, match=parameter.name):
                train_recognizer(faces([0]), ["a"], method=name,
                                 **{parameter.name: parameter.high + 1})  # type: ignore[arg-type]


def test_the_threshold_is_the_best_of_many_comparisons() -> None:
    best = np.random.default_rng(0).standard_normal((20_000, 50)).max(axis=1)
    assert np.mean(best >= threshold(0.01, 50)) == pytest.approx(0.01, abs=0.003)


def test_impostors_are_learned_from_the_left_half() -> None:
    rng = np.random.default_rng(0)
    likeness = (0.2 + 0.1 * rng.standard_normal((2_000, 3))).astype(np.float32)
    likeness[:, 2] += 0.1
    found = Impostors.prior(3).learn(likeness, np.ones((2_000, 3), dtype=bool))
    # Half of a person's own deviation is believed.
    assert found.standardise(likeness).mean(axis=0) == pytest.approx([0.0, 0.0, 0.45], abs=0.15)


def test_a_probability_never_falls_where_likeness_rises() -> None:
    probability = Mixture(40, 6.0, 0.6, 0.3).probability(np.linspace(-8, 30, 500))
    assert (np.diff(probability) >= 0).all()
    assert probability[0] < 0.01 < 0.99 < probability[-1]


def test_halves_of_people_are_suggested_first() -> None:
    person = np.repeat(np.arange(40), 6)
    labels = 2 * person + np.arange(len(person)) % 2
    found = suggest_merges(faces(person), labels)
    assert {(a, b) for a, b, _ in found[:40]} == {(2 * one, 2 * one + 1) for one in range(40)}
    assert [chance for _, _, chance in found] == sorted((chance for _, _, chance in found), reverse=True)
    assert suggest_merges(faces(person), labels, limit=7) == found[:7]
    assert suggest_merges(faces(person), labels, limit=0) == []
    assert suggest_merges(faces(person), person) == []


def test_groups_that_share_a_photo_or_were_told_apart_are_never_suggested() -> None:
    person = np.repeat(np.arange(40), 6)
    labels = 2 * person + np.arange(len(person)) % 2
    photo = [f"photo {number // 2}" if number < 12 else "" for number in range(len(person))]
    found = suggest_merges(faces(person), labels, groups=photo, not_same=[[5, 4], [7, 6], [900, 901]])
    assert {(a, b) for a, b, _ in found} == {(2 * one, 2 * one + 1) for one in range(4, 40)}


def test_two_people_in_a_group_are_told_apart() -> None:
    person = np.repeat(np.arange(40), 6)
    labels = np.where(person == 1, 0, person)
    labels[-1] = -1
    found = suggest_splits(faces(person), labels)
    assert [label for label, _, _ in found] == [0]
    assert set(np.flatnonzero(found[0][1])) in ({0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11})
    assert suggest_splits(faces(person), person) == []


def test_two_faces_of_a_photo_make_a_group_doubtful_and_are_parted() -> None:
    person = np.repeat(np.arange(30), 6)
    vectors = faces(person, noise=0.8)
    together = np.concatenate([vectors[:6], faces([1], noise=0.0) + np.float32(0.7) * faces([0], noise=0.0),
                               vectors[6:]])
    labels, photo = np.concatenate([person[:6], [0], person[6:]]), np.full(len(person) + 1, -1)
    photo[[0, 6]] = 3
    alone = {label: chance for label, _, chance in suggest_splits(together, labels)}
    first = suggest_splits(together, labels, groups=photo)[0]
    assert first[0] == 0 and np.flatnonzero(first[1]).tolist() == [6]
    assert alone[0] < 0.5 and first[2] > 0.9


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_suggestions_do_not_depend_on_the_order_of_faces(seed: int) -> None:
    rng = np.random.default_rng(seed)
    person = rng.integers(0, 12, 60)
    labels = np.where(rng.random(60) < 0.1, -1, 2 * (person // 2) + rng.integers(0, 2, 60))
    photo = rng.integers(-1, 200, 60)
    vectors, mixed = faces(person, seed), rng.permutation(60)
    assert suggest_merges(vectors, labels, groups=photo) == suggest_merges(
        vectors[mixed], labels[mixed], groups=photo[mixed])
    plain = suggest_splits(vectors, labels, groups=photo)
    other = suggest_splits(vectors[mixed], labels[mixed], groups=photo[mixed])
    assert [(label, chance) for label, _, chance in plain] == [(label, chance) for label, _, chance in other]
    for (_, before, _), (_, after, _) in zip(plain, other, strict=True):
        np.testing.assert_array_equal(before[mixed], after)


@pytest.mark.parametrize("labels", [[], [0], [-1, -1], [0, 0], [0, 1], [7, 7, 7]])
def test_few_faces_suggest_nothing_but_what_they_can(labels: list[int]) -> None:
    vectors = np.ones((len(labels), 8), dtype=np.float32)
    assert suggest_splits(vectors, np.array(labels, dtype=np.int64)) == []
    merges = suggest_merges(vectors, np.array(labels, dtype=np.int64))
    assert [(a, b) for a, b, _ in merges] == ([(0, 1)] if labels == [0, 1] else [])


def test_opposite_faces_are_two_people() -> None:
    vectors = np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert [label for label, _, _ in suggest_splits(vectors, [3, 3])] == [3]
    assert recognize(train_recognizer(vectors, ["a", "a"]), vectors).labels.shape == (2,)


def test_the_input_is_left_as_it_is() -> None:
    vectors, labels, photo = faces([0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2]), np.array([1, 2, 3, 4, 4])
    for array in (vectors, labels, photo):
        array.flags.writeable = False
    recognize(train_recognizer(vectors, NAMES[:5]), vectors, groups=photo)
    suggest_merges(vectors, labels, groups=photo, not_same=np.array([[0, 1]]))
    suggest_splits(vectors, labels, groups=photo)


def test_loading_recognition_does_not_import_scikit_learn() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, panoptic_faces.services.people_file, panoptic_faces.core.suggestions; "
                               "print('sklearn.neural_network' in sys.modules)"],
        check=True, capture_output=True, text=True)
    assert loaded.stdout.strip() == "False"


def test_people_of_a_real_corpus_are_recognised_among_its_strangers(shared: Path) -> None:
    with np.load(shared / "data" / "emb" / "lfw_a.sface.npz") as data:
        vectors, names = data["emb"], data["label"]
    people, sizes = np.unique(names, return_counts=True)
    known, rng = people[sizes >= 10], np.random.default_rng(0)
    rows = np.concatenate([rng.choice(np.flatnonzero(names == one), 3, replace=False) for one in known])
    rest = np.setdiff1d(np.arange(len(names)), rows)
    found = recognize(train_recognizer(vectors[rows], names[rows].tolist()), vectors[rest])
    right = np.array([name == truth for name, truth in zip(named(found), names[rest], strict=True)])
    is_known = np.isin(names[rest], known)
    assert right[is_known].mean() >= 0.97
    assert np.mean(found.labels[~is_known] >= 0) <= 0.02
