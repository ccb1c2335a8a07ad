"""The default: people without a parameter."""

from __future__ import annotations

from .constraints import Faces, Ints
from .methods import agglomerative


def auto(faces: Faces) -> Ints:
    """(n,) labels of the faces."""
    return agglomerative(faces, linkage="average", threshold=0.4, n_clusters=0)
