"""The detectors and embedders that the command line offers, by name: one table of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import FacesError
from .registry import SFACE, YUNET
from .weights import weights_path

DETECTORS = ("yunet", "dlib-hog", "dlib-cnn")
MODELS = ("sface", "dlib")


@dataclass(frozen=True)
class ChosenModels:
    """settings: what makes vectors comparable, as plain texts. make: a detector and an embedder for a thread."""

    settings: dict[str, str]
    make: Callable[[], tuple[Any, Any]]


def choose_models(detector: str = "yunet", model: str = "sface", normalisation: str | None = None,
                  max_side: int = 2048) -> ChosenModels:
    """Find, fetch and check everything that a detector and an embedder need, now.

    model: a name of ``MODELS`` or the path of an ONNX file, whose normalisation is then needed.
    Raises FacesError: ``detector_unknown``, ``model_unknown``, ``detector_model``, ``normalisation``,
    ``onnx_unusable``, ``dlib_missing`` and those of ``weights_path``.
    """
    if detector not in DETECTORS:
        raise FacesError("detector_unknown", got=detector, allowed=", ".join(DETECTORS))
    if detector != "yunet" and model != "dlib":
        # SFace and its like are aligned on pupils and mouth, which dlib's free landmarks do not have.
        raise FacesError("detector_model", detector=detector, model=model)
    finder, settings = _detector(detector, max_side)
    embedder, described = _embedder(model, normalisation)

    def make() -> tuple[Any, Any]:
        import cv2

        # OpenCV 5 warns at every load that it ignores a setting which it makes itself.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        return finder(), embedder()

    return ChosenModels({**settings, **described}, make)


def _detector(name: str, max_side: int) -> tuple[Callable[[], Any], dict[str, str]]:
    if name == "yunet":
        weights = weights_path(YUNET)

        def yunet() -> Any:
            from .yunet import YuNet

            return YuNet(weights, max_side)

        return yunet, {"detector": name, "detector_weights": YUNET.sha256[:32]}

    from .dlib_face import DlibDetector, dlib_and_weights

    dlib_and_weights()
    return lambda: DlibDetector(name), {"detector": name, "detector_weights": ""}


def _embedder(name: str, normalisation: str | None) -> tuple[Callable[[], Any], dict[str, str]]:
    if name == "sface":
        weights = weights_path(SFACE)

        def sface() -> Any:
            from .sface import SFace

            return SFace(weights)

        return sface, {"model": name, "model_weights": SFACE.sha256[:32], "normalisation": ""}
    if name == "dlib":
        from .dlib_face import DlibFace, dlib_and_weights

        dlib_and_weights()
        return DlibFace, {"model": name, "model_weights": "", "normalisation": ""}
    return _onnx(Path(name), normalisation)


def _onnx(file: Path, normalisation: str | None) -> tuple[Callable[[], Any], dict[str, str]]:
    if file.suffix.lower() != ".onnx" or not file.is_file():
        raise FacesError("model_unknown", got=str(file), allowed=", ".join(MODELS))
    from .onnx_face import Normalisation, OnnxFace, fingerprint

    expected = Normalisation.parse(normalisation or "")
    OnnxFace(file, expected)
    return lambda: OnnxFace(file, expected), {
        "model": file.name, "model_weights": fingerprint(file), "normalisation": str(normalisation)}
