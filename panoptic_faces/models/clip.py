"""CLIP through open_clip: vectors of pictures and of texts that can be compared."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.errors import FacesError
from .pictures import Pixels
from .weights import checksum

Floats = NDArray[np.float32]

MODEL = "ViT-B-32"
PRETRAINED = "laion2b_s34b_b79k"
DEVICES = ("auto", "cpu", "cuda", "mps")
BATCH = 32


class Clip:
    """One model, loaded at once; threads may share it.

    model: a name that open_clip knows, or a file of its configuration (.json). pretrained: a tag that
    open_clip knows for the model, fetched by it at the first use, or a file of weights, read without running
    any code in it. device: ``auto`` takes CUDA, then MPS, then the processor. batch_size: pictures or texts
    at a time. offline: of a tag, only what was fetched before is used.

    ``name`` says which vectors can be compared: the model, and the tag or the checksum of the weights; ``weights`` is
    the SHA-256 of the file of weights that was loaded, whether it was named or fetched.
    Pictures of the project and of a query go through the same preparation, that of the model.

    Raises FacesError: ``clip_missing``, ``torchvision_broken``, ``clip_model``, ``clip_pretrained``,
    ``clip_weights``, ``clip_fetch``, ``clip_offline``, ``device``, ``batch_size``.
    """

    def __init__(self, model: str = MODEL, pretrained: str = PRETRAINED, *, device: str = "auto",
                 batch_size: int = BATCH, offline: bool = False) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise FacesError("batch_size", got=repr(batch_size))
        self._batch = batch_size
        library = _open_clip()
        self._device = _device(device)
        self.name = identify(model, pretrained)
        known = _model_name(library, model)
        weights = Path(os.path.expanduser(pretrained))
        local = weights.is_file()
        try:
            with _network(library, known, "" if local else pretrained, allowed=not offline):
                file = weights if local else Path(library.download_pretrained(
                    library.get_pretrained_cfg(known, pretrained)))
                self.weights = checksum(file)
                self._model, _, self._prepare = library.create_model_and_transforms(
                    known, pretrained=str(weights) if local else pretrained, device=self._device)
                self._tokens = library.get_tokenizer(known)
        # torch and the hub's client answer a bad file or a dead line with almost any exception.
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:200]
            if local:
                raise FacesError("clip_weights", file=weights.name, model=known, reason=reason) from error
            raise FacesError("clip_offline" if offline else "clip_fetch", model=known, pretrained=pretrained,
                             reason=reason) from error
        self._model.eval()
        self._lock = threading.Lock()
        self._known_texts: dict[str, Floats] = {}
        self.dimension = int(self.embed_texts([""]).shape[1])

    def embed(self, pictures: Sequence[Pixels]) -> Floats:
        """RGB uint8 pictures of any size, (height, width, 3) → (n, dimension) float32 of length 1."""
        import torch

        vectors = np.zeros((len(pictures), self.dimension), dtype=np.float32)
        for start in range(0, len(pictures), self._batch):
            part = [self._prepare(Image.fromarray(picture)) for picture in pictures[start : start + self._batch]]
            vectors[start : start + len(part)] = self._encode("encode_image", torch.stack(part))
        return vectors

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """(n, dimension) float32 of length 1; each text is computed once, whatever it stands beside."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known_texts]
        for start in range(0, len(fresh), self._batch):
            part = fresh[start : start + self._batch]
            found = self._encode("encode_text", self._tokens(part))
            self._known_texts.update(zip(part, found, strict=True))
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([self._known_texts[text] for text in texts])

    def _encode(self, way: str, batch: Any) -> Floats:
        import torch

        with self._lock, torch.inference_mode():
            found = getattr(self._model, way)(batch.to(self._device)).float().cpu().numpy()
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12), np.float32)


def identify(model: str, pretrained: str) -> str:
    """The name of the vectors of a model with some weights, without loading them; see :class:`Clip`.

    Raises FacesError: ``clip_missing``, ``torchvision_broken``, ``clip_model``, ``clip_pretrained``.
    """
    library = _open_clip()
    known = _model_name(library, model)
    weights = Path(os.path.expanduser(pretrained))
    if weights.is_file():
        return f"clip/{known}/{checksum(weights)[:16]}"
    _check_tag(library, known, pretrained)
    return f"clip/{known}/{pretrained}"


def _open_clip() -> ModuleType:
    try:
        import open_clip
    # A torchvision built for another torch fails with RuntimeError, a missing library with OSError.
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        if "torchvision" in str(error):
            raise FacesError("torchvision_broken", reason=reason) from error
        raise FacesError("clip_missing", reason=reason) from error
    library: ModuleType = open_clip
    return library


@contextmanager
def _network(library: ModuleType, model: str, tag: str, *, allowed: bool) -> Iterator[None]:
    """Forbid the hub's client, through which open_clip fetches, to use the network; it then looks into its cache."""
    if allowed:
        yield
        return
    from huggingface_hub import constants

    if tag and not (library.get_pretrained_cfg(model, tag) or {}).get("hf_hub"):
        # open_clip fetches such a tag by itself.
        raise ConnectionError(tag)
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _device(wanted: str) -> str:
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present.get(wanted, False):
        allowed = ["auto", *(name for name, there in present.items() if there)]
        raise FacesError("device", allowed=", ".join(allowed), got=repr(wanted))
    return wanted


def _model_name(library: ModuleType, model: str) -> str:
    file = Path(os.path.expanduser(model))
    if file.suffix == ".json" and file.is_file():
        library.add_model_config(file)
        model = file.stem
    if model not in library.list_models():
        raise FacesError("clip_model", got=repr(model))
    return model


def _check_tag(library: ModuleType, model: str, pretrained: str) -> None:
    tags = library.list_pretrained_tags_by_model(model)
    if pretrained not in tags:
        raise FacesError("clip_pretrained", model=model, allowed=", ".join(tags) or "–", got=repr(pretrained))
