"""Pictures of where faces lie: a map on which similar ones are near, and the matrix of their distances."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.neighbors import unit_vectors

# The distance matrix is drawn with at most so many rows; each stands for neighbouring faces, by their mean.
MATRIX_SIDE = 1200
NAMED_PEOPLE = 60


def colours(count: int) -> list[str]:
    """Colours that differ as much as they can between neighbours in the list."""
    import colorsys

    found = []
    for number in range(count):
        red, green, blue = colorsys.hls_to_rgb(number * 0.61803398875 % 1, 0.42 + 0.16 * (number % 3 == 1), 0.65)
        found.append(f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}")
    return found


def map_png(points: NDArray[np.float32], people: Sequence[int], names: Sequence[str], title: str) -> bytes:
    """A PNG of the map; people: (n,) index into names, −1 = nobody, drawn grey. The largest people are named."""
    found = np.asarray(people)
    figure, axes = _figure(10)
    palette = np.array([*colours(len(names)), "#bbbbbb"])
    axes.scatter(points[:, 0], points[:, 1], s=14, c=palette[found], linewidths=0)
    sizes = np.bincount(found[found >= 0], minlength=len(names))
    for person in np.argsort(-sizes, kind="stable")[:NAMED_PEOPLE]:
        if sizes[person] > 1:
            x, y = np.median(points[found == person], axis=0)
            axes.text(x, y, _plain(names[person]), fontsize=7, ha="center", va="bottom")
    axes.set_title(_plain(title))
    axes.set_axis_off()
    axes.set_aspect("equal")
    return _png(figure)


def distances_png(vectors: NDArray[np.float32], people: Sequence[int], title: str) -> bytes:
    """A PNG of the matrix of cosine distances, faces side by side as given, with a line between people.

    More than ``MATRIX_SIDE`` faces are taken together in equal runs: the mean of the distances between two runs is
    the distance of their mean vectors.
    """
    unit = unit_vectors(vectors)
    runs = np.array_split(np.arange(len(unit)), min(MATRIX_SIDE, max(1, len(unit))))
    means = np.stack([unit[run].mean(axis=0) for run in runs]) if len(unit) else np.zeros((1, 1), dtype=np.float32)
    figure, axes = _figure(9)
    image = axes.imshow(1 - means @ means.T, vmin=0, vmax=1.2, cmap="viridis", interpolation="nearest")
    found = np.asarray(people)
    borders = np.flatnonzero(np.diff(found)) + 1
    if 0 < len(borders) <= 100:
        for border in borders * (len(means) / max(1, len(unit))) - 0.5:
            axes.axhline(border, color="white", linewidth=0.4)
            axes.axvline(border, color="white", linewidth=0.4)
    axes.set_title(_plain(title))
    axes.set_xticks([])
    axes.set_yticks([])
    figure.colorbar(image, ax=axes, shrink=0.8)
    return _png(figure)


def _figure(side: float) -> tuple[Any, Any]:
    """A figure that no window knows of; matplotlib's global state is not touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(side, side), dpi=110)
    FigureCanvasAgg(figure)
    return figure, figure.add_axes((0.04, 0.03, 0.92, 0.92))


def _png(figure: Any) -> bytes:
    import warnings

    file = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(file, format="png")
    return file.getvalue()


def _plain(text: str) -> str:
    """A text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")[:80]
