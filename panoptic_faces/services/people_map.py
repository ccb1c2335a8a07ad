"""Where faces lie: a map on which similar ones are near, and the matrix of their distances."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.neighbors import nearest, unit_vectors

NEIGHBOURS = 12
ROUNDS = 100
# The curve 1 / (1 + a·d^2b) of UMAP at its defaults (spread 1, min_dist 0.1).
CURVE_A, CURVE_B = 1.577, 0.895
# The distance matrix is drawn with at most so many rows; each stands for neighbouring faces, by their mean.
MATRIX_SIDE = 1200
NAMED_PEOPLE = 60


def layout(vectors: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """(n, d) vectors → (n, 2) positions within −1 … 1, by the objective of UMAP (McInnes et al. 2018).

    Begins with the two main axes; all edges of the graph of nearest neighbours attract at once, and five random
    others repel each point, in a fixed number of rounds. The same vectors give the same map in any order.
    """
    unit = unit_vectors(vectors)
    n = len(unit)
    if n < 3:
        return np.array([[0.0, 0.0], [1.0, 0.0]], dtype=np.float32)[:n]
    order = np.lexsort(unit.T[::-1])
    points = np.empty((n, 2), dtype=np.float32)
    points[order] = _settle(unit[order], np.random.default_rng(seed))
    return points


def _settle(unit: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    n = len(unit)
    centred = unit - unit.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    points = centred.astype(np.float64) @ axes[:, -2:][:, ::-1] if unit.shape[1] > 1 else np.hstack([centred] * 2)
    points = 10 * points / (np.abs(points).max() or 1) + random.normal(0, 1e-3, (n, 2))
    left, right, weight = _edges(unit)
    for step in np.linspace(1.0, 0.02, ROUNDS):
        away = points[left] - points[right]
        square = (away**2).sum(axis=1)
        pull = 2 * CURVE_A * CURVE_B * np.maximum(square, 1e-9) ** (CURVE_B - 1) / (1 + CURVE_A * square**CURVE_B)
        force = np.clip(-pull[:, None] * away, -4, 4) * weight[:, None]
        move = _added(force, left, n) - _added(force, right, n)
        for _ in range(5):
            away = points - points[random.integers(0, n, n)]
            square = (away**2).sum(axis=1)
            push = 2 * CURVE_B / ((0.001 + square) * (1 + CURVE_A * square**CURVE_B))
            move += np.clip(push[:, None] * away, -4, 4)
        points = points + step * move / NEIGHBOURS * 2
    points -= (points.max(axis=0) + points.min(axis=0)) / 2
    return np.asarray(points / (np.abs(points).max() or 1), dtype=np.float32)


def _edges(unit: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of near neighbours, each face's nearest with weight 1 and the others with less."""
    a, b, similarity = nearest(unit, NEIGHBOURS)
    left, right, likeness = np.append(a, b), np.append(b, a), np.append(similarity, similarity).astype(np.float64)
    order = np.lexsort((right, -likeness, left))
    left, right, likeness = left[order], right[order], likeness[order]
    # A pair is there where one of the two is among the nearest of the other: those of each face are its first.
    counts = np.bincount(left, minlength=len(unit))
    own = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts) < NEIGHBOURS
    left, right, likeness = left[own], right[own], likeness[own]
    counts = np.maximum(np.bincount(left, minlength=len(unit)), 1)
    best = np.full(len(unit), -2.0)
    np.maximum.at(best, left, likeness)
    gap = best[left] - likeness
    return left, right, np.exp(-gap / ((np.bincount(left, gap, len(unit)) / counts)[left] + 1e-9))


def _added(force: NDArray[np.float64], to: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    return np.stack([np.bincount(to, weights=force[:, axis], minlength=n) for axis in (0, 1)], axis=1)


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
