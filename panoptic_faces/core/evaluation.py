"""How good a partition is, against names or by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln
from sklearn.metrics import adjusted_rand_score, homogeneity_completeness_v_measure

from .errors import FacesError
from .neighbors import unit_vectors
from .types import NOISE

Floats = NDArray[np.float64]
BLOCK = 4_000_000


@dataclass(frozen=True, eq=False)
class Groups:
    """Each cluster by itself, in the order of the labels: label, size, and three measures, all (k,).

    width: mean cosine distance of the members to their centroid × 100. separation: cosine distance of the
    centroid to the nearest other one × 100; NaN when there is no other. silhouette: mean silhouette (−1 … 1,
    cosine) of the members, 0 for a cluster of one; NaN when there is no other.
    """

    label: NDArray[np.int64]
    size: NDArray[np.int64]
    width: Floats
    separation: Floats
    silhouette: Floats


def evaluate(labels: ArrayLike, truth: ArrayLike | None = None, vectors: ArrayLike | None = None
             ) -> dict[str, float]:
    """Figures of a partition, all plain floats.

    labels: (n,) integers, −1 = noise, which counts as clusters of one. truth: (n,) the right names, of any
    type. vectors: (n, d), of any length.

    Always ``items``, ``clusters``, ``singletons``, ``noise``. With truth ``bcubed_precision``,
    ``bcubed_recall``, ``bcubed_f`` (Amigó et al. 2009), ``pairwise_precision``, ``pairwise_recall``,
    ``pairwise_f``, ``ari``, ``ami``, ``v_measure``, ``homogeneity``, ``completeness``, ``people``. With
    vectors the means over the items in clusters of ``silhouette`` and ``width``, and over clusters of
    ``separation``, see :class:`Groups`. Figures that do not exist (separation of one cluster) are left out.

    Raises FacesError: ``labels_shape``, and those of :func:`unit_vectors`.
    """
    found = _labels(labels)
    sizes = np.unique(found[found != NOISE], return_counts=True)[1]
    figures = {"items": float(len(found)), "clusters": float(len(sizes)),
               "singletons": float(np.count_nonzero(sizes == 1)),
               "noise": float(np.count_nonzero(found == NOISE))}
    if truth is not None:
        names = np.asarray(truth)
        if names.shape != found.shape:
            raise FacesError("labels_shape", expected=str(found.shape), got=str(names.shape))
        figures |= _against(_singletons(found), np.unique(names, return_inverse=True)[1].reshape(-1))
    if vectors is not None:
        groups = evaluate_groups(found, vectors)
        weight = groups.size / max(groups.size.sum(), 1)
        means = {"silhouette": float(groups.silhouette @ weight), "width": float(groups.width @ weight),
                 "separation": float(groups.separation.mean()) if len(sizes) else np.nan}
        figures |= {name: value for name, value in means.items() if len(sizes) and np.isfinite(value)}
    return figures


def evaluate_groups(labels: ArrayLike, vectors: ArrayLike) -> Groups:
    """Width, separation and silhouette (Rousseeuw 1987) of each cluster; noise belongs to none.

    labels: (n,) integers; vectors: (n, d). Exact without all pairs: the mean similarity of a unit vector to a
    cluster is its product with the cluster's mean. Raises FacesError as :func:`evaluate`.
    """
    found, unit = _labels(labels), unit_vectors(vectors).astype(np.float64)
    if len(unit) != len(found):
        raise FacesError("labels_shape", expected=f"({len(unit)},)", got=str(found.shape))
    unit, found = unit[found != NOISE], found[found != NOISE]
    label, own, size = np.unique(found, return_inverse=True, return_counts=True)
    own = own.reshape(-1)
    n, k = len(found), len(label)
    mean = np.asarray(sp.csr_matrix((1 / size[own], (own, np.arange(n))), shape=(k, n)) @ unit)
    length = np.linalg.norm(mean, axis=1)
    centroid = mean / np.maximum(length, 1e-12)[:, None]
    separation, silhouette = np.full(k, np.nan), np.zeros(n)
    step = max(1, BLOCK // max(k, 1))
    for start in range(0, k if k > 1 else 0, step):
        block = centroid[start : start + step] @ centroid.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -np.inf
        separation[start : start + len(block)] = 100 * (1 - block.max(axis=1))
    for start in range(0, n if k > 1 else 0, step):
        part = slice(start, start + step)
        distance = 1 - unit[part] @ mean.T
        mine, row = own[part], np.arange(len(distance))
        inside = distance[row, mine] * size[mine] / np.maximum(size[mine] - 1, 1)
        distance[row, mine] = np.inf
        outside = distance.min(axis=1)
        widest = np.maximum(np.maximum(inside, outside), 1e-12)
        silhouette[part] = np.where(size[mine] > 1, (outside - inside) / widest, 0.0)
    per_group = np.bincount(own, weights=silhouette, minlength=k) / np.maximum(size, 1)
    return Groups(label, size, 100 * np.clip(1 - length, 0, 1), separation,
                  per_group if k > 1 else np.full(k, np.nan))


def _labels(labels: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(labels)
    if given.ndim != 1 or (given.dtype.kind not in "iu" and len(given)):
        raise FacesError("labels_shape", expected="(n,)", got=f"{given.shape} {given.dtype}")
    return given.astype(np.int64)


def _singletons(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels 0 … k − 1 with every noise item in a cluster of its own."""
    result = labels.copy()
    noise = np.flatnonzero(result == NOISE)
    result[noise] = result.max(initial=-1) + 1 + np.arange(len(noise))
    return np.unique(result, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _against(found: NDArray[np.int64], truth: NDArray[np.int64]) -> dict[str, float]:
    if not len(found):
        return {}
    table = sp.csr_matrix((np.ones(len(found)), (found, truth))).tocoo()
    table.sum_duplicates()
    together = table.data
    in_cluster = np.bincount(found)[table.row]
    in_person = np.bincount(truth)[table.col]
    precision = float((together**2 / in_cluster).sum() / len(found))
    recall = float((together**2 / in_person).sum() / len(found))
    figures = {"bcubed_precision": precision, "bcubed_recall": recall, "bcubed_f": _f(precision, recall)}
    pairs = float((together * (together - 1)).sum())
    sizes, people = np.bincount(found).astype(float), np.bincount(truth).astype(float)
    said, true = float((sizes * (sizes - 1)).sum()), float((people * (people - 1)).sum())
    precision, recall = (pairs / said if said else 1.0), (pairs / true if true else 1.0)
    figures |= {"pairwise_precision": precision, "pairwise_recall": recall,
                "pairwise_f": _f(precision, recall)}
    homogeneity, completeness, v_measure = homogeneity_completeness_v_measure(truth, found)
    return figures | {"ari": float(adjusted_rand_score(truth, found)),
                      "ami": _adjusted_mutual_information(together, in_cluster, in_person, sizes, people),
                      "v_measure": float(v_measure),
                      "homogeneity": float(homogeneity), "completeness": float(completeness),
                      "people": float(len(people))}


def _adjusted_mutual_information(together: Floats, in_cluster: Floats, in_person: Floats, sizes: Floats, people: Floats
                                 ) -> float:
    """Mutual information beyond chance (Vinh, Epps & Bailey 2010), in relation to the mean entropy of both.

    together: faces of each cell of the table, in_cluster and in_person those of its cluster and person; sizes, people:
    of all clusters and people. What chance gives depends on sizes alone, and few sizes are different: scikit-learn
    looks at every pair of a cluster and a person, 10¹⁰ of them for a million faces.
    """
    n = sizes.sum()
    if len(sizes) == len(people) == 1 or len(sizes) == len(people) == n:
        return 1.0
    mutual = float(together @ np.log(n * together / (in_cluster * in_person)) / n)
    entropy = float(-(sizes @ np.log(sizes / n) + people @ np.log(people / n)) / (2 * n))
    chance = _chance(sizes, people)
    tiny = float(np.finfo(np.float64).eps)
    apart = entropy - chance
    return (mutual - chance) / (min(apart, -tiny) if apart < 0 else max(apart, tiny))


def _chance(sizes: Floats, people: Floats) -> float:
    """The mutual information of two partitions of these sizes that have nothing to do with each other."""
    n = sizes.sum()
    a, often_a = np.unique(sizes, return_counts=True)
    b, often_b = np.unique(people, return_counts=True)
    expected = 0.0
    for size, often in zip(a, often_a, strict=True):
        start = 0
        while start < len(b):
            # As many of the other sizes, in their order, as there is room for the cells that both may share.
            room = int(np.searchsorted(np.minimum(b, size)[start:] * np.arange(1, len(b) - start + 1), BLOCK))
            other, weight = b[start : start + max(1, room), None], often_b[start : start + max(1, room)]
            start += max(1, room)
            shared = np.arange(1, min(size, other[-1, 0]) + 1)
            possible = (shared <= other) & (shared >= size + other - n)
            shared = np.where(possible, shared, 1)
            parts = (shared, size - shared, other - shared, np.maximum(n - size - other + shared, 0), n)
            whole = _log_factorials(size, other, n - size, n - other)
            ways = whole - _log_factorials(*parts)
            told = np.where(possible, shared / n * np.log(n * shared / (size * other)) * np.exp(ways), 0)
            expected += float(often * (weight @ told.sum(axis=1)))
    return expected


def _log_factorials(*numbers: Any) -> Any:
    """The logarithm of the product of the factorials."""
    return sum(gammaln(number + 1) for number in numbers)


def _f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
