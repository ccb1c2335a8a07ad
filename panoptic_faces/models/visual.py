"""A vector of what a picture looks like, computed at once: no weights, no download.

Three classical parts: the low frequencies of the luminance (a cosine transform, as in perceptual hashes), the
directions of its gradients in 16 cells (after Dalal & Triggs 2005), and the mean colour of 16 cells. It sees
layout, light and colour, not meaning: good for near-duplicates and for coarse cuts by appearance.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .pictures import Pixels

Floats = NDArray[np.float32]

SIDE = 64
FREQUENCIES = 8
CELLS = 4
DIRECTIONS = 8
# Shares of the similarity. Little colour, so that a grey copy of a picture stays a near-duplicate.
SHARES = (0.50, 0.45, 0.05)
LENGTHS = (FREQUENCIES**2 - 1, CELLS * CELLS * DIRECTIONS, CELLS * CELLS * 2)
DIMENSION = sum(LENGTHS)
NAME = "visual-1"


class VisualEmbedder:
    """The same computation for stored and query pictures; may be shared by threads."""

    name = NAME
    dimension = DIMENSION

    def embed(self, pictures: Sequence[Pixels]) -> Floats:
        """RGB uint8 pictures of any size, (height, width, 3) → (n, 223) float32 vectors of length 1."""
        vectors = np.zeros((len(pictures), DIMENSION), dtype=np.float32)
        for row, picture in enumerate(pictures):
            vectors[row] = _describe(picture)
        return vectors


def poses(vectors: Floats) -> Floats:
    """Vectors of the same pictures turned by quarter turns and mirrored, without reading a picture again.

    vectors: (n, 223) of :class:`VisualEmbedder`. Returns (8, n, 223); the first are those given. A turn
    permutes cells, directions and frequencies and changes signs, so these are the vectors that the turned
    pictures have, but for rounding.
    """
    upright = vectors.reshape(len(vectors), -1)
    flipped = _mirrored(upright)
    turned = _transposed(upright)
    both = _mirrored(turned)
    half = [upright, flipped, turned, both]
    return np.stack([*half, *(_transposed(_mirrored(_transposed(vectors))) for vectors in half)])


def _describe(picture: Pixels) -> Floats:
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    # The grey that cameras and programs make of colours, so that grey copies have the same light.
    light = _floats(100 * cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    colour = _floats(cv2.cvtColor(small, cv2.COLOR_RGB2Lab)[..., 1:])
    parts = (_frequencies(light), _gradients(light), _cells(colour))
    # The small constants make flat parts weigh nothing instead of blowing up their noise.
    whole = np.concatenate([np.sqrt(share) * part.ravel() / np.sqrt(np.square(part).sum() + least)
                            for share, part, least in zip(SHARES, parts, (1.0, 1.0, 200.0), strict=True)])
    length = float(np.linalg.norm(whole))
    if length < 1e-3:
        # A blank picture: all blank pictures are alike and unlike any other.
        whole = np.full(DIMENSION, 1.0)
        length = float(np.sqrt(DIMENSION))
    return (whole / length).astype(np.float32)


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float32)


def _frequencies(light: Floats) -> Floats:
    spectrum = cv2.dct(cv2.resize(light, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA))
    low = spectrum[:FREQUENCIES, :FREQUENCIES]
    # Natural pictures lose power with frequency; half of that is given back.
    found: Floats = (low * np.sqrt(np.hypot(*np.mgrid[:FREQUENCIES, :FREQUENCIES]))).ravel()[1:]
    return found


def _gradients(light: Floats) -> Floats:
    smooth = cv2.GaussianBlur(light, (0, 0), 1.5)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = np.sqrt(np.hypot(across, down))
    turn = np.mod(np.arctan2(down, across) / (2 * np.pi) * DIRECTIONS, DIRECTIONS)
    lower = np.floor(turn).astype(np.int64) % DIRECTIONS
    share = turn - np.floor(turn)
    row, column = np.mgrid[:SIDE, :SIDE]
    strengths = np.zeros((SIDE, SIDE, DIRECTIONS), dtype=np.float32)
    strengths[row, column, lower] += strength * (1 - share)
    strengths[row, column, (lower + 1) % DIRECTIONS] += strength * share
    cells = _cells(_floats(cv2.GaussianBlur(strengths, (0, 0), SIDE / CELLS / 4)))
    centred: Floats = cells - cells.mean(axis=2, keepdims=True)
    return centred


def _cells(values: Floats) -> Floats:
    step = SIDE // CELLS
    means: Floats = values.reshape(CELLS, step, CELLS, step, -1).mean(axis=(1, 3))
    return means


def _split(vectors: Floats) -> tuple[Floats, Floats, Floats]:
    first, second = LENGTHS[0], LENGTHS[0] + LENGTHS[1]
    waves = np.concatenate([np.zeros((len(vectors), 1), dtype=np.float32), vectors[:, :first]], axis=1)
    return (waves.reshape(-1, FREQUENCIES, FREQUENCIES),
            vectors[:, first:second].reshape(-1, CELLS, CELLS, DIRECTIONS),
            vectors[:, second:].reshape(-1, CELLS, CELLS, 2))


def _joined(waves: Floats, edges: Floats, colours: Floats) -> Floats:
    n = len(waves)
    return np.concatenate([waves.reshape(n, -1)[:, 1:], edges.reshape(n, -1), colours.reshape(n, -1)], axis=1)


def _mirrored(vectors: Floats) -> Floats:
    """Left and right exchanged: odd horizontal waves change sign, a direction a becomes π − a."""
    waves, edges, colours = _split(vectors)
    signs = (-1.0) ** np.arange(FREQUENCIES, dtype=np.float32)
    opposite = (DIRECTIONS // 2 - np.arange(DIRECTIONS)) % DIRECTIONS
    return _joined(waves * signs, edges[:, :, ::-1][..., opposite], colours[:, :, ::-1])


def _transposed(vectors: Floats) -> Floats:
    """Rows and columns exchanged: a direction a becomes π/2 − a."""
    waves, edges, colours = _split(vectors)
    swapped = (DIRECTIONS // 4 - np.arange(DIRECTIONS)) % DIRECTIONS
    return _joined(waves.transpose(0, 2, 1), edges.transpose(0, 2, 1, 3)[..., swapped],
                   colours.transpose(0, 2, 1, 3))
