"""The graph of nearest neighbours of an archive: an inverted file whose cells lie in shards.

The cells are trained on a sample, as on one machine, and cut into shards of near cells. A face is compared, by exact
inner products, with all faces of the 16 cells nearest to it; each shard answers for its own cells, and the best of
all answers are kept. A worker holds the vectors of one shard and of one block of faces that ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.auto import NEIGHBOURS
from ..core.impostors import Background, offsets, tally
from ..core.neighbors import EXACT_UP_TO, PROBES, inverted, unit_vectors
from .dataset import Dataset, vectors_of
from .store import Store

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]

# Strongest neighbours of a face by which the graph is cut into partitions.
BACKBONE = 5
QUALITIES = ["face", "width", "height", "confidence", "sharpness"]


@dataclass(frozen=True)
class Block:
    """Some parts of an archive, whose faces follow one another in the numbering: number, parts, a share of a sample."""

    number: int
    parts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Taken:
    """Faces of a block: (n,) int32 the photo of each, counted within the block; (s, d) a sample, and its rows."""

    photo: NDArray[np.int32]
    sample: Vectors
    sample_rows: Ints


def judge(block: Block, dataset: str) -> NDArray[np.float32]:
    """The size, confidence and sharpness of the faces of a block, see ``poor_faces``: (3, n)."""
    found = [np.zeros((3, 0), dtype=np.float32)]
    for part in block.parts:
        rows = Dataset(dataset).read(part, QUALITIES)
        rows = rows.filter(pc.greater(rows["face"], 0))
        found.append(np.stack([np.minimum(rows["width"].to_numpy(), rows["height"].to_numpy()),
                               rows["confidence"].to_numpy(), rows["sharpness"].to_numpy()]).astype(np.float32))
    return np.concatenate(found, axis=1)


def take(given: tuple[Block, NDArray[np.bool_]], dataset: str, store: str, most: int) -> Taken:
    """Write the unit vectors of a block; a sample of at most ``most`` of those that are not poor comes back."""
    block, poor = given
    photos, units, first = [], [], 0
    for part in block.parts:
        rows = Dataset(dataset).read(part, ["face", "vector"])
        face = rows["face"].to_numpy()
        # The first row of each photo has face 0 or 1.
        photo = np.cumsum(face <= 1) - 1 + first
        first = int(photo[-1]) + 1 if len(photo) else first
        photos.append(photo[face > 0])
        rows = rows.filter(pc.greater(rows["face"], 0))
        if len(rows):
            units.append(unit_vectors(vectors_of(rows)))
    unit = np.concatenate(units) if units else np.zeros((0, 1), dtype=np.float32)
    Store(store).put(f"unit-{block.number}", unit)
    good = np.flatnonzero(~poor)
    chosen = good[np.linspace(0, len(good) - 1, min(len(good), most)).astype(np.int64)]
    photo_of = np.concatenate([np.zeros(0, dtype=np.int64), *photos]).astype(np.int32)
    return Taken(photo_of, unit[chosen], chosen)


@dataclass(frozen=True, eq=False)
class Ground:
    """What every block is compared with: references, and (r,) which row of the block each is, −1 = of another."""

    block: int
    place: Ints
    photo: NDArray[np.int32]
    poor: NDArray[np.bool_]


def assign(ground: Ground, store: str) -> tuple[Ints, Floats, Floats]:
    """Write the cells nearest to each face; gives the number of good faces by nearest cell, and ``tally``."""
    files = Store(store)
    unit, references, centroids = files.get(f"unit-{ground.block}"), files.get("references"), files.get("centroids")
    cells = nearest_cells(unit, centroids)
    files.put(f"cells-{ground.block}", cells)
    good = np.flatnonzero(~ground.poor)
    row = np.full(len(unit) + 1, -1, dtype=np.int64)
    row[good] = np.arange(len(good))
    counts, certain = tally(unit[good], ground.photo[good].astype(np.int64), references, row[ground.place])
    return np.bincount(cells[good, 0], minlength=len(centroids)), counts, certain


def nearest_cells(unit: Vectors, centroids: Vectors) -> NDArray[np.int32]:
    """(n, probes) the cells nearest to each face, the nearest first."""
    import faiss

    quantizer: Any = faiss.IndexFlatIP(centroids.shape[1])
    quantizer.add(np.ascontiguousarray(centroids))
    found = np.empty((len(unit), min(PROBES, len(centroids))), dtype=np.int32)
    for start in range(0, len(unit), 16_384):
        found[start : start + 16_384] = quantizer.search(np.ascontiguousarray(unit[start : start + 16_384]),
                                                         found.shape[1])[1]
    return found


def train_cells(sample: Vectors, n: int, seed: int) -> Vectors:
    """(cells, d) centroids; one cell, in which the search is exact, where one machine would not need any."""
    if n <= EXACT_UP_TO:
        return np.asarray(sample[:1])
    index = inverted(sample, n, seed)
    return np.array(index.quantizer.reconstruct_n(0, index.nlist))


def cut_into_shards(centroids: Vectors, counts: Ints, most: int) -> Ints:
    """(cells,) the shard of each cell: near cells together, at most ``most`` faces each unless one cell has more."""
    shard = np.zeros(len(counts), dtype=np.int64)
    waiting, number = [np.arange(len(counts))], 0
    while waiting:
        cells = waiting.pop()
        if counts[cells].sum() <= most or len(cells) == 1:
            shard[cells] = number
            number += 1
            continue
        middle = centroids[cells] - centroids[cells].mean(axis=0)
        along = middle @ np.linalg.svd(middle, full_matrices=False)[2][0]
        order = cells[np.argsort(along, kind="stable")]
        half = int(np.searchsorted(np.cumsum(counts[order]), counts[order].sum() / 2))
        half = min(max(half, 1), len(order) - 1)
        waiting += [order[half:], order[:half]]
    return shard


def scatter(ground: Ground, store: str, background: Background, first: int) -> Floats:
    """Write who of a block lives in, and who asks, each shard; gives (n,) offsets. first: number of its first face."""
    files = Store(store)
    unit, cells, shard = (files.get(name) for name in (f"unit-{ground.block}", f"cells-{ground.block}", "shard"))
    good = np.flatnonzero(~ground.poor)
    home, asked = shard[cells[:, 0]], shard[cells]
    for number in range(int(shard.max()) + 1):
        rows = good[home[good] == number]
        files.put(f"home-{number}-{ground.block}", rows + first)
        files.put(f"vector-{number}-{ground.block}", unit[rows])
        asking = good[(asked[good] == number).any(axis=1)]
        files.put(f"asking-{number}-{ground.block}", asking)
    return offsets(unit, files.get("references"), ground.place, background)


def search(shard: int, store: str, starts: Sequence[int]) -> int:
    """Write the neighbours that a shard has for the faces of each block; starts: number of each block's first face."""
    files = Store(store)
    of_cell = files.get("shard")
    mine = np.flatnonzero(of_cell == shard)
    local = np.full(len(of_cell), -1, dtype=np.int64)
    local[mine] = np.arange(len(mine))
    ids = np.concatenate([files.get(f"home-{shard}-{block}") for block in range(len(starts))])
    vectors = np.concatenate([files.get(f"vector-{shard}-{block}") for block in range(len(starts))
                              if len(files.get(f"home-{shard}-{block}"))] or [np.zeros((0, 1), dtype=np.float32)])
    nearest = np.concatenate([np.asarray(files.get(f"cells-{block}")[:, 0])[
        files.get(f"home-{shard}-{block}") - start] for block, start in enumerate(starts)])
    if not len(ids):
        for block in range(len(starts)):
            nobody = np.full((len(files.get(f"asking-{shard}-{block}")), 1), -1, dtype=np.int64)
            files.put(f"near-{shard}-{block}", nobody)
            files.put(f"like-{shard}-{block}", nobody.astype(np.float32))
        return 0
    order = np.argsort(local[nearest], kind="stable")
    ids, vectors = ids[order], np.ascontiguousarray(vectors[order])
    bounds = np.searchsorted(local[nearest][order], np.arange(len(mine) + 1))
    for block in range(len(starts)):
        asking = files.get(f"asking-{shard}-{block}")
        unit = np.ascontiguousarray(files.get(f"unit-{block}")[asking])
        cells = local[files.get(f"cells-{block}")[asking]]
        found = _in_cells(unit, cells, vectors, bounds)
        files.put(f"near-{shard}-{block}", np.where(found[1] >= 0, ids[found[1]], -1))
        files.put(f"like-{shard}-{block}", found[0])
    return len(ids)


def _in_cells(unit: Vectors, cells: Ints, vectors: Vectors, bounds: Ints) -> tuple[Vectors, Ints]:
    """(q, k + 1) similarities and rows of the nearest vectors in the cells that each asks, −1 = fewer."""
    import faiss
    from faiss.contrib.ivf_tools import add_preassigned

    k, d = NEIGHBOURS + 1, vectors.shape[1]
    index: Any = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, len(bounds) - 1, faiss.METRIC_INNER_PRODUCT)
    index.quantizer.add(np.zeros((len(bounds) - 1, d), dtype=np.float32))
    index.is_trained = True
    cell_of = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    add_preassigned(index, vectors, cell_of)
    index.nprobe = cells.shape[1]
    if not len(unit):
        return np.zeros((0, k), dtype=np.float32), np.zeros((0, k), dtype=np.int64)
    similar, found = index.search_preassigned(unit, k, np.ascontiguousarray(cells), np.zeros(cells.shape, np.float32))
    return similar, found


def merge(block: int, store: str, shards: int, first: int) -> tuple[Ints, Ints, Vectors]:
    """Write the nearest neighbours of a block's faces among all shards' answers; gives the strongest of them.

    Edges: (e,) face, (e,) neighbour, and of those that come back (e,) similarities.
    """
    files = Store(store)
    asked, near, like = [], [], []
    for shard in range(shards):
        asking = files.get(f"asking-{shard}-{block}")
        if len(asking):
            found = files.get(f"near-{shard}-{block}")
            asked.append(np.repeat(asking + first, found.shape[1]))
            near.append(found.ravel())
            like.append(files.get(f"like-{shard}-{block}").ravel())
    if not asked:
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0, dtype=np.float32)
    a, b, similar = np.concatenate(asked), np.concatenate(near), np.concatenate(like)
    kept = (b >= 0) & (a != b)
    a, b, similar = a[kept], b[kept], similar[kept]
    order = np.lexsort((b, -similar, a))
    a, b, similar = a[order], b[order], similar[order]
    rank = np.arange(len(a)) - np.searchsorted(a, a, side="left")
    kept = rank < NEIGHBOURS
    files.put(f"edges-{block}", np.stack([a[kept], b[kept]]))
    strongest = rank < BACKBONE
    return a[strongest], b[strongest], similar[strongest]
