"""Unit vectors and the graphs of who is near whom."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from .errors import FacesError

# Rows of one similarity block: 1,024 × 100,000 float32 is 400 MB.
BLOCK_CELLS = 64_000_000


def unit_vectors(vectors: ArrayLike, dimension: int | None = None) -> NDArray[np.float32]:
    """Check vectors and scale them to length 1.

    vectors: (n, d) numbers, n ≥ 0, d ≥ 1. Returns a new C-contiguous (n, d) float32 array.
    Raises FacesError: ``vectors_shape``, ``vectors_not_numbers``, ``vectors_dimension``,
    ``vectors_not_finite`` or ``vectors_zero``, naming the first row at fault.
    """
    try:
        given = np.asarray(vectors)
        if given.dtype == object:
            given = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FacesError("vectors_not_numbers", got=str(error)) from error
    if given.dtype.kind not in "fiub":
        raise FacesError("vectors_not_numbers", got=str(given.dtype))
    if given.ndim != 2 or given.shape[1] == 0:
        if given.size == 0 and given.shape[:1] == (0,):
            return np.zeros((0, dimension or 1), dtype=np.float32)
        raise FacesError("vectors_shape", got=str(given.shape))
    if dimension is not None and given.shape[1] != dimension:
        raise FacesError("vectors_dimension", expected=dimension, got=given.shape[1])
    wide = given.astype(np.float64, copy=False) if given.dtype != np.float32 else given
    finite = np.isfinite(wide).all(axis=1)
    if not finite.all():
        raise FacesError("vectors_not_finite", row=int(np.flatnonzero(~finite)[0]))
    # Dividing by the largest coordinate first keeps huge and tiny vectors from overflowing.
    peak = np.abs(wide).max(axis=1, keepdims=True)
    if (peak == 0).any():
        raise FacesError("vectors_zero", row=int(np.flatnonzero(peak[:, 0] == 0)[0]))
    scaled = (wide / peak).astype(np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled, dtype=np.float64))[:, None]
    return np.ascontiguousarray(scaled / norms, dtype=np.float32)


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
