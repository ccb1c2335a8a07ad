"""An archive into people, by the rule of ``auto``, a shard at a time.

The graph of nearest neighbours is cut into partitions along its weakest edges, and the core's agglomeration joins
what belongs together in each. The groups and the edges that are left, those between partitions too, then go through
the whole of ``auto``, with a sum of vectors a group in place of the vectors: for that rule, a group is its sum.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from numpy.typing import NDArray

from ..core.auto import join_and_adopt, resemblance, rule
from ..core.constraints import Faces
from ..core.errors import FacesError
from ..core.impostors import Impostors, evenly, learn
from ..core.linkage import Clusters, agglomerate
from ..core.types import NOISE
from ..services.organise import poor_faces
from .dataset import Dataset
from .neighbours import Block, Ground, Taken, assign, cut_into_shards, judge, merge, scatter, search, take, train_cells
from .partition import cut
from .scheduler import through
from .store import Store

if TYPE_CHECKING:
    from distributed import Client

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Faces whose vectors a worker holds at a time, and those of a block that asks for neighbours.
SHARD, BLOCK = 150_000, 100_000
SAMPLE = 400_000
# Groups left over that a worker compares with all established ones at a time.
LEFT = 20_000
LABELS, PEOPLE = "faces", "people.parquet"


@dataclass(frozen=True)
class Grouped:
    """What a run found: faces, people (groups), those of several faces, faces of nobody."""

    faces: int
    people: int
    people_of_several: int
    unassigned: int


@dataclass(eq=False)
class _Corpus:
    """All faces as labels, nothing as long as a vector: starts (blocks + 1,), photo, poor, offset, shard (n,)."""

    blocks: list[Block]
    starts: Ints
    photo: Ints
    poor: NDArray[np.bool_]
    background: Impostors
    offset: Floats
    shard: Ints

    @property
    def n_good(self) -> float:
        return float((~self.poor).sum())


def cluster_archive(address: str, out: str, client: Client, *, seed: int = 0, shard: int = SHARD,
                    step: Callable[[str], None] = lambda name: None) -> Grouped:
    """Group the faces of the archive at ``address``; write ``out``/faces (as many files as the archive has parts)
    and ``out``/people.parquet.

    shard: how many faces a worker holds. step: is told what is done next. Raises FacesError: ``archive_*``,
    ``no_faces_found``, ``worker_killed``.
    """
    dataset = Dataset(address)
    dataset.settings()
    store = Store(out.rstrip("/") + "/_work")

    def run(work: Callable[..., Any], items: Iterable[Any], *shared: Any) -> list[Any]:
        listed = list(items)
        place = {id(item): number for number, item in enumerate(listed)}
        found = [None] * len(listed)
        for item, result in through(client, work, listed, *shared):
            found[place[id(item)]] = result
        return found

    try:
        step("read")
        corpus = _read(dataset, store, run, shard, seed, step)
        step("join")
        roots, edges, sums = _joined_in_partitions(corpus, store, run, shard)
        step("adopt")
        labels, totals = _people(corpus, roots, edges, sums, partial(_spread_out, store, run))
        step("write")
        grouped = _write(dataset, corpus, labels, totals, out, run)
    finally:
        store.erase()
    return grouped


def _read(dataset: Dataset, store: Store, run: Any, most: int, seed: int, step: Callable[[str], None]) -> _Corpus:
    blocks = _blocks(dataset, min(BLOCK, most))
    if not blocks:
        raise FacesError("no_faces_found")
    share = -(-SAMPLE // max(1, len(blocks)))
    qualities = run(judge, blocks, dataset.address)
    starts = np.concatenate([[0], np.cumsum([values.shape[1] for values in qualities])]).astype(np.int64)
    poor = poor_faces(*np.concatenate(qualities, axis=1))
    n = int((~poor).sum())
    if not n:
        raise FacesError("no_faces_found")
    poor_of = [poor[first:last] for first, last in itertools.pairwise(starts)]
    taken: list[Taken] = run(take, zip(blocks, poor_of, strict=True), dataset.address, store.address, share)
    photos = np.concatenate([[0], np.cumsum([int(block.photo.max(initial=-1)) + 1 for block in taken])])
    sample = np.concatenate([block.sample for block in taken if len(block.sample)])
    ids = np.concatenate([block.sample_rows + start for block, start in zip(taken, starts[:-1], strict=True)])
    chosen = evenly(len(ids))
    store.put("references", sample[chosen])
    store.put("centroids", train_cells(sample, n, seed))
    grounds = [Ground(number, np.where((ids[chosen] >= first) & (ids[chosen] < last), ids[chosen] - first, -1),
                      block.photo, flags)
               for number, (block, flags, first, last) in enumerate(zip(taken, poor_of, starts[:-1], starts[1:],
                                                                        strict=True))]
    step("compare")
    assigned = run(assign, grounds, store.address)
    counts, tallied, certain = (np.sum([row[place] for row in assigned], axis=0) for place in range(3))
    shards = cut_into_shards(store.get("centroids"), counts, most)
    store.put("shard", shards)
    background = learn(tallied, certain, n, sample.shape[1])
    offset = run(_scatter, [(ground, int(first)) for ground, first in zip(grounds, starts[:-1], strict=True)],
                 store.address, background)
    cells = np.concatenate([store.get(f"cells-{number}")[:, 0] for number in range(len(blocks))])
    photo = np.concatenate([block.photo + first for block, first in zip(taken, photos[:-1], strict=True)])
    impostors = Impostors(background.mean, background.spread, np.zeros(0))
    return _Corpus(blocks, starts, photo.astype(np.int64), poor, impostors, np.concatenate(offset), shards[cells])


def _scatter(given: tuple[Ground, int], store: str, background: Any) -> Floats:
    return scatter(given[0], store, background, given[1])


def _blocks(dataset: Dataset, most: int) -> list[Block]:
    blocks: list[Block] = []
    held: list[str] = []
    filled = 0
    for part in dataset.parts():
        with dataset.fs.open(f"{dataset.root}/{part}", "rb") as file:
            rows = pq.ParquetFile(file).metadata.num_rows
        if held and filled + rows > most:
            blocks.append(Block(len(blocks), tuple(held)))
            held, filled = [], 0
        held.append(part)
        filled += rows
    return [*blocks, Block(len(blocks), tuple(held))] if held else blocks


# ---- a partition at a time


def _joined_in_partitions(corpus: _Corpus, store: Store, run: Any, most: int) -> tuple[Ints, tuple[Ints, Ints], Floats]:
    """(n,) the lowest face of each face's group, the edges left over between groups, and the groups' sums.

    Groups are numbered 0 … m − 1 by their lowest face, poor faces among them as groups of one.
    """
    starts = corpus.starts[:-1].tolist()
    run(search, range(int(corpus.shard.max()) + 1), store.address, starts)
    strongest = run(_merge, enumerate(starts), store.address, int(corpus.shard.max()) + 1)
    a, b, similar = (np.concatenate([row[place] for row in strongest]) for place in range(3))
    strength = similar.astype(np.float64) - corpus.offset[a] - corpus.offset[b]
    # What chance makes as often as not between two faces of the corpus says nothing about where to cut.
    telling = corpus.background.log_tail(strength) < -np.log(corpus.n_good)
    partition = cut(len(corpus.photo), a[telling], b[telling], strength[telling], corpus.shard, most)
    store.put("partition", partition.astype(np.int32))
    store.put("offset", corpus.offset)
    store.put("photo", corpus.photo)
    store.put("poor", corpus.poor)
    number = int(partition.max()) + 1
    run(_split_edges, range(len(starts)), store.address, number)
    roots = np.arange(len(corpus.photo))
    for group, root in run(_join, range(number), store.address, corpus.starts.tolist(), corpus.background,
                           corpus.n_good):
        roots[group] = root
    heads, node = np.unique(roots, return_inverse=True)
    node = np.asarray(node.reshape(-1), dtype=np.int64)
    sums = np.concatenate([store.get(f"sums-{place}") for place in range(number)])
    order = np.concatenate([store.get(f"heads-{place}") for place in range(number)])
    ordered = np.empty_like(sums)
    ordered[np.searchsorted(heads, order)] = sums
    keys = np.zeros(0, dtype=np.int64)
    names = [f"cut-{block}" for block in range(len(starts))] + [f"left-{place}" for place in range(number)]
    for name in names:
        ends = node[store.get(name)]
        lower, upper = ends.min(axis=0), ends.max(axis=0)
        keys = np.union1d(keys, (lower * len(heads) + upper)[lower != upper])
    return node, (keys // len(heads), keys % len(heads)), ordered


def _merge(given: tuple[int, int], store: str, shards: int) -> Any:
    return merge(given[0], store, shards, given[1])


def _split_edges(block: int, store: str, partitions: int) -> None:
    """Write the edges of a block's faces by partition, and those that cross."""
    files = Store(store)
    partition = files.get("partition")
    a, b = files.get(f"edges-{block}")
    at, other = partition[a], partition[b]
    files.put(f"cut-{block}", np.stack([a, b])[:, at != other])
    order = np.argsort(at, kind="stable")
    order = order[(at == other)[order]]
    bounds = np.searchsorted(at[order], np.arange(partitions + 1))
    for number in range(partitions):
        rows = order[bounds[number] : bounds[number + 1]]
        files.put(f"edges-{number}-of-{block}", np.stack([a[rows], b[rows]]))


def _join(partition: int, store: str, starts: Sequence[int], background: Impostors, n: float) -> tuple[Ints, Ints]:
    """Let the core join the faces of a partition; gives them and the lowest face of the group of each."""
    files = Store(store)
    ids = np.flatnonzero(files.get("partition") == partition)
    bounds = np.searchsorted(ids, starts)
    unit = np.concatenate([files.get(f"unit-{block}")[ids[first:last] - starts[block]]
                           for block, (first, last) in enumerate(zip(bounds[:-1], bounds[1:], strict=True))
                           if last > first])
    edges = np.concatenate([files.get(f"edges-{partition}-of-{block}") for block in range(len(starts) - 1)], axis=1)
    faces = _as_faces(np.arange(len(ids)), files.get("photo")[ids], files.get("poor")[ids], len(ids))
    clusters = Clusters(faces, files.get("offset")[ids], unit.astype(np.float64))
    a, b = agglomerate(clusters, np.searchsorted(ids, edges[0]), np.searchsorted(ids, edges[1]), rule(background, n))
    alive = np.flatnonzero(clusters.size > 0)
    # A cluster is known by one of its faces, which need not be the lowest.
    lowest = np.full(len(ids), len(ids))
    np.minimum.at(lowest, clusters.root, np.arange(len(ids)))
    files.put(f"left-{partition}", np.stack([ids[a], ids[b]]))
    files.put(f"heads-{partition}", ids[lowest[alive]])
    files.put(f"sums-{partition}", clusters.sums[alive])
    return ids, ids[lowest[clusters.root]]


def _as_faces(node: Ints, photo: Ints, poor: NDArray[np.bool_], nodes: int) -> Faces:
    """Faces whose atoms are nodes, of which only sums of vectors are known."""
    shared = np.unique(photo, return_inverse=True)[1].reshape(-1).astype(np.int64)
    nobody = np.full(nodes, NOISE, dtype=np.int64)
    return Faces(np.zeros((0, 1), dtype=np.float32), node, shared, poor, nobody, {}, np.zeros(nodes, dtype=bool))


# ---- the groups together


def _people(corpus: _Corpus, node: Ints, edges: tuple[Ints, Ints], sums: Floats, resembles: Any
            ) -> tuple[Ints, Floats]:
    """(n,) label of each face, best group first, and what each label's vectors add up to in length."""
    faces = _as_faces(node, corpus.photo, corpus.poor, len(sums))
    clusters = Clusters(faces, corpus.offset, sums)
    good = ~faces.atom_poor()
    join_and_adopt(clusters, corpus.background, corpus.n_good, good, *edges, resembles=resembles)
    root = clusters.root
    alone = np.bincount(root, weights=good, minlength=len(root))[root] == 0
    heads = np.flatnonzero((clusters.size > 0) & ~alone)
    length = np.linalg.norm(clusters.sums[heads], axis=1)
    size = clusters.size[heads]
    order = np.lexsort((heads, -size, np.where(size == 1, 0.0, 1 - length / size), size == 1))
    rank = np.full(len(root), NOISE, dtype=np.int64)
    rank[heads[order]] = np.arange(len(heads))
    return rank[root][node], length[order]


def _spread_out(store: Store, run: Any, clusters: Clusters, impostors: Impostors, left: Ints, adults: Ints
                ) -> tuple[Ints, Floats]:
    """``resemblance``, some groups left over a task."""
    shares = [left[start : start + LEFT] for start in range(0, len(left), LEFT)]
    photos = clusters.photos()
    photos = photos[:, np.flatnonzero(np.diff(photos.tocsc().indptr) > 1)]
    store.put("adults", np.column_stack([clusters.sums[adults], *_numbers(clusters, adults)]))
    mine = []
    for number, share in enumerate(shares):
        store.put(f"group-{number}", np.column_stack([clusters.sums[share], *_numbers(clusters, share)]))
        mine.append((number, photos[share]))
    found: list[tuple[Ints, Floats]] = run(_resemble, mine, store.address, impostors, photos[adults])
    return np.concatenate([row[0] for row in found]), np.concatenate([row[1] for row in found])


def _numbers(clusters: Clusters, rows: Ints) -> list[Floats]:
    return [np.asarray(values[rows], dtype=np.float64) for values in (clusters.offset, clusters.size, clusters.within)]


def _resemble(given: tuple[int, Any], store: str, impostors: Impostors, photos: Any) -> tuple[Ints, Floats]:
    files = Store(store)
    left, adults = files.get(f"group-{given[0]}"), files.get("adults")
    both, on = np.concatenate([left, adults]), sp.vstack([given[1], photos]).tocoo()
    faces = _as_faces(on.row.astype(np.int64), on.col, np.zeros(on.nnz, dtype=bool), len(both))
    clusters = Clusters(faces, np.zeros(on.nnz), np.ascontiguousarray(both[:, :-3]))
    clusters.offset, clusters.size, clusters.within = np.ascontiguousarray(both[:, -3:].T)
    return resemblance(clusters, impostors, np.arange(len(left)), np.arange(len(left), len(both)))


# ---- out


def _write(dataset: Dataset, corpus: _Corpus, labels: Ints, length: Floats, out: str, run: Any) -> Grouped:
    result = Dataset(out)
    size = np.bincount(labels[labels >= 0], minlength=len(length))
    score = np.where(size > 1, np.clip(100 * (1 - length / np.maximum(size, 1)), 0, 100), np.nan)
    people = pa.table({"person": pa.array(np.arange(len(size))), "faces": pa.array(size),
                       "score": pa.array(score, from_pandas=True)})
    result.write_whole(PEOPLE, lambda file: pq.write_table(people, file))
    run(_write_block, [(block, labels[first:last]) for block, first, last in zip(
        corpus.blocks, corpus.starts[:-1], corpus.starts[1:], strict=True)], dataset.address,
        f"{result.address}/{LABELS}")
    return Grouped(len(labels), len(size), int((size > 1).sum()), int((labels == NOISE).sum()))


def _write_block(given: tuple[Block, Ints], dataset: str, out: str) -> None:
    block, labels = given
    first = 0
    for part in block.parts:
        rows = Dataset(dataset).read(part, ["photo", "photo_sha1", "face"], filters=[("face", ">", 0)])
        rows = rows.append_column("person", pa.array(labels[first : first + len(rows)]))
        first += len(rows)

        def write(file: Any, rows: pa.Table = rows) -> None:
            pq.write_table(rows, file)
        Dataset(out).write_whole(part, write)


def read_people(address: str) -> Iterator[pa.Table]:
    """The faces of a clustering, some at a time: photo, photo_sha1, face, person; −1 = nobody."""
    labels = Dataset(f"{address.rstrip('/')}/{LABELS}")
    if not labels.fs.isdir(labels.root):
        raise FacesError("people_missing", address=address)
    for part in labels.parts():
        yield labels.read(part)
