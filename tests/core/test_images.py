"""Coarse cuts: k-means, the chosen number of groups, levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score

from panoptic_faces.core import choice, kmeans
from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.images import cluster_images, cluster_levels


def mixture(groups: int, n: int, d: int = 64, noise: float = 0.8, seed: int = 0
            ) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((groups, d))
    shares = random.dirichlet(np.ones(groups)) * 0.8 + 0.2 / groups
    truth = random.choice(groups, n, p=shares)
    return (centres[truth] + noise * random.standard_normal((n, d))).astype(np.float32), truth


@pytest.mark.parametrize("k", [1, 2, 10, 60])
def test_every_image_has_a_group_and_none_is_empty(k: int) -> None:
    rows, _ = mixture(12, 600)
    found = cluster_images(rows, k)
    assert len(found) == k
    assert np.bincount(found.labels, minlength=k).min() >= 1
    assert found.labels.min() == 0


@pytest.mark.parametrize("k", [3, 10, 40, -1])
def test_the_order_of_the_images_changes_nothing(k: int) -> None:
    rows, _ = mixture(12, 500)
    rows[100:120] = rows[0]
    shuffle = np.random.default_rng(1).permutation(len(rows))
    straight, mixed = cluster_images(rows, k, seed=3), cluster_images(rows[shuffle], k, seed=3)
    np.testing.assert_array_equal(mixed.labels, straight.labels[shuffle])
    np.testing.assert_array_equal(mixed.scores, straight.scores)
    np.testing.assert_array_equal(mixed.similarities, straight.similarities[shuffle])


@pytest.mark.parametrize("k", [7, -1])
def test_the_order_changes_nothing_where_centroids_start_from_a_sample(k: int) -> None:
    rows, truth = mixture(7, 7000, d=16, noise=0.5)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    kept = rows.copy()
    shuffle = np.random.default_rng(1).permutation(len(rows))
    straight, mixed = cluster_images(rows, k), cluster_images(rows[shuffle], k)
    np.testing.assert_array_equal(mixed.labels, straight.labels[shuffle])
    np.testing.assert_array_equal(mixed.similarities, straight.similarities[shuffle])
    np.testing.assert_array_equal(rows, kept)
    assert adjusted_mutual_info_score(truth, straight.labels) > 0.9


def test_groups_are_found_and_the_best_comes_first() -> None:
    rows, truth = mixture(8, 800)
    found = cluster_images(rows, 8)
    assert adjusted_mutual_info_score(truth, found.labels) > 0.9
    assert (np.diff(found.scores) >= 0).all()


def test_a_score_is_100_times_the_mean_cosine_distance_to_the_centroid() -> None:
    rows, _ = mixture(4, 200)
    found = cluster_images(rows, 4)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for group in range(4):
        members = found.members(group)
        centre = unit[members].mean(axis=0)
        near = unit[members] @ (centre / np.linalg.norm(centre))
        assert found.scores[group] == pytest.approx(100 * (1 - near.mean()), abs=1e-3)
        np.testing.assert_allclose(found.similarities[members], near, atol=1e-5)
        assert (np.diff(found.similarities[members]) <= 0).all()


def test_equal_images_share_a_group_even_when_more_groups_are_asked() -> None:
    rows = np.repeat(np.eye(3), 5, axis=0)
    found = cluster_images(rows, 10)
    assert len(found) == 3 and found.notes["n_clusters"] == 3
    assert found.scores == pytest.approx([0, 0, 0], abs=1e-4)


def test_no_group_is_empty_where_most_images_are_the_same() -> None:
    rows = np.concatenate([np.tile(np.eye(4)[0], (5000, 1)), np.random.default_rng(0).random((6, 4)) + 0.1])
    found = cluster_images(rows, 7)
    assert len(found) == 7
    assert len(np.unique(found.labels[:5000])) == 1


@pytest.mark.parametrize("seed", range(3))
def test_kinds_that_no_sample_holds_get_a_group(seed: int) -> None:
    rows = np.eye(6)[np.concatenate([np.zeros(9000, dtype=np.int64), np.arange(1, 6)])]
    found = cluster_images(rows, 6, seed=seed)
    assert len(found) == 6 and len(np.unique(found.labels[-5:])) == 5
    assert found.similarities == pytest.approx(1)


def test_an_empty_group_takes_a_far_kind_whole() -> None:
    rows = np.eye(4, dtype=np.float32)[[0, 0, 0, 1, 1, 2]]
    labels, away = kmeans.assign(rows, np.arange(6), np.eye(4, dtype=np.float32)[[0, 3, 3]] * np.array(
        [[1], [-1], [-1]], dtype=np.float32))
    assert labels[0] == labels[1] == labels[2] == 0
    assert labels[3] == labels[4] and sorted({labels[3], labels[5]}) == [1, 2]
    assert away == pytest.approx(0)


@given(st.integers(2, 30), st.data())
def test_cuts_of_a_tree_are_the_same_however_its_merges_were_sorted(leaves: int, data: st.DataObject) -> None:
    merges, alive = [], list(range(leaves))
    while len(alive) > 1:
        kept, lost = sorted(data.draw(st.permutations(alive))[:2])
        merges.append((kept, lost))
        alive.remove(lost)
    k = data.draw(st.integers(1, leaves))
    mixed = data.draw(st.permutations(merges[: leaves - k])) + merges[leaves - k :]
    straight, found = (choice._cuts(each, leaves, [k])[k] for each in (merges, mixed))
    np.testing.assert_array_equal(straight, found)
    assert found.max() == k - 1


@pytest.mark.parametrize("steps", [0, 1, choice.REFINEMENTS])
def test_refinement_never_lowers_the_silhouette(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    # Nothing to find, so that the means move more than once.
    monkeypatch.setattr(choice, "REFINEMENTS", steps)
    notes = cluster_images(np.random.default_rng(0).standard_normal((400, 3)), -1).notes
    assert notes["value"] >= max(notes["values"].values())


@given(st.integers(1, 40), st.integers(1, 6), st.data())
@settings(max_examples=60, deadline=None)
def test_any_small_set_is_partitioned(n: int, d: int, data: st.DataObject) -> None:
    rows = np.array(data.draw(st.lists(st.lists(st.integers(-2, 2), min_size=d, max_size=d)
                                       .filter(any), min_size=n, max_size=n)), dtype=np.float32)
    k = data.draw(st.sampled_from([-1, *range(1, n + 1)]))
    found = cluster_images(rows, k)
    assert sorted(set(found.labels.tolist())) == list(range(len(found)))
    # Two directions may differ by less than float32 holds; copies to the last bit stay together.
    _, kind = np.unique(rows, axis=0, return_inverse=True)
    assert len({*zip(kind.ravel().tolist(), found.labels.tolist(), strict=True)}) == kind.max() + 1


@pytest.mark.parametrize("k", [0, -2, "", None, 2.5, "many", True, float("nan"), float("inf")])
def test_a_wrong_number_gets_a_sentence(k: Any) -> None:
    with pytest.raises(FacesError) as error:
        cluster_images(np.eye(4), k)
    assert error.value.code == "n_clusters" and str(error.value)


@pytest.mark.parametrize("rows, code", [([[1.0, 2.0], [1.0]], "vectors_not_numbers"),
                                        (np.zeros((300, 0)), "vectors_shape")])
def test_rows_that_are_none_get_a_sentence(rows: Any, code: str) -> None:
    with pytest.raises(FacesError) as error:
        cluster_images(rows, 1)
    assert error.value.code == code


def test_more_groups_than_images_gets_a_sentence() -> None:
    with pytest.raises(FacesError, match="at most the number of images, 4; got 5"):
        cluster_images(np.eye(4), 5)


@pytest.mark.parametrize("k", [-1, 1, 10])
def test_no_images_make_no_groups(k: int) -> None:
    assert len(cluster_images(np.zeros((0, 4)), k)) == 0


@pytest.mark.parametrize("groups", [5, 30, 80])
def test_the_number_of_groups_is_found(groups: int) -> None:
    rows, truth = mixture(groups, 1200)
    found = cluster_images(rows, -1)
    assert adjusted_mutual_info_score(truth, found.labels) > 0.9
    assert abs(len(found) - len(np.unique(truth))) <= max(2, 0.15 * groups)


def test_what_was_found_out_is_told() -> None:
    rows, _ = mixture(6, 300)
    notes = cluster_images(rows, -1).notes
    assert notes["n_clusters"] == 6
    assert notes["values"][6] == max(notes["values"].values())
    assert notes["runner_up"] != 6 and notes["runner_up_value"] <= notes["value"]


def test_leaves_that_hold_several_images_lead_to_the_same_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, truth = mixture(15, 1500)
    whole = cluster_images(rows, -1)
    monkeypatch.setattr(choice, "EXACT", 100)
    monkeypatch.setattr(choice, "LEAVES", 200)
    coarse = cluster_images(rows, -1)
    assert adjusted_mutual_info_score(whole.labels, coarse.labels) > 0.95


def test_the_silhouette_is_the_one_of_the_textbook() -> None:
    from sklearn.metrics import silhouette_score

    rows, _ = mixture(6, 300)
    found = cluster_images(rows, -1)
    expected = silhouette_score(rows, found.labels, metric="cosine")
    assert found.notes["value"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("rows", [np.eye(3), np.ones((9, 2)), np.eye(1)])
def test_what_cannot_be_compared_is_one_group(rows: np.ndarray) -> None:
    assert len(cluster_images(rows, -1)) == 1


@pytest.mark.parametrize("k", [3, -1])
def test_levels_are_nested(k: int) -> None:
    rows, _ = mixture(9, 900)
    levels = cluster_levels(rows, k, 3)
    assert len(levels) == 3
    for above, below in zip(levels, levels[1:], strict=False):
        np.testing.assert_array_equal(below.notes["parents"][below.labels], above.labels)
    np.testing.assert_array_equal(levels[0].labels, cluster_images(rows, k).labels)
    assert len(cluster_levels(rows, 3, 2)[1]) == 9


@pytest.mark.parametrize("levels", [0, -1, "", 1.5, 21, 10**9])
def test_a_wrong_number_of_levels_gets_a_sentence(levels: Any) -> None:
    with pytest.raises(FacesError) as error:
        cluster_levels(np.eye(4), 2, levels)
    assert error.value.code == "levels"
