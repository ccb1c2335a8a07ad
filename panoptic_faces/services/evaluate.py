"""How well a method finds the people of a file of vectors with labels."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FacesError
from ..core.evaluation import evaluate
from ..core.faces import cluster_faces


def evaluate_file(file: Path, method: str = "auto", parameters: Mapping[str, Any] | None = None, *,
                  min_size: int = 1, seed: int = 0) -> dict[str, float | str]:
    """Cluster the faces of an .npz file and compare with its labels.

    The file holds ``emb`` (n, d), ``label`` (n,) and, where photos are known, ``photo`` (n,). Returns the
    figures of :func:`evaluate` with ``seconds`` (of the clustering alone), ``method`` and ``file`` (its name).
    Raises FacesError ``file_unreadable`` or ``file_arrays``, and those of :func:`cluster_faces`.
    """
    arrays = _read(file)
    start = time.perf_counter()
    clustering = cluster_faces(arrays["emb"], method, groups=arrays.get("photo"), min_size=min_size, seed=seed,
                               **dict(parameters or {}))
    seconds = time.perf_counter() - start
    figures = evaluate(clustering.labels, arrays["label"], arrays["emb"])
    return {"file": file.name, "method": method, **figures, "seconds": seconds}


def _read(file: Path) -> dict[str, NDArray[Any]]:
    held: dict[str, NDArray[Any]] = {}
    try:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise FacesError("file_unreadable", file=str(file))
        with archive:
            for name in ("emb", "label", "photo"):
                if name in archive.files:
                    held[name] = archive[name]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FacesError("file_unreadable", file=str(file)) from error
    missing = [name for name in ("emb", "label") if name not in held]
    if missing:
        raise FacesError("file_arrays", file=file.name, missing=", ".join(missing))
    return held
