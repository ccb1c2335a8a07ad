"""Embedders of whole images: one table, and the one preparation of pictures that are stored or asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FacesError
from . import clip
from .pictures import Pixels, read_picture
from .weights import forbidden

# The longest side, in pixels, of a picture that is embedded: the largest that Panoptic stores of any image, so
# that it does not matter whether the original is at hand. Every embedder reduces it further.
MAX_SIDE = 1024
VISUAL, CLIP = "visual", "clip"
# The parameter of a type of vectors that holds the SHA-256 of the weights which gave them.
WEIGHTS = "weights"

Parameters = dict[str, Any]


class ImageEmbedder(Protocol):
    def embed(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]: ...


def _visual_parameters(architecture: str, pretrained: str, device: str) -> Parameters:
    from .visual import NAME

    return {"model": NAME}


def _clip_parameters(architecture: str, pretrained: str, device: str) -> Parameters:
    where = {} if device == "auto" else {"device": device}
    return {"model": clip.identify(architecture, pretrained), "architecture": architecture,
            "pretrained": pretrained, **where}


# What a type of vectors records, by the name of the model; ``model`` names vectors that can be compared.
IMAGE_MODELS: dict[str, Callable[[str, str, str], Parameters]] = {VISUAL: _visual_parameters, CLIP: _clip_parameters}


def is_clip(parameters: Mapping[str, Any]) -> bool:
    """Whether vectors of these parameters can be compared with texts."""
    return str(parameters.get("model")).startswith("clip/") and "architecture" in parameters


def is_visual(parameters: Mapping[str, Any]) -> bool:
    """Whether vectors of these parameters can be mirrored and turned."""
    from .visual import NAME

    return parameters.get("model") == NAME


def image_embedder(parameters: Mapping[str, Any], *, offline: bool = False) -> ImageEmbedder:
    """The embedder that these parameters of a type of vectors stand for; the last CLIP stays loaded.

    Raises FacesError ``vectors_of_others`` for parameters that are not of this table, ``weights_changed`` where
    the weights are not those that the type was made with, and those of :class:`clip.Clip`. offline: never
    use the network; also so where ``PANOPTIC_FACES_OFFLINE`` says so.
    """
    if is_visual(parameters):
        from .visual import VisualEmbedder

        return VisualEmbedder()
    if not is_clip(parameters):
        raise FacesError("vectors_of_others")
    return clip_of(parameters, offline=offline)


def clip_of(parameters: Mapping[str, Any], *, offline: bool = False) -> clip.Clip:
    """The CLIP model of a type of vectors; raises as :func:`image_embedder`."""
    pretrained = str(parameters["pretrained"])
    file = Path(os.path.expanduser(pretrained))
    # A file that was replaced is read, and checked, again.
    stamp = (file.stat().st_mtime_ns, file.stat().st_size) if file.is_file() else (0, 0)
    loaded = _clip(str(parameters["architecture"]), pretrained, str(parameters.get("device", "auto")), stamp,
                   forbidden(offline))
    # A file is in the name of its vectors; what a tag stood for is noted with the first vectors, see ``as_loaded``.
    if loaded.name != parameters["model"] or parameters.get(WEIGHTS, loaded.weights) != loaded.weights:
        raise FacesError("weights_changed", file=file.name)
    return loaded


def as_loaded(parameters: Mapping[str, Any], embedder: ImageEmbedder) -> Parameters:
    """The parameters of a type of vectors with the checksum of the weights that its embedder has loaded, if any."""
    return {**parameters, WEIGHTS: embedder.weights} if isinstance(embedder, clip.Clip) else dict(parameters)


@lru_cache(maxsize=1)
def _clip(architecture: str, pretrained: str, device: str, stamp: tuple[int, int], offline: bool) -> clip.Clip:
    return clip.Clip(architecture, pretrained, device=device, offline=offline)


def prepared(source: Path | bytes) -> Pixels:
    """Read a picture for an embedder, at most ``MAX_SIDE`` wide and high; raises as ``read_picture``."""
    import cv2

    picture = read_picture(source)
    scale = MAX_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
