"""The grouping of archives beside the one-machine ``auto``, whose rule it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import Client

from panoptic_faces.archive import cluster as clustering
from panoptic_faces.archive import neighbours
from panoptic_faces.archive.cluster import Grouped, cluster_archive, read_people
from panoptic_faces.archive.dataset import SCHEMA, Dataset
from panoptic_faces.archive.partition import cut
from panoptic_faces.core import cluster_faces, evaluate
from panoptic_faces.core.errors import FacesError

PART = 400


def archive(address: str, vectors: np.ndarray, photos: list[str], poor: np.ndarray | None = None) -> str:
    """An archive of faces in the order of their photos, and a photo without faces in each part."""
    dataset = Dataset(address)
    dataset.open_with({"model": "test", "model_weights": ""})
    nothing: dict[str, Any] = {**dict.fromkeys(SCHEMA.names), "path": "", "photo_sha1": "", "stamp": "", "error": ""}
    bounds = [0]
    while bounds[-1] < len(photos):
        end = min(len(photos), bounds[-1] + PART)
        while end < len(photos) and photos[end] == photos[end - 1]:
            end += 1
        bounds.append(end)
    for number, (start, end) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        rows = [{**nothing, "photo": f"empty-{number}", "face": 0}]
        for row in range(start, end):
            again = row > start and photos[row] == photos[row - 1]
            rows.append({**nothing, "photo": photos[row], "face": rows[-1]["face"] + 1 if again else 1,
                         "width": 10 if poor is not None and poor[row] else 100, "height": 100, "confidence": 0.9,
                         "sharpness": 500.0, "vector": vectors[row]})
        dataset.write_part(f"part-0001-{number:016x}.parquet", [pa.Table.from_pylist(rows, SCHEMA)])
    return address


def labels_of(out: str) -> np.ndarray:
    return np.concatenate([rows["person"].to_numpy() for rows in read_people(out)])


@pytest.fixture(scope="module")
def lfw(shared: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(shared / "data/emb/lfw_a.sface.npz") as arrays:
        return arrays["emb"], arrays["label"]


@pytest.mark.parametrize("inverted", [False, True])
def test_shards_give_what_one_machine_gives(client: Client, lfw: tuple[np.ndarray, np.ndarray], tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch, inverted: bool) -> None:
    vectors, truth = lfw
    photos = [f"photo-{number:05d}" for number in range(len(vectors))]
    if inverted:
        monkeypatch.setattr(neighbours, "EXACT_UP_TO", 100)
    source = archive(str(tmp_path / "archive"), vectors, photos)
    grouped = cluster_archive(source, str(tmp_path / "people"), client, shard=700)
    found, alone = labels_of(str(tmp_path / "people")), cluster_faces(vectors).labels
    assert evaluate(found, alone)["ari"] > (0.99 if inverted else 0.995)
    assert evaluate(found, truth)["bcubed_f"] > evaluate(alone, truth)["bcubed_f"] - 0.01
    assert grouped.faces == len(vectors) and grouped.people == found.max() + 1
    people = pq.read_table(tmp_path / "people" / "people.parquet").to_pydict()
    assert people["faces"] == np.bincount(found).tolist()
    scores = [score for score in people["score"] if score is not None]
    assert scores == sorted(scores) and people["score"][len(scores):] == [None] * (grouped.people - len(scores))
    assert not (tmp_path / "people" / "_work").exists()


def test_photos_and_poor_faces_are_honoured(client: Client, lfw: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, truth = lfw
    chosen = np.flatnonzero(np.isin(truth, [name for name, count in zip(
        *np.unique(truth, return_counts=True), strict=True) if count > 8][:12]))
    chosen = np.random.default_rng(0).permutation(chosen)
    photos = [f"photo-{number // 2:05d}" for number in range(len(chosen))]
    poor = np.zeros(len(chosen), dtype=bool)
    poor[::11] = True
    source = archive("memory://certain", vectors[chosen], photos, poor)
    alone = cluster_faces(vectors[chosen], groups=photos, poor=poor).labels
    for shard, least in ((5_000, 0.999), (50, 0.85)):
        cluster_archive(source, "memory://certain-people", client, shard=shard)
        found = labels_of("memory://certain-people")
        assert evaluate(found, alone)["ari"] > least
    pairs = [(a, b) for a, b, one, other in zip(found[:-1], found[1:], photos[:-1], photos[1:], strict=True)
             if one == other]
    assert pairs and all(a != b or a < 0 for a, b in pairs)
    good = set(found[~poor].tolist())
    assert all(label in good or label == -1 for label in found[poor].tolist())


def test_an_archive_of_small_faces_has_people(client: Client, lfw: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, photos = lfw[0][:600], [f"photo-{number:05d}" for number in range(600)]
    source = archive("memory://small", vectors, photos, poor=np.ones(600, dtype=bool))
    cluster_archive(source, "memory://small-people", client)
    assert evaluate(labels_of("memory://small-people"), cluster_faces(vectors).labels)["ari"] > 0.999


def test_few_faces(client: Client) -> None:
    vectors = np.eye(3, 8, dtype=np.float32)[[0, 0, 1]]
    source = archive("memory://few", vectors, ["a", "b", "c"])
    assert cluster_archive(source, "memory://few-people", client) == Grouped(3, 2, 1, 0)
    empty = Dataset("memory://empty")
    empty.open_with({"model": "test"})
    with pytest.raises(FacesError, match="face"):
        cluster_archive("memory://empty", "memory://empty-people", client)
    with pytest.raises(FacesError, match="no archive of faces"):
        cluster_archive("memory://nowhere", "memory://empty-people", client)
    with pytest.raises(FacesError, match="no clustering"):
        list(read_people("memory://nowhere"))


def test_partitions_follow_the_strongest_edges() -> None:
    """Ten people of ten faces in strong chains, weakly tied to each other: nobody is cut, no partition too large."""
    rng = np.random.default_rng(0)
    person = rng.permutation(np.repeat(np.arange(10), 10))
    a = np.concatenate([np.flatnonzero(person == who)[:-1] for who in range(10)])
    b = np.concatenate([np.flatnonzero(person == who)[1:] for who in range(10)])
    weak = rng.integers(0, 100, (2, 300))
    strength = np.concatenate([rng.uniform(0.5, 1, len(a)), rng.uniform(0, 0.3, 300)])
    found = cut(100, np.concatenate([a, weak[0]]), np.concatenate([b, weak[1]]), strength, np.zeros(100, int), 35)
    assert np.bincount(found).max() <= 35 and np.bincount(found).sum() == 100
    assert all(len(set(found[person == who])) == 1 for who in range(10))


def test_cells_are_cut_into_near_shards_of_limited_size() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 40, 64)
    shard = neighbours.cut_into_shards(rng.normal(size=(64, 8)).astype(np.float32), counts, 150)
    assert np.bincount(shard, weights=counts).max() <= 150
    assert sorted(set(shard.tolist())) == list(range(shard.max() + 1))
    assert clustering.SHARD >= clustering.BLOCK
