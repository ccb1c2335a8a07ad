"""The contract of every clusterer of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from panoptic_faces.core import cluster_faces, evaluate
from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.faces import CLUSTERERS, method_parameters
from panoptic_faces.core.types import NOISE

METHODS = list(CLUSTERERS)
every_method = pytest.mark.parametrize("method", METHODS)


def people(sizes: list[int], seed: int = 0, dimension: int = 64, spread: float = 0.8
           ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors of people with so many faces each, shuffled, and who is who."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = random.normal(size=(len(sizes), dimension))
    return (centres[truth] + spread * random.normal(size=(len(truth), dimension))).astype(np.float32), truth


def partition(labels: NDArray[np.int64]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels[labels >= 0])}


@every_method
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_faces(method: str, n: int) -> None:
    found = cluster_faces(people([2, 1])[0][:n], method)
    assert found.labels.shape == found.similarities.shape == (n,)
    assert found.labels.dtype == np.int64
    assert set(found.labels.tolist()) - {NOISE} == set(range(len(found)))


@every_method
def test_identical_faces_are_one(method: str) -> None:
    found = cluster_faces(np.ones((40, 8)), method)
    assert found.labels.tolist() == [0] * 40
    assert found.scores == pytest.approx([0.0], abs=1e-5)


@every_method
def test_poor_faces_alone_are_nobody_but_who_is_known(method: str) -> None:
    vectors = people([3, 3])[0]
    assert (cluster_faces(vectors, method, poor=[True] * 6).labels == NOISE).all()
    labels = cluster_faces(vectors, method, poor=[True] * 6, known=[7, -1, -1, -1, -1, 7]).labels
    assert labels[0] == labels[5] == 0


@every_method
def test_opposite_faces_do_not_break(method: str) -> None:
    vectors = np.concatenate([np.eye(4), -np.eye(4)])
    assert cluster_faces(vectors, method, must_link=[[0, 4]]).labels.shape == (8,)


@every_method
@pytest.mark.parametrize(("value", "code"), [(np.nan, "vectors_not_finite"), (0.0, "vectors_zero")])
def test_bad_vectors_are_refused_in_one_sentence(method: str, value: float, code: str) -> None:
    vectors = people([3, 3])[0]
    vectors[4] = value
    with pytest.raises(FacesError) as refused:
        cluster_faces(vectors, method)
    assert refused.value.code == code
    assert "4" in str(refused.value) and "\n" not in str(refused.value)


@every_method
def test_clear_people_are_found(method: str) -> None:
    vectors, truth = people([12] * 6, spread=0.3)
    assert evaluate(cluster_faces(vectors, method).labels, truth)["bcubed_f"] > 0.99


@every_method
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_order_does_not_matter(method: str, seed: int, sizes: list[int]) -> None:
    vectors, _ = people(sizes, seed)
    n = len(vectors)
    random = np.random.default_rng(seed)
    photo, poor = random.integers(0, n, n), random.random(n) < 0.2
    order = random.permutation(n)
    place = np.argsort(order)
    pair = random.choice(n, 2, replace=False) if n > 1 else np.zeros(0, dtype=np.int64)
    cannot = pair.reshape(-1, 2)
    first = cluster_faces(vectors, method, groups=photo, poor=poor, cannot_link=cannot)
    second = cluster_faces(vectors[order], method, groups=photo[order], poor=poor[order], cannot_link=place[cannot])
    assert (first.labels[order] == second.labels).all()
    assert (first.scores == second.scores).all()


@every_method
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), copies=st.integers(2, 4))
def test_copies_of_a_face_are_never_parted(method: str, seed: int, copies: int) -> None:
    vectors, _ = people([5, 4, 3, 1, 1], seed)
    whole = np.tile(vectors, (copies, 1))
    labels = cluster_faces(whole, method).labels.reshape(copies, -1)
    assert (labels == labels[0]).all()


@every_method
def test_copies_that_are_told_apart_stay_apart(method: str) -> None:
    # Four copies, of which the fourth is free to go to either.
    vectors = np.concatenate([np.ones((4, 8)), people([5], dimension=8)[0]])
    labels = cluster_faces(vectors, method, must_link=[[1, 2]], cannot_link=[[0, 1]]).labels
    assert labels[1] == labels[2] and labels[3] in labels[:2]
    assert labels[0] != labels[1] or labels[0] == NOISE


@every_method
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000), data=st.data())
def test_constraints_hold(method: str, seed: int, data: st.DataObject) -> None:
    vectors, truth = people([6, 6, 5, 3, 1, 1, 1], seed, spread=1.0)
    n = len(vectors)
    random = np.random.default_rng(seed)
    who = truth if data.draw(st.booleans()) else random.integers(0, 5, n)  # constraints may be against the evidence
    pairs = random.integers(0, n, (12, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    same = who[pairs[:, 0]] == who[pairs[:, 1]]
    known = np.where(random.random(n) < 0.3, who, NOISE)
    photo = random.permutation(n) // 2
    for i in range(n):  # nobody twice on a photo, else must-links would contradict it
        if np.count_nonzero((photo == photo[i]) & (who == who[i])) > 1:
            photo[i] = n + i
    poor = random.random(n) < 0.2
    found = cluster_faces(vectors, method, groups=photo, must_link=pairs[same], cannot_link=pairs[~same],
                          known=known, poor=poor, min_size=data.draw(st.integers(1, 3)))
    labels = found.labels
    for a, b in pairs[same]:
        assert labels[a] == labels[b]
    for a, b in pairs[~same]:
        assert labels[a] != labels[b] or labels[a] == NOISE
    for i in range(n):
        for j in range(i):
            together = labels[i] == labels[j] != NOISE
            assert not (together and photo[i] == photo[j])
            if known[i] >= 0 and known[j] >= 0:
                assert together == (known[i] == known[j])
    assert (labels[known >= 0] != NOISE).all()
    for label in range(len(found)):
        members = labels == label
        assert (known[members] >= 0).any() or not poor[members].all()


@pytest.mark.parametrize("method", METHODS)
def test_result_is_ordered_and_measured(method: str) -> None:
    vectors, _ = people([9, 7, 5, 1, 1, 1])
    found = cluster_faces(vectors, method)
    size = np.bincount(found.labels[found.labels >= 0], minlength=len(found))
    alone = np.flatnonzero(size == 1)
    assert (alone == np.arange(len(found) - len(alone), len(found))).all()
    several = found.scores[: len(found) - len(alone)]
    assert (np.diff(several) >= 0).all() and (found.scores[alone] == 0).all()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for label in range(len(several)):
        members = unit[found.labels == label].astype(np.float64)
        centroid = members.mean(axis=0) / np.linalg.norm(members.mean(axis=0))
        assert found.scores[label] == pytest.approx(100 * (1 - (members @ centroid).mean()), abs=1e-3)
        assert found.similarities[found.labels == label] == pytest.approx(members @ centroid, abs=1e-5)
    assert (found.similarities[found.labels == NOISE] == 0).all()


@pytest.mark.parametrize(("constraints", "code", "named"), [
    ({"must_link": [[1, 2], [2, 5]], "cannot_link": [[5, 1]]}, "constraints_cannot", (1, 5)),
    ({"cannot_link": [[3, 3]]}, "constraints_cannot", (3, 3)),
    ({"must_link": [[0, 4]], "groups": [7, 1, 2, 3, 7, 5]}, "constraints_photo", (0, 4)),
    ({"must_link": [[0, 3], [3, 4]], "groups": ["a", "b", "c", "d", "a", "e"]}, "constraints_photo", (0, 4)),
    ({"must_link": [[0, 5]], "known": [1, -1, -1, -1, -1, 2]}, "constraints_known", (0, 5)),
    ({"cannot_link": [[0, 5]], "known": [1, -1, -1, -1, -1, 1]}, "constraints_cannot", (0, 5)),
])
def test_contradictions_name_the_faces(constraints: dict[str, Any], code: str, named: tuple[int, int]) -> None:
    with pytest.raises(FacesError) as refused:
        cluster_faces(people([3, 3])[0], **constraints)
    assert refused.value.code == code
    assert (refused.value.values["first"], refused.value.values["second"]) == named


@pytest.mark.parametrize(("given", "code"), [
    ({"method": "magic"}, "method_unknown"),
    ({"eps": 0.3}, "parameter_unknown"),
    ({"method": "dbscan", "eps": -1}, "parameter_range"),
    ({"method": "dbscan", "eps": "much"}, "parameter_range"),
    ({"method": "dbscan", "eps": ""}, "parameter_range"),
    ({"method": "dbscan", "eps": True}, "parameter_range"),
    ({"method": "dbscan", "min_samples": 2.5}, "parameter_range"),
    ({"method": "dbscan", "metric": "taxicab"}, "parameter_range"),
    ({"min_size": 0}, "parameter_range"),
    ({"groups": [1, 2]}, "constraint_length"),
    ({"known": [0.5] * 6}, "constraint_length"),
    ({"poor": [1] * 6}, "constraint_length"),
    ({"must_link": [[0, 6]]}, "constraint_pairs"),
    ({"cannot_link": [0, 1]}, "constraint_pairs"),
])
def test_mistakes_are_told_in_one_sentence(given: dict[str, Any], code: str) -> None:
    with pytest.raises(FacesError) as refused:
        cluster_faces(people([3, 3])[0], **given)
    assert refused.value.code == code
    assert all("{" not in refused.value.sentence(language) for language in ("en", "fr"))


@every_method
def test_defaults_and_edges_of_every_parameter_work(method: str) -> None:
    vectors, _ = people([4, 4, 2])
    for parameter in CLUSTERERS[method].parameters:
        values: list[Any] = [parameter.default, *(parameter.choices or (parameter.low, parameter.high))]
        for value in values:
            found = cluster_faces(vectors, method, **{parameter.name: value})
            assert found.parameters[parameter.name] == value


def test_unknown_photos_forbid_nothing() -> None:
    vectors = people([4], spread=0.1)[0]
    unknown: Any
    for unknown in ([-1] * 4, [""] * 4, [None] * 4, [np.nan] * 4):
        assert len(cluster_faces(vectors, groups=unknown)) == 1


def test_a_known_person_may_be_twice_on_a_photo() -> None:
    vectors, _ = people([4], spread=0.1)
    assert len(cluster_faces(vectors, groups=[1, 1, 2, 3], known=[5, 5, -1, -1])) == 1


def test_known_people_stay_and_take_in_new_faces() -> None:
    vectors, truth = people([10, 10, 10], spread=0.4)
    known = np.full(30, NOISE)
    known[np.flatnonzero(truth == 0)[:4]] = 8
    known[np.flatnonzero(truth == 1)[:4]] = 3
    labels = cluster_faces(vectors, known=known).labels
    assert partition(labels) == {frozenset(np.flatnonzero(truth == k).tolist()) for k in range(3)}


def test_poor_faces_join_but_never_link_nor_found() -> None:
    ends, _ = people([8, 8], spread=0.3)
    bridge = ends.sum(axis=0, keepdims=True)
    stranger = np.random.default_rng(5).normal(size=(1, 64)).astype(np.float32)
    vectors = np.concatenate([ends, bridge, stranger, ends[:1] + 0.01])
    poor = np.arange(19) >= 16
    without, found = cluster_faces(ends).labels, cluster_faces(vectors, poor=poor).labels
    assert partition(without) == {group - {16, 17, 18} for group in partition(found)}
    assert found[17] == NOISE
    assert found[18] == found[0]


def test_small_clusters_become_noise_but_known_people_do_not() -> None:
    vectors, truth = people([6, 2, 1, 1], spread=0.3)
    known = np.where(truth == 3, 1, NOISE)
    labels = cluster_faces(vectors, min_size=3, known=known).labels
    assert (labels[(truth == 1) | (truth == 2)] == NOISE).all()
    assert (labels[(truth == 0) | (truth == 3)] != NOISE).all()


@pytest.mark.parametrize("written", ["eps=0.5 min_samples=4", "eps=0,5;min_samples=4", "eps=0.5, min_samples=4",
                                     "eps=0,5,min_samples=4", " eps=0.50  min_samples=4.0 "])
def test_parameters_are_read_as_people_write_them(written: str) -> None:
    assert method_parameters("dbscan", written) == {"eps": 0.5, "min_samples": 4}


@pytest.mark.parametrize("written, code", [
    ("eps", "assignments"), ("=3", "assignments"), ("eps=", "assignments"), ("eps = 3", "assignments"),
    ("method=auto", "parameter_unknown"), ("seed=3", "parameter_unknown"), ("vectors=1", "parameter_unknown"),
    ("eps=x", "parameter_range"), ("eps=9", "parameter_range")])
def test_wrong_parameters_get_a_sentence(written: str, code: str) -> None:
    with pytest.raises(FacesError) as error:
        method_parameters("dbscan", written)
    assert error.value.code == code
