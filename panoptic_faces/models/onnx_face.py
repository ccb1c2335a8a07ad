"""Any face embedder given as an ONNX file that takes 112 × 112 aligned faces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.errors import FacesError
from .align import ALIGNED_SIDE
from .pictures import Pixels
from .weights import checksum

CHANNELS = ("rgb", "bgr")


@dataclass(frozen=True)
class Normalisation:
    """What a model expects: channels in this order, as (pixel − mean) / scale; one number or one a channel."""

    channels: str
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def parse(cls, text: str) -> Normalisation:
        """``rgb,127.5,128`` or, a channel each, ``rgb,123.7/116.3/103.5,58.4/57.1/57.4``.

        Raises FacesError ``normalisation``.
        """
        try:
            channels, mean, scale = (part.strip() for part in text.split(","))
            parsed = cls(channels.lower(), _numbers(mean), _numbers(scale))
        except ValueError:
            raise FacesError("normalisation", got=text) from None
        if parsed.channels not in CHANNELS or not all(parsed.scale):
            raise FacesError("normalisation", got=text)
        return parsed

    def __call__(self, face: Pixels) -> NDArray[np.float32]:
        """(112, 112, 3) RGB → (1, 3, 112, 112) float32."""
        ordered = face if self.channels == "rgb" else face[:, :, ::-1]
        mean, scale = (np.array(numbers, dtype=np.float32) for numbers in (self.mean, self.scale))
        scaled = (ordered.astype(np.float32) - mean) / scale
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], dtype=np.float32)


class OnnxFace:
    """One embedder; a thread needs its own. Raises FacesError ``onnx_unusable`` for a file that is no such model."""

    def __init__(self, file: Path, normalisation: Normalisation) -> None:
        self._file = file
        self._normalise = normalisation
        try:
            self._net = cv2.dnn.readNetFromONNX(str(file))
        except cv2.error as error:
            raise FacesError("onnx_unusable", file=str(file), reason=str(error).strip()[-200:]) from error
        self.dimension = len(self._embed(np.zeros((ALIGNED_SIDE, ALIGNED_SIDE, 3), dtype=np.uint8)))

    def embed(self, faces: Pixels) -> NDArray[np.float32]:
        """(n, 112, 112, 3) aligned RGB faces → (n, dimension) float32 vectors, not normalised."""
        return np.stack([self._embed(face) for face in faces]) if len(faces) else np.zeros(
            (0, self.dimension), dtype=np.float32)

    def _embed(self, face: Pixels) -> NDArray[np.float32]:
        try:
            self._net.setInput(self._normalise(face))
            vector = np.asarray(self._net.forward(), dtype=np.float32)
        except cv2.error as error:
            raise FacesError("onnx_unusable", file=str(self._file), reason=str(error).strip()[-200:]) from error
        outputs = len(self._net.getUnconnectedOutLayersNames())
        if outputs != 1 or vector.size < 2 or vector.shape[0] != 1 or vector.size != vector.shape[1]:
            raise FacesError("onnx_unusable", file=str(self._file), reason=f"{outputs} × {vector.shape}")
        return vector.reshape(-1).copy()


def fingerprint(file: Path) -> str:
    """The first half of a file's SHA-256: enough to tell models apart."""
    return checksum(file)[:32]


def _numbers(text: str) -> tuple[float, ...]:
    numbers = tuple(float(part) for part in text.split("/"))
    if len(numbers) not in (1, 3) or not np.isfinite(numbers).all():
        raise ValueError
    return numbers
