"""SFace: a 128-dimensional face embedding (Zhong et al., IEEE TIP 2021; Apache-2.0, OpenCV's model zoo)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .pictures import Pixels
from .registry import SFACE


class SFace:
    """One embedder; a thread needs its own."""

    def __init__(self, weights: Path) -> None:
        self._net = cv2.FaceRecognizerSF.create(str(weights), "")

    def embed(self, faces: Pixels) -> NDArray[np.float32]:
        """(n, 112, 112, 3) aligned RGB faces → (n, 128) float32 vectors, not normalised."""
        vectors = np.zeros((len(faces), SFACE.dimension), dtype=np.float32)
        for row, face in enumerate(faces):
            vectors[row] = self._net.feature(cv2.cvtColor(face, cv2.COLOR_RGB2BGR))[0]
        return vectors
