"""Photos into an archive: the rows that one machine's encoding gives, once each, whatever dies on the way."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from distributed import Client, KilledWorker

from panoptic_faces.archive import encode as encoding
from panoptic_faces.archive.dataset import SCHEMA, Dataset
from panoptic_faces.archive.encode import Choice, Encoded, Part, encode_archive
from panoptic_faces.archive.photos import find_archived
from panoptic_faces.archive.scheduler import connected, through
from panoptic_faces.core.errors import FacesError
from panoptic_faces.models.choices import choose_models
from panoptic_faces.services.encode import encode, find_photos
from panoptic_faces.services.scan import FaceScanner

CAST = "data/faces/bbt_cast"


def rows(address: str) -> pa.Table:
    found = pa.concat_tables([Dataset(address).read(part) for part in Dataset(address).parts()])
    return found.sort_by([("photo", "ascending"), ("face", "ascending")])


def run(client: Client, address: str, *sources: object) -> Encoded:
    return encode_archive(find_archived(map(str, sources)), address, Choice(), client)


@pytest.fixture(scope="module")
def archive(client: Client, shared: Path) -> str:
    """An archive of the cast's 40 photos, in memory."""
    done = run(client, "memory://cast", shared / CAST)
    assert (done.photos, done.new, done.faces, done.unreadable) == (40, 40, 40, [])
    return "memory://cast"


def test_it_holds_what_one_machine_encodes(archive: str, shared: Path, tmp_path: Path) -> None:
    models = choose_models()
    table = encode(find_photos([shared / CAST]), tmp_path / "faces.npz", FaceScanner(models.make), {}).table
    found = rows(archive)
    assert found.schema.equals(SCHEMA)
    assert found["photo"].to_pylist() == [table.photos[place].path for place in table.photo]
    assert found["photo_sha1"].to_pylist() == [table.photos[place].sha1 for place in table.photo]
    for column, name in enumerate(("x", "y", "width", "height")):
        assert found[name].to_pylist() == table.boxes[:, column].tolist()
    assert np.array_equal(np.array(found["vector"].to_pylist(), dtype=np.float32), table.vectors)
    assert np.array_equal(np.array(found["landmarks"].to_pylist(), dtype=np.float32).reshape(-1, 5, 2), table.landmarks)
    assert np.array_equal(found["sharpness"].to_numpy(), table.sharpnesses)
    assert set(found["model"].to_pylist()) == {"sface"} and all(found["model_weights"].to_pylist())
    assert {path.split("/")[0] for path in found["path"].to_pylist()} == {
        folder.name for folder in (shared / CAST).iterdir()}


def test_other_programs_read_it_as_one_table(client: Client, shared: Path, tmp_path: Path) -> None:
    run(client, str(tmp_path / "archive"), shared / CAST / "amy")
    found = pq.read_table(tmp_path / "archive")
    assert len(found) == 5 and all(crop.startswith(b"\xff\xd8") for crop in found["crop"].to_pylist())


def test_nothing_is_done_twice(client: Client, shared: Path, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", str(tmp_path / "archive")
    shutil.copytree(shared / CAST / "amy", photos / "amy")
    assert run(client, out, photos).new == 5
    before = rows(out)
    assert run(client, out, photos).new == 0
    shutil.copytree(shared / CAST / "bernadette", photos / "b")
    (photos / "amy" / "amy1.png").rename(photos / "moved.png")
    os.utime(photos / "amy" / "amy2.png", (1, 1))
    again = run(client, out, photos)
    assert again.new == 5 and again.faces == 5
    after = rows(out)
    # Of the touched photo the row is new and the old one is gone; what the archive held of one that is gone stays.
    assert len(after) == len(before) + 6 and len(set(after["photo"].to_pylist())) == len(after)
    moved = {path: vector for path, vector in zip(after["path"].to_pylist(), after["vector"].to_pylist(), strict=True)}
    assert moved["moved.png"] == moved["amy/amy1.png"]
    assert not list((tmp_path / "archive").glob(".*")) and not (tmp_path / "archive" / "_known.npz").exists()


def test_unreadable_photos_are_rows_with_the_reason_and_tried_again(client: Client, shared: Path, tmp_path: Path
                                                                     ) -> None:
    photos, out = tmp_path / "photos", str(tmp_path / "archive")
    shutil.copytree(shared / CAST / "amy", photos)
    (photos / "torn.jpg").write_bytes((photos / "amy1.png").read_bytes()[:900])
    found = find_archived([str(photos)])
    (photos / "amy5.png").unlink()
    done = encode_archive(found, out, Choice(), client)
    assert done.unreadable == [(str(photos / "amy5.png"), "picture_missing"),
                               (str(photos / "torn.jpg"), "picture_unreadable")]
    told = dict(zip(rows(out)["path"].to_pylist(), rows(out)["error"].to_pylist(), strict=True))
    assert told["torn.jpg"] == "picture_unreadable" and told["amy1.png"] == ""
    (photos / "torn.jpg").write_bytes((photos / "amy2.png").read_bytes())
    mended = run(client, out, photos)
    assert mended.unreadable == [] and rows(out).filter(pc.field("path") == "torn.jpg")["face"].to_pylist() == [1]


def test_addresses_and_patterns(client: Client, shared: Path) -> None:
    memory = fsspec.filesystem("memory")
    for name in ("amy1.png", "amy2.png"):
        memory.pipe_file(f"/photos/a/{name}", (shared / CAST / "amy" / name).read_bytes())
    memory.pipe_file("/photos/.hidden/amy1.png", b"")
    memory.pipe_file("/photos/notes.txt", b"")
    assert [photo.address for photo in find_archived(["memory://photos"])] == [
        "memory:///photos/a/amy1.png", "memory:///photos/a/amy2.png"]
    assert [photo.path for photo in find_archived(["memory://photos/*/*2.png"])] == ["a/amy2.png"]
    assert [photo.path for photo in find_archived([f"{shared / CAST}/*/amy1.png"])] == ["amy/amy1.png"]
    done = run(client, "memory://out", "memory://photos")
    assert (done.new, done.faces) == (2, 2)
    for wrong in ("nothing://here", "memory://nowhere", str(shared / "no such folder")):
        with pytest.raises(FacesError, match="cannot be read"):
            find_archived([wrong])


def test_other_settings_are_refused(archive: str, client: Client, shared: Path) -> None:
    with pytest.raises(FacesError) as told:
        encode_archive(find_archived([str(shared / CAST)]), archive, Choice(max_side=512), client)
    assert told.value.code == "faces_settings"


def test_memory_of_a_worker_is_bounded_by_a_row_group(client: Client, shared: Path, monkeypatch: pytest.MonkeyPatch
                                                      ) -> None:
    monkeypatch.setattr(encoding, "HELD_BYTES", 10_000)
    run(client, "memory://groups", shared / CAST)
    dataset = Dataset("memory://groups")
    for part in dataset.parts():
        with dataset.fs.open(f"{dataset.root}/{part}") as file:
            assert pq.ParquetFile(file).num_row_groups > 1


def test_killed_workers_leave_no_trace(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = random.Random(3).sample(sorted((shared / "data/faces/lfw_a").iterdir()), 40)
    photos = find_archived(map(str, people))[:48]
    monkeypatch.setattr(encoding, "LEAST", 8)
    with connected("local", 2) as client:
        encode_archive(photos, str(tmp_path / "undisturbed"), Choice(), client)
        killed: set[int] = set()
        cluster = client.cluster
        assert cluster is not None

        def kill(count: int) -> None:
            victims = {pid for nanny in list(cluster.workers.values()) if (pid := nanny.pid)} - killed
            if count and victims and len(killed) < 3:
                os.kill(min(victims), signal.SIGKILL)
                killed.add(min(victims))

        done = encode_archive(photos, str(tmp_path / "killed"), Choice(), client, seen=kill)
    assert len(killed) >= 2 and done.photos == 48
    files = [{file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}
             for name in ("undisturbed", "killed")]
    assert files[0] == files[1] and len(files[0]) == 7


def test_workers_that_die_while_they_start_come_back() -> None:
    killed: set[int] = set()
    with connected("local", 2) as client:
        cluster = client.cluster
        assert cluster is not None
        while len(killed) < 8:
            for pid in {pid for nanny in list(cluster.workers.values()) if (pid := nanny.pid)} - killed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        assert client.submit(os.getpid, retries=3).result(timeout=120) not in killed
        client.wait_for_workers(2, timeout=120)


def _die_of(item: Part, poison: str) -> int:
    if any(photo.path == poison for photo in item.photos):
        worker: Any = SimpleNamespace(address="here")
        raise KilledWorker(item.name, worker, 25)
    return len(item.photos)


def test_a_photo_that_kills_every_worker_is_found(client: Client, shared: Path) -> None:
    photos = find_archived([str(shared / CAST / "amy")])
    alone: list[str] = []

    def halves(part: Part) -> list[Part]:
        alone.extend(photo.path for photo in part.photos if len(part.photos) == 1)
        return part.halves(1) if len(part.photos) > 1 else []

    done = through(client, _die_of, [Part.of(1, photos)], "amy3.png", split=halves)
    assert sum(count for _, count in done) == 4 and alone == ["amy3.png"]
    with pytest.raises(FacesError, match="ended 26 workers"):
        list(through(client, _die_of, [Part.of(1, photos)], "amy3.png"))


def test_mistakes_about_schedulers_are_sentences() -> None:
    with pytest.raises(FacesError, match="must be local or an address"), connected("magic"):
        pass
