"""The detectors and embedders that the command line and the plugin offer, by name: one table of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
                  max_side: int = 2048, *, folder: str | Path | None = None, offline: bool = False) -> ChosenModels:
    """Find, fetch and check everything that a detector and an embedder need, now.

    model: a name of ``MODELS`` or the path of an ONNX file, whose normalisation is then needed. folder, offline: see
    ``weights_path``. Raises FacesError: ``detector_unknown``, ``detector_model``, ``onnx_unusable``, ``dlib_missing``
    and those of ``model_settings`` and ``weights_path``.
    """
    if detector not in DETECTORS:
        raise FacesError("detector_unknown", got=detector, allowed=", ".join(DETECTORS))
    if detector != "yunet" and model != "dlib":
        # SFace and its like are aligned on pupils and mouth, which dlib's free landmarks do not have.
        raise FacesError("detector_model", detector=detector, model=model)
    described = model_settings(model, normalisation)
    finder, settings = _detector(detector, max_side, folder, offline)
    embedder = _embedder(model, normalisation, folder, offline)

    def make() -> tuple[Any, Any]:
        import cv2

        # OpenCV 5 warns at every load that it ignores a setting which it makes itself.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        return finder(), embedder()

    return ChosenModels({**settings, **described}, make)


def model_settings(model: str = "sface", normalisation: str | None = None) -> dict[str, str]:
    """What makes the vectors of a model comparable, as plain texts; nothing is fetched or loaded.

    Raises FacesError: ``model_unknown``, ``normalisation``.
    """
    if model in MODELS:
        return {"model": model, "model_weights": SFACE.sha256[:32] if model == "sface" else "", "normalisation": ""}
    file = Path(model)
    if file.suffix.lower() != ".onnx" or not file.is_file():
        raise FacesError("model_unknown", got=model, allowed=", ".join(MODELS))
    from .onnx_face import Normalisation, fingerprint

    Normalisation.parse(normalisation or "")
    return {"model": file.name, "model_weights": fingerprint(file), "normalisation": str(normalisation)}


def model_name(settings: Mapping[str, str]) -> str:
    """What a file of people must have been learned with to know the faces of these settings."""
    name = settings["model"]
    return f"{name} {settings['model_weights']}" if name.endswith(".onnx") else name


def _detector(name: str, max_side: int, folder: str | Path | None, offline: bool
              ) -> tuple[Callable[[], Any], dict[str, str]]:
    if name == "yunet":
        weights = weights_path(YUNET, folder, offline=offline)

        def yunet() -> Any:
            from .yunet import YuNet

            return YuNet(weights, max_side)

        return yunet, {"detector": name, "detector_weights": YUNET.sha256[:32]}

    from .dlib_face import DlibDetector, dlib_and_weights

    dlib_and_weights()
    return lambda: DlibDetector(name), {"detector": name, "detector_weights": ""}


def _embedder(name: str, normalisation: str | None, folder: str | Path | None, offline: bool) -> Callable[[], Any]:
    if name == "sface":
        weights = weights_path(SFACE, folder, offline=offline)

        def sface() -> Any:
            from .sface import SFace

            return SFace(weights)

        return sface
    if name == "dlib":
        from .dlib_face import DlibFace, dlib_and_weights

        dlib_and_weights()
        return DlibFace
    from .onnx_face import Normalisation, OnnxFace

    expected = Normalisation.parse(normalisation or "")
    OnnxFace(Path(name), expected)
    return lambda: OnnxFace(Path(name), expected)
