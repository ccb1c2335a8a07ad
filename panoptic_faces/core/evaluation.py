"""How good a partition is, against names or by itself."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    homogeneity_completeness_v_measure,
)

from .errors import FacesError
from .types import NOISE

# A silhouette needs all pairs: beyond this many items a seeded sample stands for them.
SILHOUETTE_SAMPLE = 10_000


def evaluate(labels: ArrayLike, truth: ArrayLike | None = None, vectors: ArrayLike | None = None
             ) -> dict[str, float]:
    """Figures of a partition, all plain floats.

    labels: (n,) integers, −1 = noise, which counts as clusters of one. truth: (n,) the right names, of any
    type. vectors: (n, d) any length.

    With truth: ``bcubed_precision``, ``bcubed_recall``, ``bcubed_f`` (Amigó et al. 2009), ``pairwise_*``,
    ``ari``, ``ami``, ``v_measure``, ``homogeneity``, ``completeness``, ``people``. With vectors:
    ``silhouette`` (cosine), ``width`` (mean cosine distance to the own centroid × 100), ``separation`` (mean
    over clusters of the cosine distance × 100 to the nearest other centroid). Always: ``items``,
    ``clusters``, ``singletons``, ``noise``. Figures that do not exist (a silhouette of one cluster) are left out.
    Raises FacesError ``labels_shape``.
    """
    given = np.asarray(labels)
    if given.ndim != 1 or (given.dtype.kind not in "iu" and len(given)):
        raise FacesError("labels_shape", expected="(n,)", got=f"{given.shape} {given.dtype}")
    found = given.astype(np.int64)
    sizes = np.unique(found[found != NOISE], return_counts=True)[1]
    figures = {"items": float(len(found)), "clusters": float(len(sizes)),
               "singletons": float(np.count_nonzero(sizes == 1)),
               "noise": float(np.count_nonzero(found == NOISE))}
    if truth is not None:
        names = np.asarray(truth)
        if names.shape != found.shape:
            raise FacesError("labels_shape", expected=str(found.shape), got=str(names.shape))
        figures |= _against(_singletons(found), np.unique(names, return_inverse=True)[1].reshape(-1))
    return figures


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
                      "ami": float(adjusted_mutual_info_score(truth, found)), "v_measure": float(v_measure),
                      "homogeneity": float(homogeneity), "completeness": float(completeness),
                      "people": float(len(people))}


def _f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
