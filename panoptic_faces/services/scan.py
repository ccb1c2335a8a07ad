"""Photos in, faces out: read, detect, align, embed and cut out, on all cores, a few photos at a time."""

from __future__ import annotations

import io
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FacesError
from .faults import check_unchanged

# Kept around the box on each side, as a part of its longer side: a person's eyes need hair and chin.
CROP_MARGIN = 0.4
# The longer side of a crop, in pixels: enough for a screen, and 100,000 crops stay under 5 GB.
CROP_SIDE = 512
CROP_QUALITY = 90
# Photos that a worker takes at a time: embedding their faces together is a fifth faster than one by one, and more
# of them add little. It holds the pixels of one.
PHOTOS_AT_ONCE = 4
# Pieces of work begun ahead for each worker, so that none waits for a slow one or for the database.
WINDOW = 8
NO_VECTOR = np.zeros(0, dtype=np.float32)
# EXIF tags of a crop: what it shows, and who cut it out.
IMAGE_DESCRIPTION, SOFTWARE = 0x010E, 0x0131

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Photo:
    """A photo to scan: the SHA-1 of its content, its file's name, and where its bytes are."""

    sha1: str
    name: str
    source: Path | bytes


@dataclass(frozen=True, eq=False)
class FoundFace:
    """A face of a photo.

    box: x, y, width, height in pixels of the upright photo. confidence: 0–1. sharpness: variance of the
    Laplacian of the aligned face, in grey levels squared. vector: (d,) float32, not normalised. crop: a JPEG
    file whose description names the photo and the box.
    """

    box: tuple[int, int, int, int]
    landmarks: NDArray[np.float32]
    confidence: float
    sharpness: float
    vector: NDArray[np.float32]
    crop: bytes

    @property
    def size(self) -> int:
        """The shorter side of the box, in pixels."""
        return min(self.box[2:])


@dataclass(frozen=True)
class ScannedPhoto:
    """A photo and its faces, largest first; or why it could not be read. too_small: how many faces were left out."""

    photo: Photo
    faces: tuple[FoundFace, ...] = ()
    too_small: int = 0
    error: FacesError | None = None


class Detector(Protocol):
    def detect(self, picture: NDArray[np.uint8]) -> Any: ...


class Embedder(Protocol):
    def embed(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]: ...


class FaceScanner:
    """Finds the faces of one photo after another; may be called from many threads, each gets its own models.

    make_models: gives a detector and an embedder. min_size: faces whose box is narrower or lower, in pixels,
    are left out.
    """

    def __init__(self, make_models: Callable[[], tuple[Detector, Embedder]], min_size: int = 24) -> None:
        self._make_models = make_models
        self._min_size = min_size
        self._models = threading.local()

    def __call__(self, photo: Photo) -> ScannedPhoto:
        return self.scan([photo])[0]

    def scan(self, photos: Sequence[Photo]) -> list[ScannedPhoto]:
        """Photos in the same order; their faces are embedded together, which is faster."""
        if not hasattr(self._models, "pair"):
            self._models.pair = self._make_models()
        detector, embedder = self._models.pair
        cut = [self._cut(photo, detector, embedder) for photo in photos]
        aligned = [face for _, faces in cut for face in faces]
        vectors = iter(embedder.embed(np.stack(aligned)) if aligned else ())
        return [replace(scanned, faces=tuple(replace(face, vector=next(vectors)) for face in scanned.faces))
                for scanned, _ in cut]

    def _cut(self, photo: Photo, detector: Detector, embedder: Embedder
             ) -> tuple[ScannedPhoto, list[NDArray[np.uint8]]]:
        """A photo and its faces without their vectors, and each of them aligned."""
        from ..models.align import align_face, sharpness
        from ..models.pictures import read_picture

        try:
            picture = read_picture(photo.source)
            check_unchanged(photo.sha1, photo.source)
        except FacesError as error:
            return ScannedPhoto(photo, error=error), []
        found = detector.detect(picture)
        boxes = [_inside(box, picture) for box in found.boxes]
        chosen = [row for row, box in enumerate(boxes) if min(box[2:]) >= self._min_size]
        chosen.sort(key=lambda row: (-boxes[row][2] * boxes[row][3], boxes[row]))
        # An embedder that was trained on faces aligned in another way brings its own.
        own = getattr(embedder, "align", None)
        aligned = [own(picture, boxes[row]) if own else align_face(picture, found.landmarks[row]) for row in chosen]
        faces = tuple(FoundFace(boxes[row], found.landmarks[row], float(found.confidences[row]), sharpness(face),
                                NO_VECTOR, cut_out(picture, boxes[row], photo))
                      for row, face in zip(chosen, aligned, strict=True))
        return ScannedPhoto(photo, faces, len(boxes) - len(chosen)), aligned


def cut_out(picture: NDArray[np.uint8], box: tuple[int, int, int, int], photo: Photo) -> bytes:
    """The JPEG file of a face with some of what is around it; its EXIF description says where it is from."""
    from PIL import Image

    x, y, width, height = box
    half = max(width, height) * (0.5 + CROP_MARGIN)
    centre_x, centre_y = x + width / 2, y + height / 2
    left, top = max(0, round(centre_x - half)), max(0, round(centre_y - half))
    part = picture[top : round(centre_y + half), left : round(centre_x + half)]
    image = Image.fromarray(part)
    image.thumbnail((CROP_SIDE, CROP_SIDE), Image.Resampling.LANCZOS)
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = json.dumps({"photo": photo.name, "sha1": photo.sha1, "box": box})
    exif[SOFTWARE] = "panoptic_faces"
    file = io.BytesIO()
    image.save(file, "JPEG", quality=CROP_QUALITY, exif=exif)
    return file.getvalue()


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None,
                cancelled: Callable[[], bool] = lambda: False, window: int = WINDOW) -> Iterator[Result]:
    """Results of ``work`` in the order of ``items``, computed by threads, ``window`` ahead for each.

    workers: number of threads, by default one for each core. Once ``cancelled()`` is true nothing more is
    begun; what had been begun is still given.
    """
    threads = workers or os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="faces") as pool:
        try:
            for item in items:
                if cancelled():
                    break
                waiting.append(pool.submit(work, item))
                if len(waiting) >= threads * window:
                    yield waiting.popleft().result()
            while waiting:
                if cancelled():
                    # All at once: while one is waited for, threads begin the next.
                    waiting = deque(result for result in waiting if not result.cancel())
                if waiting:
                    yield waiting.popleft().result()
        finally:
            # Where the results are not wanted to the end, nobody waits for what was not begun.
            for result in waiting:
                result.cancel()


def _inside(box: NDArray[np.float32], picture: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """The part of a box that lies in the picture, in whole pixels."""
    height, width = picture.shape[:2]
    left, top = max(0, round(float(box[0]))), max(0, round(float(box[1])))
    right, bottom = min(width, round(float(box[0] + box[2]))), min(height, round(float(box[1] + box[3])))
    return left, top, max(0, right - left), max(0, bottom - top)
