"""Unit vectors in little memory, and an order of rows that depends on what they hold, never on where."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import FacesError
from .neighbors import unit_vectors

# Rows made unit vectors at a time: the temporary arrays of 256 rows stay in the processor's cache.
ROWS = 256


def unit_rows(vectors: ArrayLike) -> NDArray[np.float32]:
    """:func:`unit_vectors` for large sets: takes no more memory than its result, (n, d) float32.

    Contiguous float32 vectors that are all of length 1 already are returned as they are: do not write to
    the result.
    """
    try:
        given = np.asarray(vectors)
    except (TypeError, ValueError):
        # Rows of several lengths, say: the one check of vectors tells.
        return unit_vectors(vectors)
    if given.dtype.kind not in "fiu" or given.ndim != 2 or len(given) <= ROWS:
        return unit_vectors(vectors)
    if given.dtype == np.float32 and given.flags.c_contiguous:
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.einsum("ij,ij->i", given, given)
        if (np.abs(lengths - 1) <= 1e-6).all():
            return given
    unit = np.empty(given.shape, dtype=np.float32)
    for start in range(0, len(given), ROWS):
        try:
            unit[start : start + ROWS] = unit_vectors(given[start : start + ROWS])
        except FacesError as error:
            if "row" in error.values:
                error.values["row"] += start
            raise
    return unit


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
