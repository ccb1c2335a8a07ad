"""dlib's detectors and its ResNet embedder, as the library face_recognition uses them; the extra ``[dlib]``.

King, "Dlib-ml", JMLR 2009; weights CC0. The vectors are those of ``face_recognition.face_encodings`` for the same
box: five points found in the box, a 150 × 150 chip, one pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FacesError
from .pictures import Pixels
from .yunet import Detections

DIMENSION = 128
CHIP_SIDE, CHIP_PADDING = 150, 0.25
# The library's own choice for the histogram detector: pictures are looked at at double size.
HOG_UPSAMPLING = 1


def dlib_and_weights() -> tuple[Any, Path]:
    """The module and the folder of its weights; raises FacesError ``dlib_missing`` with the line that installs them."""
    try:
        import dlib
        import face_recognition_models
    except ImportError as error:
        raise FacesError("dlib_missing") from error
    return dlib, Path(face_recognition_models.__file__).parent / "models"


class DlibDetector:
    """One detector; a thread needs its own.

    ``landmarks`` are dlib's five: outer and inner corner of the one eye, of the other, base of the nose.
    ``confidences``: the network's, or the histogram detector's score s as 1 / (1 + exp(−s)).
    """

    def __init__(self, name: str) -> None:
        dlib, weights = dlib_and_weights()
        self._points = dlib.shape_predictor(str(weights / "shape_predictor_5_face_landmarks.dat"))
        if name == "dlib-cnn":
            self._cnn: Any = dlib.cnn_face_detection_model_v1(str(weights / "mmod_human_face_detector.dat"))
        else:
            self._cnn, self._hog = None, dlib.get_frontal_face_detector()

    def detect(self, picture: Pixels) -> Detections:
        """Faces of a (height, width, 3) RGB picture, most confident first."""
        if self._cnn is not None:
            found = [(one.rect, min(1.0, float(one.confidence))) for one in self._cnn(picture, 0)]
        else:
            boxes, scores, _ = self._hog.run(picture, HOG_UPSAMPLING, 0.0)
            found = [(box, float(1 / (1 + np.exp(-score)))) for box, score in zip(boxes, scores, strict=True)]
        found.sort(key=lambda one: (-one[1], one[0].left(), one[0].top()))
        rects = [rect for rect, _ in found]
        shapes = [self._points(picture, rect) for rect in rects]
        return Detections(
            np.array([[rect.left(), rect.top(), rect.width(), rect.height()] for rect in rects],
                     dtype=np.float32).reshape(-1, 4),
            np.array([[[point.x, point.y] for point in shape.parts()] for shape in shapes],
                     dtype=np.float32).reshape(-1, 5, 2),
            np.array([confidence for _, confidence in found], dtype=np.float32))


class DlibFace:
    """One embedder; a thread needs its own. It aligns faces in its own way, from their boxes."""

    def __init__(self) -> None:
        self._dlib, weights = dlib_and_weights()
        self._points = self._dlib.shape_predictor(str(weights / "shape_predictor_5_face_landmarks.dat"))
        self._net = self._dlib.face_recognition_model_v1(str(weights / "dlib_face_recognition_resnet_model_v1.dat"))

    def align(self, picture: Pixels, box: tuple[int, int, int, int]) -> Pixels:
        """(height, width, 3) picture and x, y, width, height of a face in it → (150, 150, 3) face."""
        x, y, width, height = box
        shape = self._points(picture, self._dlib.rectangle(x, y, x + width - 1, y + height - 1))
        return np.asarray(self._dlib.get_face_chip(picture, shape, CHIP_SIDE, CHIP_PADDING), dtype=np.uint8)

    def embed(self, faces: Pixels) -> NDArray[np.float32]:
        """(n, 150, 150, 3) faces as ``align`` gives them → (n, 128) float32 vectors, not normalised."""
        vectors = [self._net.compute_face_descriptor(np.ascontiguousarray(face)) for face in faces]
        return np.array(vectors, dtype=np.float32).reshape(-1, DIMENSION)
