"""The detector and the embedder together, ready for any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .registry import SFACE, YUNET
from .weights import weights_path

if TYPE_CHECKING:
    from .sface import SFace
    from .yunet import YuNet


def face_models(folder: str | Path | None = None, *, max_side: int = 2048, offline: bool = False
                ) -> Callable[[], tuple[YuNet, SFace]]:
    """Fetch and check the weights now, and give a function that makes a detector and an embedder for a thread.

    folder, offline: see ``weights_path``, with its errors. max_side: see ``YuNet``.
    """
    detector, embedder = (weights_path(weights, folder or None, offline=offline) for weights in (YUNET, SFACE))

    def make() -> tuple[YuNet, SFace]:
        import cv2

        from .sface import SFace
        from .yunet import YuNet

        # OpenCV 5 warns at every load that it ignores a setting which it makes itself.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        return YuNet(detector, max_side), SFace(embedder)

    return make
