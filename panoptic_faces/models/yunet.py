"""YuNet: a face detector with five landmarks (Wu, Peng and Yu, Machine Intelligence Research 2023; MIT)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .pictures import Pixels

# YuNet loses faces much larger than its anchors: on portraits it finds all at 250 px and half at 2,048 px.
# A second look at this size finds the large ones.
LARGE_FACES_SIDE = 512
MIN_CONFIDENCE = 0.6
# Boxes that overlap more than this (intersection over union) are one face, within a look and between looks.
MAX_OVERLAP = 0.3


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces of one picture, most confident first.

    boxes: (n, 4) float32 x, y, width, height; landmarks: (n, 5, 2) float32; both in the picture's pixels.
    confidences: (n,) float32, 0–1.
    """

    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    confidences: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.boxes)


class YuNet:
    """One detector; a thread needs its own."""

    def __init__(self, weights: Path, max_side: int = 2048) -> None:
        self._max_side = max_side
        self._net = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), MIN_CONFIDENCE, MAX_OVERLAP, 5000)

    def detect(self, picture: Pixels) -> Detections:
        """Faces of a (height, width, 3) RGB picture.

        The picture is looked at with its long side at most ``max_side``, and once more small, for large
        faces; where both find nothing, once more at double size, for small ones.
        """
        side = max(picture.shape[:2])
        looks = [min(side, self._max_side)]
        if looks[0] > LARGE_FACES_SIDE:
            looks.append(LARGE_FACES_SIDE)
        found = np.concatenate([self._look(picture, look) for look in looks])
        if not len(found):
            found = self._look(picture, 2 * looks[0])
        found = found[_distinct(found)]
        return Detections(found[:, :4], found[:, 4:14].reshape(-1, 5, 2), found[:, 14])

    def _look(self, picture: Pixels, side: int) -> NDArray[np.float32]:
        height, width = picture.shape[:2]
        scale = side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if size != (width, height):
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1
                                            else cv2.INTER_CUBIC), dtype=np.uint8)
        self._net.setInputSize(size)
        rows = self._net.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        if rows is None:
            return np.zeros((0, 15), dtype=np.float32)
        rows = np.array(rows, dtype=np.float32)
        rows[:, 0:14:2] *= width / size[0]
        rows[:, 1:14:2] *= height / size[1]
        sound = np.isfinite(rows).all(axis=1) & (rows[:, 2:4] > 0).all(axis=1)
        return np.asarray(rows[sound], dtype=np.float32)


def _distinct(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """Indices of the faces that no more confident one overlaps, most confident first."""
    order = np.lexsort((rows[:, 1], rows[:, 0], -rows[:, 14]))
    kept: list[int] = []
    for index in order:
        x, y, width, height = rows[index, :4]
        others = rows[kept, :4]
        across = np.minimum(x + width, others[:, 0] + others[:, 2]) - np.maximum(x, others[:, 0])
        down = np.minimum(y + height, others[:, 1] + others[:, 3]) - np.maximum(y, others[:, 1])
        shared = np.clip(across, 0, None) * np.clip(down, 0, None)
        if not (shared > MAX_OVERLAP * (width * height + others[:, 2] * others[:, 3] - shared)).any():
            kept.append(int(index))
    return np.array(kept, dtype=np.int64)
