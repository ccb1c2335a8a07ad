"""Unit vectors and the graphs of who is near whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from .errors import FacesError

# Rows of one similarity block: 1,024 × 100,000 float32 is 400 MB.
BLOCK_CELLS = 64_000_000
# Rows made unit vectors at a time: the temporary arrays of 256 rows stay in the processor's cache.
ROWS = 256


def unit_vectors(vectors: ArrayLike, dimension: int | None = None) -> NDArray[np.float32]:
    """Check vectors and scale them to length 1.

    vectors: (n, d) numbers, n ≥ 0, d ≥ 1. Returns a new C-contiguous (n, d) float32 array, and takes no more memory.
    Raises FacesError: ``vectors_shape``, ``vectors_not_numbers``, ``vectors_dimension``,
    ``vectors_not_finite`` or ``vectors_zero``, naming the first row at fault.
    """
    given = _numbers(vectors)
    if given.ndim != 2 or given.shape[1] == 0:
        if given.size == 0 and given.shape[:1] == (0,):
            return np.zeros((0, dimension or 1), dtype=np.float32)
        raise FacesError("vectors_shape", got=str(given.shape))
    if dimension is not None and given.shape[1] != dimension:
        raise FacesError("vectors_dimension", expected=dimension, got=given.shape[1])
    unit = np.empty(given.shape, dtype=np.float32)
    for start in range(0, len(given), ROWS):
        part = given[start : start + ROWS]
        wide = part if part.dtype == np.float32 else part.astype(np.float64)
        finite = np.isfinite(wide).all(axis=1)
        if not finite.all():
            raise FacesError("vectors_not_finite", row=start + int(np.flatnonzero(~finite)[0]))
        # Dividing by the largest coordinate first keeps huge and tiny vectors from overflowing.
        peak = np.abs(wide).max(axis=1, keepdims=True)
        if (peak == 0).any():
            raise FacesError("vectors_zero", row=start + int(np.flatnonzero(peak[:, 0] == 0)[0]))
        scaled = (wide / peak).astype(np.float32)
        norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled, dtype=np.float64))[:, None]
        unit[start : start + ROWS] = scaled / norms
    return unit


def _numbers(vectors: ArrayLike) -> NDArray[Any]:
    try:
        given = np.asarray(vectors)
        if given.dtype == object:
            given = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FacesError("vectors_not_numbers", got=str(error)) from error
    if given.dtype.kind not in "fiub":
        raise FacesError("vectors_not_numbers", got=str(given.dtype))
    return given


def similarity_blocks(unit: NDArray[np.float32], against: NDArray[np.float32] | None = None
                      ) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Cosine similarities of (n, d) unit vectors to ``against`` (m, d), some rows at a time.

    Yields (first row, (rows, m) float32) without ever holding more than ``BLOCK_CELLS`` cells.
    """
    other = unit if against is None else against
    step = max(1, BLOCK_CELLS // max(1, len(other)))
    for start in range(0, len(unit), step):
        yield start, unit[start : start + step] @ other.T


def range_graph(unit: NDArray[np.float32], min_similarity: float) -> sp.csr_matrix:
    """All pairs with a cosine similarity of at least ``min_similarity``, exactly.

    unit: (n, d) float32 unit vectors. Returns a symmetric (n, n) CSR matrix of similarities without its
    diagonal; explicit entries are the pairs, so a pair of similarity 0 is stored too.
    """
    rows, columns, values = [], [], []
    for start, block in similarity_blocks(unit):
        found, column = np.nonzero(block >= min_similarity)
        keep = found + start != column
        rows.append(found[keep] + start)
        columns.append(column[keep])
        values.append(block[found[keep], column[keep]])
    if not rows:
        return sp.csr_matrix((0, 0), dtype=np.float32)
    counts = np.bincount(np.concatenate(rows), minlength=len(unit))
    pointers = np.concatenate([[0], np.cumsum(counts)])
    return sp.csr_matrix((np.concatenate(values), np.concatenate(columns), pointers),
                         shape=(len(unit), len(unit)))


# Up to this many faces the nearest neighbours are exact; beyond, an inverted file finds nearly all of them.
EXACT_UP_TO = 20_000


def nearest(unit: NDArray[np.float32], k: int, seed: int = 0
            ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The k most similar others of each row, as pairs that occur once.

    unit: (n, d) float32 unit vectors. Returns (e,) rows ``a``, (e,) rows ``b`` > a and (e,) similarities,
    sorted by (a, b). Exact up to ``EXACT_UP_TO`` rows; beyond by FAISS's inverted file (Johnson et
    al. 2017), seeded, whose cells grow with the square root of n.
    """
    n = len(unit)
    k = min(k, n - 1)
    if k < 1:
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0, dtype=np.float32)
    index = _index(unit, seed)
    rows, columns, values = [], [], []
    for start in range(0, n, 8192):
        similar, found = index.search(unit[start : start + 8192], k + 1)
        row = np.repeat(np.arange(start, start + len(found)), k + 1)
        keep = (found.ravel() != row) & (found.ravel() >= 0)
        rows.append(row[keep])
        columns.append(found.ravel()[keep])
        values.append(similar.ravel()[keep])
    row, column, value = np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
    key = np.minimum(row, column) * n + np.maximum(row, column)
    order = np.argsort(key, kind="stable")
    order = order[np.append(True, key[order][1:] != key[order][:-1])]
    return key[order] // n, key[order] % n, value[order]


def _index(unit: NDArray[np.float32], seed: int) -> Any:
    import faiss

    n, d = unit.shape
    index: Any = faiss.IndexFlatIP(d) if n <= EXACT_UP_TO else inverted(unit, n, seed)
    index.add(unit)
    return index


# Cells that are searched for the neighbours of a face.
PROBES = 16


def inverted(sample: NDArray[np.float32], n: int, seed: int) -> Any:
    """An empty FAISS inverted file for n rows, its 4 √n cells trained on a sample of them."""
    import faiss

    d = sample.shape[1]
    index: Any = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, int(4 * np.sqrt(n)), faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.niter, index.cp.max_points_per_centroid = seed + 1, 6, 48
    index.nprobe = PROBES
    index.train(sample)
    return index
