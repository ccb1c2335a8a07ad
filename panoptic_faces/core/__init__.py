"""Clustering, arrays in and arrays out: no host, no files, no pictures."""

from .duplicates import best_copies_first, group_duplicates
from .evaluation import evaluate
from .faces import cluster_faces
from .images import cluster_images, cluster_levels

__all__ = [
    "best_copies_first",
    "cluster_faces",
    "cluster_images",
    "cluster_levels",
    "evaluate",
    "group_duplicates",
]
