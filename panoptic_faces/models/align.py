"""Five landmarks → an upright 112 × 112 face, as face embedders were trained on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .pictures import Pixels

ALIGNED_SIDE = 112

# Where ArcFace's training crops have the right eye, left eye, nose, right and left corner of the mouth
# (of the person): Deng et al., "ArcFace", CVPR 2019; SFace and MobileFaceNet use the same.
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366],
                     [41.5493, 92.3655], [70.7299, 92.2041]])


def similarity_transform(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """The rotation, scale and shift that bring landmarks nearest to the template, by least squares.

    landmarks: (5, 2) pixels. Returns (2, 3) for ``cv2.warpAffine``. Points taken as complex numbers make the
    fit (Umeyama, PAMI 1991, without reflection) one division.
    """
    given, wanted = (points[:, 0] + 1j * points[:, 1] for points in (landmarks.astype(np.float64), TEMPLATE))
    centred = given - given.mean()
    turn = np.vdot(centred, wanted - wanted.mean()) / np.vdot(centred, centred).real
    shift = wanted.mean() - turn * given.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def align_face(picture: Pixels, landmarks: NDArray[np.float32]) -> Pixels:
    """(height, width, 3) picture and (5, 2) landmarks in it → (112, 112, 3) face."""
    transform = similarity_transform(landmarks)
    shrink = float(np.hypot(transform[0, 0], transform[1, 0]))
    if shrink < 0.5:
        # Bilinear sampling of a much larger face would alias: shrink it by areas first.
        picture, transform = _shrunk_around(picture, landmarks, transform, shrink)
    return np.asarray(cv2.warpAffine(picture, transform, (ALIGNED_SIDE, ALIGNED_SIDE)), dtype=np.uint8)


def _shrunk_around(picture: Pixels, landmarks: NDArray[np.float32], transform: NDArray[np.float64],
                   shrink: float) -> tuple[Pixels, NDArray[np.float64]]:
    reach = 1.5 * ALIGNED_SIDE / shrink
    centre = landmarks.mean(axis=0)
    left, top = (int(max(0, value - reach)) for value in centre)
    part = picture[top : int(centre[1] + reach) + 1, left : int(centre[0] + reach) + 1]
    width, height = (max(1, round(side * shrink)) for side in part.shape[1::-1])
    scale = np.array([width / part.shape[1], height / part.shape[0]])
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    shifted = transform.copy()
    shifted[:, 2] += transform[:, :2] @ np.array([left, top])
    shifted[:, :2] /= scale
    return np.asarray(small, dtype=np.uint8), shifted


def sharpness(face: Pixels) -> float:
    """Variance of the Laplacian of an aligned face, in grey levels squared: under about 50 it is blurred."""
    return float(cv2.Laplacian(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def sharpness_of_file(data: bytes) -> float:
    """The same of a whole picture, read at half its size, which is enough to order copies; 0 if it cannot be read."""
    grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_2)
    return 0.0 if grey is None else float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))[1][0, 0]) ** 2
