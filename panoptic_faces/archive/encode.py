"""Photos into an archive: the scan that Panoptic does, a part of the photos a task, on as many workers as there are."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from distributed import WorkerPlugin, get_worker

from ..core.errors import FacesError
from ..models.choices import choose_models
from ..models.registry import SFACE, YUNET
from ..models.weights import weights_path
from ..services.face_table import write_whole
from ..services.scan import PHOTOS_AT_ONCE, FaceScanner, Photo, ScannedPhoto
from .dataset import SCHEMA, Dataset, Index, contents, hashes, run_of, versions
from .photos import FoundPhoto
from .scheduler import through

if TYPE_CHECKING:
    from distributed import Client, Worker

# A part holds so many photos: what a lost worker costs, against the number of files.
LEAST, MOST, PARTS = 32, 512, 4096
# Crops and vectors of one part that a worker holds before they go to its disk.
HELD_BYTES = 16_000_000
KNOWN = "_known.npz"


@dataclass(frozen=True)
class Choice:
    """The models as the command line names them."""

    detector: str = "yunet"
    model: str = "sface"
    normalisation: str | None = None
    max_side: int = 2048
    min_face_size: int = 24

    def settings(self, folder: Path | None = None) -> dict[str, str]:
        """What makes vectors comparable, the weights checked; raises the FacesErrors of ``choose_models``."""
        chosen = choose_models(self.detector, self.model, self.normalisation, self.max_side, folder=folder)
        return {**chosen.settings, "max_side": str(self.max_side), "min_face_size": str(self.min_face_size)}

    def files(self) -> list[Path]:
        """The files of weights that workers need; dlib's come with its package."""
        used = [weights for weights, name in ((YUNET, self.detector), (SFACE, self.model))
                if weights.name.startswith(("face_detection_" + name, "face_recognition_" + name))]
        own = [Path(self.model)] if self.model.endswith(".onnx") else []
        return [weights_path(weights) for weights in used] + own


@dataclass
class Encoded:
    """What a run did: photos looked at, photos computed anew, faces found in them, addresses that failed and why."""

    photos: int = 0
    new: int = 0
    faces: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """A task: photos and the name of the file that their rows go to."""

    name: str
    photos: tuple[FoundPhoto, ...]

    @staticmethod
    def of(run: int, photos: Sequence[FoundPhoto]) -> Part:
        digest = hashlib.sha256("\n".join(photo.address for photo in photos).encode()).hexdigest()
        return Part(f"part-{run:04d}-{digest[:16]}.parquet", tuple(photos))

    def halves(self, run: int) -> list[Part]:
        middle = len(self.photos) // 2
        return [Part.of(run, half) for half in (self.photos[:middle], self.photos[middle:]) if half]


class Models(WorkerPlugin):
    """The models of a worker: the weights come with it, once, and are checked where they arrive."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._settings = choice.settings()
        self._files = {path.name: path.read_bytes() for path in choice.files()}
        digest = hashlib.sha256(repr((choice, sorted(self._settings.items()))).encode()).hexdigest()
        self.name = f"panoptic-faces-{digest[:16]}"
        self.scanner: FaceScanner | None = None

    def setup(self, worker: Worker) -> None:
        import cv2

        folder = Path(worker.local_directory) / "weights"
        for name, content in self._files.items():
            write_whole(folder / name, content)
        choice = self._choice
        model = str(folder / Path(choice.model).name) if choice.model.endswith(".onnx") else choice.model
        here = Choice(choice.detector, model, choice.normalisation, choice.max_side, choice.min_face_size)
        settings = here.settings(folder)
        if settings != self._settings:
            raise FacesError("worker_models", worker=worker.address, there=str(settings), wanted=str(self._settings))
        if worker.nanny:
            # The process is the worker's own, and the scheduler counts on one core a thread.
            cv2.setNumThreads(1)
        chosen = choose_models(here.detector, model, here.normalisation, here.max_side, folder=folder)
        self.scanner = FaceScanner(chosen.make, here.min_face_size)
        self._files = {}


def encode_archive(photos: Sequence[FoundPhoto], address: str, choice: Choice, client: Client, *,
                   seen: Callable[[int], None] = lambda count: None) -> Encoded:
    """Bring the photos into the archive at an address.

    Photos whose address and stamp it knows are not read again; of others whose content it knows, the rows are
    copied. Photos that could not be read are tried again. seen: is told how many photos more are done.
    Raises FacesError ``faces_settings``, ``worker_killed``, ``worker_models`` and those of ``Choice.settings``.
    """
    dataset = Dataset(address)
    models = Models(choice)
    dataset.open_with(models._settings)
    index = _tidied(dataset)
    todo = _unknown(photos, index)
    done = Encoded(len(photos))
    seen(len(photos) - len(todo))
    if not todo:
        return done
    client.register_plugin(models)
    run = 1 + max(map(run_of, index.parts), default=0)
    known = _share_known(dataset, index)
    size = int(np.clip(-(-len(todo) // PARTS), LEAST, MOST))
    parts = (Part.of(run, todo[start : start + size]) for start in range(0, len(todo), size))

    def halved(part: Part) -> list[Part]:
        if len(part.photos) > 1:
            return part.halves(run)
        # Whatever it is, this photo ends every worker that opens it.
        dataset.write_part(part.name, [_table([_photo_row(part.photos[0], "", (0, 0), "photo_kills")])])
        done.unreadable.append((part.photos[0].address, "photo_kills"))
        seen(1)
        return []

    for part, (new, faces, unreadable) in through(client, _encode_part, parts, dataset.address, models.name, known,
                                                  split=halved):
        done.new += new
        done.faces += faces
        done.unreadable += unreadable
        seen(len(part.photos))
    client.unregister_worker_plugin(models.name)
    if known:
        dataset.fs.rm_file(f"{dataset.root}/{KNOWN}")
    dataset.sweep()
    if np.isin(hashes(photo.address for photo in todo), index.address).any():
        _tidied(dataset)
    done.unreadable.sort()
    return done


def _tidied(dataset: Dataset) -> Index:
    index = dataset.index()
    return dataset.index() if dataset.tidy(index) else index


def _unknown(photos: Sequence[FoundPhoto], index: Index) -> list[FoundPhoto]:
    known = index.version[index.readable]
    wanted = versions((photo.address for photo in photos), (photo.stamp for photo in photos))
    return [photo for photo, there in zip(photos, np.isin(wanted, known).tolist(), strict=True) if not there]


def _share_known(dataset: Dataset, index: Index) -> bool:
    """Write down which part holds which content, where workers find it; whether there is anything."""
    order = np.flatnonzero(index.readable)
    order = order[np.argsort(index.content[order], kind="stable")]
    if len(order):
        dataset.write_whole(KNOWN, lambda file: np.savez(
            file, content=index.content[order], part=index.part[order], parts=np.array(index.parts)))
    return bool(len(order))


# ---- on a worker


def _encode_part(part: Part, address: str, models: str, known: bool) -> tuple[int, int, list[tuple[str, str]]]:
    """Write one part; gives the number of photos computed, of faces found, and what could not be read."""
    dataset = Dataset(address)
    plugin = get_worker().plugins[models]
    assert isinstance(plugin, Models) and plugin.scanner
    scanner = plugin.scanner
    settings = dataset.settings()
    there = _Known(dataset) if known else None
    new = faces = 0
    unreadable: list[tuple[str, str]] = []

    def rows() -> Iterator[pa.Table]:
        nonlocal new, faces
        held: list[dict[str, Any]] = []
        for chunk in _chunks(part.photos, PHOTOS_AT_ONCE):
            for photo, scan, copied in _scanned(chunk, scanner, there):
                if copied is not None:
                    yield copied
                    continue
                error = scan.error.code if scan.error else ""
                new += 1
                faces += len(scan.faces)
                if error:
                    unreadable.append((photo.address, error))
                held += _rows(photo, scan, error, settings)
            if sum(len(row["crop"] or b"") for row in held) > HELD_BYTES:
                yield _table(held)
                held = []
        if held:
            yield _table(held)

    dataset.write_part(part.name, rows())
    return new, faces, unreadable


class _Known:
    """The photos that the archive held before the run, by content."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        with np.load(io.BytesIO(dataset.fs.cat_file(f"{dataset.root}/{KNOWN}")), allow_pickle=False) as arrays:
            self._content, self._part = arrays["content"], arrays["part"]
            self._parts = arrays["parts"].tolist()

    def rows(self, sha1: str, photo: FoundPhoto) -> pa.Table | None:
        """The rows of that content, told of another photo; None where it is not known."""
        wanted = contents([sha1])[0]
        first, last = (int(np.searchsorted(self._content, wanted, side)) for side in ("left", "right"))
        for place in range(first, last):
            rows = self._dataset.read(self._parts[self._part[place]], filters=[("photo_sha1", "==", sha1)])
            if len(rows):
                # Of copies of a photo in one part, the first.
                rows = rows.filter(pc.equal(rows["photo"], rows["photo"][0]))
                for name, value in (("photo", photo.address), ("path", photo.path), ("stamp", photo.stamp)):
                    rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array([value] * len(rows)))
                return rows.cast(SCHEMA)
        return None


def _scanned(chunk: Sequence[FoundPhoto], scanner: FaceScanner, known: _Known | None
             ) -> Iterator[tuple[FoundPhoto, ScannedPhoto, pa.Table | None]]:
    """Each photo with its scan, or the rows that the archive has of its content."""
    failed: dict[str, ScannedPhoto] = {}
    copied: dict[str, pa.Table] = {}
    read: list[tuple[FoundPhoto, Photo]] = []
    for photo in chunk:
        try:
            with fsspec.open(photo.address, "rb") as file:
                content = file.read()
        except OSError as error:
            code = "picture_missing" if isinstance(error, FileNotFoundError) else "picture_unreadable"
            failed[photo.address] = ScannedPhoto(Photo("", photo.path, b""), error=FacesError(code, reason=str(error)))
            continue
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        rows = known.rows(sha1, photo) if known else None
        if rows is not None:
            copied[photo.address] = rows
        else:
            read.append((photo, Photo(sha1, photo.path.rsplit("/", 1)[-1], content)))
    scans = scanner.scan([given for _, given in read])
    scanned = {photo.address: scan for (photo, _), scan in zip(read, scans, strict=True)}
    nothing = ScannedPhoto(Photo("", "", b""))
    for photo in chunk:
        scan = failed.get(photo.address) or scanned.get(photo.address, nothing)
        yield photo, scan, copied.get(photo.address)


def _stored_size(photo: Photo) -> tuple[int, int]:
    """Width and height of a sound photo as its file says, before its EXIF orientation, like Panoptic's."""
    from PIL import Image

    with Image.open(io.BytesIO(photo.source) if isinstance(photo.source, bytes) else photo.source) as opened:
        return int(opened.width), int(opened.height)


def _rows(photo: FoundPhoto, scan: ScannedPhoto, error: str, settings: Mapping[str, str]) -> list[dict[str, Any]]:
    base = _photo_row(photo, scan.photo.sha1, (0, 0) if error else _stored_size(scan.photo), error)
    base |= {"model": settings["model"], "model_weights": settings["model_weights"]}
    if not scan.faces:
        return [base]
    return [{**base, "face": number, **dict(zip(("x", "y", "width", "height"), face.box, strict=True)),
             "landmarks": face.landmarks.astype(np.float32).ravel(), "confidence": face.confidence,
             "sharpness": face.sharpness, "crop": face.crop, "vector": face.vector.astype(np.float32)}
            for number, face in enumerate(scan.faces, 1)]


def _photo_row(photo: FoundPhoto, sha1: str, size: tuple[int, int], error: str) -> dict[str, Any]:
    return {**dict.fromkeys(SCHEMA.names), "photo": photo.address, "path": photo.path, "photo_sha1": sha1,
            "stamp": photo.stamp, "photo_width": size[0], "photo_height": size[1], "error": error, "face": 0,
            "model": "", "model_weights": ""}


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), SCHEMA)


def _chunks(photos: Sequence[FoundPhoto], size: int) -> Iterator[list[FoundPhoto]]:
    left = iter(photos)
    while some := list(islice(left, size)):
        yield some
