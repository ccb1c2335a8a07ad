"""Faces and clusters for Panoptic; ``panoptic_faces.core`` can be used on its own."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Panoptic asks for plugin_class; who only wants core or the command line need not import the host.
    if name == "plugin_class":
        from .host.plugin import PanopticFaces

        return PanopticFaces
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
