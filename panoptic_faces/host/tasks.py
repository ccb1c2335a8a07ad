"""The scan as a task of the host: progress, cancelling, and failures that show."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from panoptic.core.task.task import Task

from ..core.errors import FacesError
from ..i18n import text
from ..services.scan import FaceScanner, Photo, ScannedPhoto, in_parallel
from .project import Project, Renditions

logger = logging.getLogger(__name__)

# Faces are written together: seldom enough to be fast, often enough that little is lost.
BATCH_PHOTOS = 48
BATCH_SECONDS = 5.0


class DetectFacesTask(Task):
    """Finds the faces of photos that were not scanned yet.

    make_scanner: gives the scanner and the id of its vectors' type; it may raise FacesError.
    sha1s: the selection; crops and scanned photos in it are passed over when the task starts.
    log: the file that names the photos that could not be read. then: called once the scan has ended by itself.
    """

    def __init__(self, project: Project, make_scanner: Callable[[], tuple[FaceScanner, int]], sha1s: list[str],
                 log: Path, then: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._project = project
        self._make_scanner = make_scanner
        self._sha1s = sha1s
        self._log = log
        self._then = then
        self._language = project.language()
        self._faces = 0
        # The page refreshes its folders when a task with "Import" in its id ends.
        self.key = "ImportFaces"
        self.name = text("task.detect_faces", self._language)

    def start(self) -> None:
        missing = self._project.unscanned(self._sha1s)
        self.state.total = len(missing)
        self.set_step(text("task.loading_models", self._language))
        try:
            scanner, type_id = self._make_scanner()
            self._scan(scanner, missing, type_id)
            if self._then and not self.is_cancelled():
                self._then()
        except FacesError as error:
            self._give_up(len(missing) - self.state.done - self.state.failed, error.sentence(self._language))
        except Exception as error:
            # The host logs it but shows a green tick: the list of tasks must tell.
            self._give_up(len(missing) - self.state.done - self.state.failed, f"{type(error).__name__}: {error}")
            raise

    def _scan(self, scanner: FaceScanner, missing: list[str], type_id: int) -> None:
        def work(photo: Photo) -> tuple[ScannedPhoto, list[Renditions]]:
            scanned = scanner(photo)
            return scanned, [self._project.rendered(face.crop) for face in scanned.faces]

        self._tell()
        batch: list[tuple[ScannedPhoto, list[Renditions]]] = []
        written = time.monotonic()
        for scanned, renditions in in_parallel(work, self._photos(missing), cancelled=self.is_cancelled):
            batch.append((scanned, renditions))
            if len(batch) >= BATCH_PHOTOS or time.monotonic() - written > BATCH_SECONDS:
                self._write(batch, type_id)
                batch, written = [], time.monotonic()
        self._write(batch, type_id)
        if missing and self.state.failed == len(missing):
            self._give_up(0, text("task.nothing_read", self._language, log=self._log))

    def _photos(self, sha1s: list[str]) -> Iterator[Photo]:
        known = self._project.photos(sha1s)
        for sha1 in sha1s:
            yield self._project.photo(sha1, *known[sha1])

    def _write(self, batch: list[tuple[ScannedPhoto, list[Renditions]]], type_id: int) -> None:
        self._project.add_faces(batch, type_id)
        for scanned, renditions in batch:
            self._faces += len(renditions)
            if scanned.error is None:
                self.state.done += 1
            else:
                self.state.failed += 1
                self._note_failure(scanned)
        self._tell()

    def _tell(self) -> None:
        self.set_step(text("task.detect_faces", self._language), self._detail())

    def _detail(self) -> str:
        failures = text("task.failures", self._language, count=self.state.failed, name=self._last_failure,
                        log=self._log) if self.state.failed else ""
        return text("task.faces_found", self._language, count=self._faces) + failures

    _last_failure = ""

    def _note_failure(self, scanned: ScannedPhoto) -> None:
        self._last_failure = scanned.photo.name
        assert scanned.error is not None
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}\t{scanned.photo.name}\t"
                      f"{scanned.error.sentence(self._language)}\n")

    def _give_up(self, left: int, sentence: str) -> None:
        """The host ticks any finished task in green unless it was stopped, and shows only a stopped one's name."""
        logger.error("%s", sentence)
        self.state.failed += left
        self.state.cancelled = True
        self.state.name = text("task.failed", self._language, task=self.name, reason=sentence)
        self.set_step(text("task.detect_faces", self._language), sentence)
