"""The detectors and embedders that the command line and the plugin offer, by name: one table of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import FacesError
from .registry import SFACE, YUNET
from .weights import weights_path

Folder = str | Path | None


@dataclass(frozen=True)
class Choice:
    """A row of :data:`DETECTORS` or :data:`MODELS`.

    weights: the first half of the SHA-256 of its weights, "" where a package brings them. prepare: given the folder of
    weights and whether it must stay offline, finds, fetches and checks them, and gives what makes one for a thread; a
    detector is made with the longest side, in pixels, at which pictures are looked at.
    """

    weights: str
    prepare: Callable[[Folder, bool], Callable[..., Any]]


@dataclass(frozen=True)
class ChosenModels:
    """settings: what makes vectors comparable, as plain texts. make: a detector and an embedder for a thread."""

    settings: dict[str, str]
    make: Callable[[], tuple[Any, Any]]


def choose_models(detector: str = "yunet", model: str = "sface", normalisation: str | None = None,
                  max_side: int = 2048, *, folder: Folder = None, offline: bool = False) -> ChosenModels:
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
    settings = {"detector": detector, "detector_weights": DETECTORS[detector].weights, **described}
    find = DETECTORS[detector].prepare(folder, offline)
    embed = (MODELS[model].prepare(folder, offline) if model in MODELS else _onnx(Path(model), normalisation))

    def make() -> tuple[Any, Any]:
        import cv2

        # OpenCV 5 warns at every load that it ignores a setting which it makes itself.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        return find(max_side), embed()

    return ChosenModels(settings, make)


def model_settings(model: str = "sface", normalisation: str | None = None) -> dict[str, str]:
    """What makes the vectors of a model comparable, as plain texts; nothing is fetched or loaded.

    Raises FacesError: ``model_unknown``, ``normalisation``.
    """
    if model in MODELS:
        return {"model": model, "model_weights": MODELS[model].weights, "normalisation": ""}
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


def _yunet(folder: Folder, offline: bool) -> Callable[..., Any]:
    weights = weights_path(YUNET, folder, offline=offline)

    def make(max_side: int) -> Any:
        from .yunet import YuNet

        return YuNet(weights, max_side)

    return make


def _dlib_detector(name: str) -> Callable[[Folder, bool], Callable[..., Any]]:
    def prepare(folder: Folder, offline: bool) -> Callable[..., Any]:
        from .dlib_face import DlibDetector, dlib_and_weights

        dlib_and_weights()
        return lambda max_side: DlibDetector(name)

    return prepare


def _sface(folder: Folder, offline: bool) -> Callable[[], Any]:
    weights = weights_path(SFACE, folder, offline=offline)

    def make() -> Any:
        from .sface import SFace

        return SFace(weights)

    return make


def _dlib(folder: Folder, offline: bool) -> Callable[[], Any]:
    from .dlib_face import DlibFace, dlib_and_weights

    dlib_and_weights()
    return DlibFace


def _onnx(file: Path, normalisation: str | None) -> Callable[[], Any]:
    from .onnx_face import Normalisation, OnnxFace

    expected = Normalisation.parse(normalisation or "")
    OnnxFace(file, expected)
    return lambda: OnnxFace(file, expected)


DETECTORS = {"yunet": Choice(YUNET.sha256[:32], _yunet),
             **{name: Choice("", _dlib_detector(name)) for name in ("dlib-hog", "dlib-cnn")}}
MODELS = {"sface": Choice(SFACE.sha256[:32], _sface), "dlib": Choice("", _dlib)}
