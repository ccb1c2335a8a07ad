"""Long work as tasks of the host: progress, cancelling, taking up again, and failures that show."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from panoptic.core.task.task import Task

from ..core.errors import FacesError
from ..i18n import text
from ..services.faults import is_reachable, obstacle
from ..services.images import VectorsOf
from ..services.scan import PHOTOS_AT_ONCE, FaceScanner, Photo, in_parallel
from .crops import FaceProject, PhotoFaces
from .project import Project

logger = logging.getLogger(__name__)

# Results are written together: seldom enough to be fast, often enough that little is lost.
BATCH_PHOTOS = 160
BATCH_SECONDS = 5.0

Result = TypeVar("Result")
Outcome = tuple[Photo, Result | None, FacesError | None]


class PhotosTask(Task, Generic[Result]):
    """Does something with every photo of a selection that it was not done with yet.

    kind: the key of the task's name among the sentences. sha1s: the selection, None for the whole project at the
    moment when the task starts. log: the file that names the photos that could not be read.
    """

    photos_at_once = 1

    def __init__(self, project: Project, kind: str, sha1s: list[str] | None, log: Path) -> None:
        super().__init__()
        self._project = project
        self._sha1s = sha1s
        self._log = log
        self._language = project.language()
        self._last_failure = ""
        # Folders that could not be reached, and how many photos are in them.
        self._gone: set[Path] = set()
        self._unreached = 0
        self.name = text(kind, self._language)

    @abstractmethod
    def missing(self, sha1s: list[str]) -> list[str]:
        """Those of the images that are still to be done."""

    @abstractmethod
    def prepare(self, missing: list[str]) -> Callable[[Sequence[Photo]], list[Outcome[Result]]]:
        """Load models, and give the work on some of the missing photos at a time, which threads share."""

    @abstractmethod
    def write(self, done: list[Outcome[Result]]) -> None:
        """Put results into the project."""

    @abstractmethod
    def told(self) -> str:
        """What has been done so far, as a sentence."""

    def after(self) -> None:
        """Called once the task has ended by itself."""

    def start(self) -> None:
        left = 0
        try:
            missing = self.missing(self._project.sha1s(None) if self._sha1s is None else self._sha1s)
            self.state.total = left = len(missing)
            if missing:
                self.set_step(text("task.loading_models", self._language))
                self._do(self.prepare(missing), missing)
            if not self.is_cancelled():
                self.after()
        except Exception as error:
            refused = obstacle(error, self._project.folder)
            told = refused.sentence(self._language) if refused else f"{type(error).__name__}: {error}"
            self._give_up(left - self.state.done - self.state.failed, told)
            if refused is None:
                # The host logs it but shows a green tick: the list of tasks told.
                raise

    def _do(self, work: Callable[[Sequence[Photo]], list[Outcome[Result]]], missing: list[str]) -> None:
        self._tell()
        batch: list[Outcome[Result]] = []
        written = time.monotonic()
        for outcomes in in_parallel(self._reachable(work), self._photos(missing), cancelled=self.is_cancelled):
            batch += outcomes
            if len(batch) >= BATCH_PHOTOS or time.monotonic() - written > BATCH_SECONDS:
                self._write(batch)
                batch, written = [], time.monotonic()
        self._write(batch)
        if self._gone:
            self._give_up(0, text("task.folder_gone", self._language, count=self._unreached,
                                  folder=min(self._gone), log=self._log))
        elif self.state.failed == len(missing):
            self._give_up(0, text("task.nothing_read", self._language, log=self._log))

    def _photos(self, sha1s: list[str]) -> Iterator[list[Photo]]:
        known = self._project.photos(sha1s)
        photos = (self._project.photo(sha1, *known[sha1]) for sha1 in sha1s)
        while some := list(islice(photos, self.photos_at_once)):
            yield some

    def _reachable(self, work: Callable[[Sequence[Photo]], list[Outcome[Result]]]
                   ) -> Callable[[Sequence[Photo]], list[Outcome[Result]]]:
        """The work, except on photos of folders that cannot be reached: a drive may need a minute to say so."""
        def tried(photos: Sequence[Photo]) -> list[Outcome[Result]]:
            left = [photo for photo in photos if _folder(photo) not in self._gone]
            done = {photo.sha1: (photo, result, error) for photo, result, error in work(left)}
            for photo, _, error in done.values():
                folder = _folder(photo)
                if error is not None and folder is not None and not is_reachable(folder):
                    self._gone.add(folder)
            return [done[photo.sha1] if photo.sha1 in done else
                    (photo, None, FacesError("folder_gone", folder=str(_folder(photo)))) for photo in photos]
        return tried

    def _write(self, batch: list[Outcome[Result]]) -> None:
        self.write(batch)
        for photo, _, error in batch:
            if error is None:
                self.state.done += 1
            else:
                self.state.failed += 1
                self._unreached += _folder(photo) in self._gone
                self._note_failure(photo, error)
        self._tell()

    def _tell(self) -> None:
        failures = text("task.failures", self._language, count=self.state.failed, name=self._last_failure,
                        log=self._log) if self.state.failed else ""
        self.set_step(self.name, self.told() + failures)

    def _note_failure(self, photo: Photo, error: FacesError) -> None:
        self._last_failure = photo.name
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}\t{photo.name}\t{error.sentence(self._language)}\n")

    def _give_up(self, left: int, sentence: str) -> None:
        """The host ticks any finished task in green unless it was stopped, and shows only a stopped one's name."""
        logger.error("%s", sentence)
        self.state.failed += left
        self.state.cancelled = True
        self.state.name = text("task.failed", self._language, task=self.name, reason=sentence)
        self.set_step(self.name, sentence)


def _folder(photo: Photo) -> Path | None:
    return photo.source.parent if isinstance(photo.source, Path) else None


class DetectFacesTask(PhotosTask[PhotoFaces]):
    """Finds the faces of photos; crops, and photos that the same model has read, are passed over.

    make_scanner: gives the scanner and the id of its vectors' type; it may raise FacesError. model: what reads the
    faces, as the project notes it. then: called once the scan has ended by itself.
    """

    _project: FaceProject

    photos_at_once = PHOTOS_AT_ONCE

    def __init__(self, project: FaceProject, make_scanner: Callable[[], tuple[FaceScanner, int]], model: str,
                 sha1s: list[str], log: Path, then: Callable[[], None] | None = None) -> None:
        super().__init__(project, "task.detect_faces", sha1s, log)
        self._make_scanner = make_scanner
        self._model = model
        self._then = then
        self._faces = self._too_small = 0
        self._type = 0
        self._since = project.erasures
        # The page refreshes its folders when a task with "Import" in its id ends.
        self.key = "ImportFaces"

    def missing(self, sha1s: list[str]) -> list[str]:
        self._project.check_not_erased(self._since)
        return self._project.unscanned(sha1s, self._model)

    def prepare(self, missing: list[str]) -> Callable[[Sequence[Photo]], list[Any]]:
        scanner, self._type = self._make_scanner()
        known = self._project.known_faces(missing)

        def work(photos: Sequence[Photo]) -> list[Any]:
            return [(scan.photo, None if scan.error else known.placed(scan, self._model, self._project.rendered),
                     scan.error) for scan in scanner.scan(photos)]
        return work

    def write(self, done: list[Outcome[PhotoFaces]]) -> None:
        scanned = [faces for _, faces, _ in done if faces is not None]
        self._project.add_faces(scanned, self._type, self._since)
        self._faces += sum(len(faces.new) + len(faces.again) for faces in scanned)
        self._too_small += sum(faces.too_small for faces in scanned)

    def told(self) -> str:
        found = text("task.faces_found", self._language, count=self._faces)
        return found + text("task.too_small", self._language, count=self._too_small) if self._too_small else found

    def after(self) -> None:
        if self._then:
            self._then()


class ComputeVectorsTask(PhotosTask[NDArray[np.float32]]):
    """Computes the vectors of a type that images do not have yet.

    make_embedder: gives what embeds photos of the type; it may raise FacesError.
    """

    photos_at_once = 32

    def __init__(self, project: Project, make_embedder: Callable[[], VectorsOf], type_id: int,
                 sha1s: list[str] | None, log: Path) -> None:
        super().__init__(project, "task.compute_vectors", sha1s, log)
        self._make_embedder = make_embedder
        self.key = f"ComputeVectors{type_id}"
        # The page shows the task's progress beside the type of vectors.
        self.vector_type_id = type_id

    def missing(self, sha1s: list[str]) -> list[str]:
        return self._project.without_vector(self.vector_type_id, sha1s)

    def prepare(self, missing: list[str]) -> Callable[[Sequence[Photo]], list[Any]]:
        return self._make_embedder()

    def write(self, done: list[Outcome[NDArray[np.float32]]]) -> None:
        self._project.add_vectors(self.vector_type_id,
                                  {photo.sha1: vector for photo, vector, _ in done if vector is not None})

    def told(self) -> str:
        return text("task.vectors_computed", self._language, count=self.state.done)
