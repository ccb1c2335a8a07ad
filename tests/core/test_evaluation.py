"""Figures against their definitions, written out item by item."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score, silhouette_samples

from panoptic_faces.core import evaluate, evaluation
from panoptic_faces.core.errors import FacesError
from panoptic_faces.core.evaluation import evaluate_groups

items = st.lists(st.tuples(st.integers(-1, 4), st.sampled_from("abcd")), min_size=1, max_size=30)


@given(items)
def test_bcubed_and_pairwise_follow_their_definitions(given: list[tuple[int, str]]) -> None:
    found = [label if label >= 0 else 100 + i for i, (label, _) in enumerate(given)]
    truth = [name for _, name in given]
    n = len(given)
    together = [[found[i] == found[j] for j in range(n)] for i in range(n)]
    same = [[truth[i] == truth[j] for j in range(n)] for i in range(n)]
    right = [sum(t and s for t, s in zip(together[i], same[i], strict=True)) for i in range(n)]
    precision = sum(right[i] / sum(together[i]) for i in range(n)) / n
    recall = sum(right[i] / sum(same[i]) for i in range(n)) / n
    figures = evaluate([label for label, _ in given], truth)
    assert figures["bcubed_precision"] == pytest.approx(precision)
    assert figures["bcubed_recall"] == pytest.approx(recall)
    assert figures["bcubed_f"] == pytest.approx(2 * precision * recall / (precision + recall))
    pairs = [(i, j) for i in range(n) for j in range(i)]
    said, true = sum(together[i][j] for i, j in pairs), sum(same[i][j] for i, j in pairs)
    both = sum(together[i][j] and same[i][j] for i, j in pairs)
    assert figures["pairwise_precision"] == pytest.approx(both / said if said else 1)
    assert figures["pairwise_recall"] == pytest.approx(both / true if true else 1)


@given(items, st.sampled_from((1, 20, 4_000_000)))
def test_adjusted_mutual_information_is_the_usual_one(given: list[tuple[int, str]], cells: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # However few of the sizes fit into memory together.
        patch.setattr(evaluation, "BLOCK", cells)
        labels = [label if label >= 0 else 100 + i for i, (label, _) in enumerate(given)]
        figures = evaluate(labels, [name for _, name in given])
    assert figures["ami"] == pytest.approx(adjusted_mutual_info_score([name for _, name in given], labels), abs=1e-9)


def test_a_perfect_partition() -> None:
    figures = evaluate([4, 4, 7, -1], ["b", "b", "a", "c"])
    for name in ("bcubed_f", "pairwise_f", "ari", "ami", "v_measure"):
        assert figures[name] == pytest.approx(1)
    assert (figures["clusters"], figures["noise"], figures["people"], figures["items"]) == (2, 1, 3, 4)


def test_all_figures_are_plain_floats() -> None:
    figures = evaluate([0, 0, 1], ["a", "b", "b"], np.eye(3))
    assert {type(value) for value in figures.values()} == {float}


def test_the_silhouette_is_the_usual_one() -> None:
    random = np.random.default_rng(0)
    vectors, labels = random.normal(size=(60, 5)), random.integers(-1, 5, 60)
    kept = labels >= 0
    expected = silhouette_samples(vectors[kept], labels[kept], metric="cosine")
    assert evaluate(labels, vectors=vectors)["silhouette"] == pytest.approx(expected.mean(), abs=1e-5)
    groups = evaluate_groups(labels, vectors)
    for label, silhouette in zip(groups.label, groups.silhouette, strict=True):
        assert silhouette == pytest.approx(expected[labels[kept] == label].mean(), abs=1e-5)


def test_width_and_separation() -> None:
    groups = evaluate_groups([0, 0, 1, 2], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    assert groups.size.tolist() == [2, 1, 1]
    assert groups.width == pytest.approx([0, 0, 0], abs=1e-4)
    assert groups.separation == pytest.approx([40, 20, 20], abs=1e-3)


@pytest.mark.parametrize("labels", [[], [-1, -1], [0, 0], [0, -1]])
def test_figures_that_do_not_exist_are_left_out(labels: list[int]) -> None:
    figures = evaluate(labels, ["a"] * len(labels), np.ones((len(labels), 2)))
    assert "separation" not in figures and "silhouette" not in figures
    assert all(np.isfinite(value) for value in figures.values())


@pytest.mark.parametrize("wrong", [{"labels": [0.5]}, {"labels": [[1]]}, {"labels": [1], "truth": ["a", "b"]},
                                   {"labels": [1], "vectors": np.ones((2, 2))}])
def test_shapes_must_agree(wrong: dict[str, object]) -> None:
    with pytest.raises(FacesError) as refused:
        evaluate(**wrong)  # type: ignore[arg-type]
    assert refused.value.code == "labels_shape"
