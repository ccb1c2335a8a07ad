"""SFace: a 128-dimensional face embedding (Zhong et al., IEEE TIP 2021; Apache-2.0, OpenCV's model zoo)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .pictures import Pixels
from .registry import SFACE

# Faces that go through the net together; more are not faster and take more memory.
FACES_AT_ONCE = 16


class SFace:
    """One embedder; a thread needs its own."""

    def __init__(self, weights: Path) -> None:
        self._net = cv2.dnn.readNetFromONNX(str(weights))

    def embed(self, faces: Pixels) -> NDArray[np.float32]:
        """(n, 112, 112, 3) aligned RGB faces → (n, 128) float32 vectors, not normalised."""
        vectors = np.zeros((len(faces), SFACE.dimension), dtype=np.float32)
        for start in range(0, len(faces), FACES_AT_ONCE):
            some = faces[start : start + FACES_AT_ONCE]
            # The net takes RGB from 0 to 255, channels first.
            self._net.setInput(np.ascontiguousarray(some.transpose(0, 3, 1, 2), dtype=np.float32))
            vectors[start : start + len(some)] = self._net.forward()
        return vectors
