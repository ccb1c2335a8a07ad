"""Unit vectors in little memory, and an order of rows that depends on what they hold, never on where."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .neighbors import unit_vectors


def unit_rows(vectors: ArrayLike) -> NDArray[np.float32]:
    """:func:`unit_vectors`, but for vectors that are all of length 1 already, contiguous float32, those as they are.

    Do not write to the result.
    """
    if isinstance(vectors, np.ndarray) and vectors.dtype == np.float32 and vectors.ndim == 2 \
            and vectors.flags.c_contiguous and vectors.size:
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.einsum("ij,ij->i", vectors, vectors)
        if (np.abs(lengths - 1) <= 1e-6).all():
            return vectors
    return unit_vectors(vectors)


def content_order(rows: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Sort rows by their values, so that a permutation of the input gives the same sequence.

    rows: (n, d) float32, finite. Returns ``order`` (n,) int64, and ``first`` (n,) bool: whether
    ``rows[order[i]]`` differs from the row before it. Equal rows are adjacent, by index. The order itself
    means nothing. Takes the memory of the rows once more when all of them begin with the same two values.
    """
    n = len(rows)
    if n == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    head = np.zeros((n, 2), dtype=np.float32)
    head[:, : rows.shape[1]] = rows[:, :2]
    head += np.float32(0)  # −0 and 0 are one value with two bit patterns
    keys = head.view(np.uint64)[:, 0]
    order = np.argsort(keys, kind="stable")
    fresh = np.empty(n, dtype=bool)
    fresh[0] = True
    np.not_equal(keys[order[1:]], keys[order[:-1]], out=fresh[1:])
    tied = ~fresh
    tied[:-1] |= ~fresh[1:]
    if not tied.any():
        return order, fresh
    # Only rows whose first two values tie are compared in full.
    among = np.sort(order[tied])
    whole = _bytes(rows[among])
    sequence = np.argsort(whole, kind="stable")
    sequence = sequence[np.argsort(keys[among][sequence], kind="stable")]
    order[tied] = among[sequence]
    sorted_whole = whole[sequence]
    differs = np.empty(len(among), dtype=bool)
    differs[0] = True
    differs[1:] = sorted_whole[1:] != sorted_whole[:-1]
    first = fresh.copy()
    first[tied] = differs
    return order, first


def _bytes(rows: NDArray[np.float32]) -> NDArray[np.void]:
    plain = np.ascontiguousarray(rows)
    plain += np.float32(0)
    return plain.view(np.dtype((np.void, plain.shape[1] * plain.itemsize)))[:, 0]
