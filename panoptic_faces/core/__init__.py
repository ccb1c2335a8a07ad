"""Clustering, arrays in and arrays out: no host, no files, no pictures."""

from .evaluation import evaluate
from .faces import cluster_faces

__all__ = ["cluster_faces", "evaluate"]
