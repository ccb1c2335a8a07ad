"""Clustering, arrays in and arrays out: no host, no files, no pictures."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .duplicates import best_copies_first, group_duplicates
    from .evaluation import evaluate
    from .faces import cluster_faces
    from .images import cluster_images, cluster_levels
    from .poses import group_turned_duplicates
    from .projection import project
    from .tagging import assign_tags, tag_texts

__all__ = [
    "assign_tags",
    "best_copies_first",
    "cluster_faces",
    "cluster_images",
    "cluster_levels",
    "evaluate",
    "group_duplicates",
    "group_turned_duplicates",
    "project",
    "tag_texts",
]

_PLACES = {"assign_tags": "tagging", "best_copies_first": "duplicates", "cluster_faces": "faces",
           "cluster_images": "images", "cluster_levels": "images", "evaluate": "evaluation",
           "group_duplicates": "duplicates", "group_turned_duplicates": "poses", "project": "projection",
           "tag_texts": "tagging"}


def __getattr__(name: str) -> Any:
    # Importing scikit-learn takes seconds: who only wants an error or a graph need not wait for it.
    if name in _PLACES:
        return getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
