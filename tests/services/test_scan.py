"""The scan without real models: order, memory, cancelling, crops that explain themselves."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from panoptic_faces.services.scan import WINDOW, FaceScanner, Photo, in_parallel


class TwoFaces:
    """Finds a large and a small face in whatever it is shown."""

    def detect(self, picture: np.ndarray) -> SimpleNamespace:
        boxes = np.array([[-5.0, 10, 20, 20], [50, 40, 60, 70]], dtype=np.float32)
        landmarks = boxes[:, None, :2] + boxes[:, None, 2:] * np.array(
            [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], dtype=np.float32)
        return SimpleNamespace(boxes=boxes, landmarks=landmarks, confidences=np.array([0.9, 0.8]))


class MeanColour:
    def embed(self, faces: np.ndarray) -> np.ndarray:
        return np.asarray(faces.reshape(len(faces), -1, 3).mean(axis=1), dtype=np.float32)


def png(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (150, 200, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def scanner() -> FaceScanner:
    return FaceScanner(lambda: (TwoFaces(), MeanColour()), min_size=8)


def test_faces_come_largest_first_with_boxes_inside(scanner: FaceScanner) -> None:
    scanned = scanner(Photo("ab", "été à la mer.png", png(0)))
    assert [face.box for face in scanned.faces] == [(50, 40, 60, 70), (0, 10, 15, 20)]
    assert [face.size for face in scanned.faces] == [60, 15]
    assert scanned.error is None


def test_small_faces_are_left_out() -> None:
    scanner = FaceScanner(lambda: (TwoFaces(), MeanColour()), min_size=16)
    scanned = scanner(Photo("ab", "a.png", png(0)))
    assert (len(scanned.faces), scanned.too_small) == (1, 1)


def test_a_crop_says_where_it_is_from(scanner: FaceScanner) -> None:
    face = scanner(Photo("ab" * 20, "été à la mer.png", png(0))).faces[0]
    with Image.open(io.BytesIO(face.crop)) as crop:
        assert json.loads(crop.getexif()[0x010E]) == {
            "photo": "été à la mer.png", "sha1": "ab" * 20, "box": [50, 40, 60, 70]}
        # 70 pixels and 0.4 of them on each side.
        assert crop.size == (126, 126)


def test_equal_pixels_of_two_photos_are_two_faces(scanner: FaceScanner) -> None:
    one, other = (scanner(Photo(sha1, "a.png", png(0))).faces[0].crop for sha1 in ("ab", "cd"))
    assert one != other
    assert scanner(Photo("ab", "a.png", png(0))).faces[0].crop == one


def test_an_unreadable_photo_is_told(scanner: FaceScanner, tmp_path: Path) -> None:
    scanned = scanner(Photo("ab", "gone.png", tmp_path / "gone.png"))
    assert scanned.faces == () and scanned.error is not None and scanned.error.code == "picture_missing"


def test_every_thread_has_its_own_models() -> None:
    made: list[int] = []

    def make() -> tuple[TwoFaces, MeanColour]:
        made.append(threading.get_ident())
        return TwoFaces(), MeanColour()
    scanner = FaceScanner(make)
    list(in_parallel(scanner, [Photo("ab", "a.png", png(0))] * 20, workers=3))
    assert len(made) == len(set(made)) <= 3


def test_results_keep_the_order_and_few_are_in_work() -> None:
    begun = 0
    given = 0

    def items() -> Iterator[int]:
        nonlocal begun
        for number in range(200):
            begun += 1
            assert begun - given <= 3 * WINDOW + 1
            yield number
    for number, result in enumerate(in_parallel(lambda item: item * 2, items(), workers=3)):
        given += 1
        assert result == 2 * number
    assert given == 200


def test_cancelling_begins_nothing_more() -> None:
    stop = threading.Event()
    results = []
    for result in in_parallel(lambda item: item, range(10_000), workers=2, cancelled=stop.is_set):
        results.append(result)
        if len(results) == 5:
            stop.set()
    assert 5 <= len(results) <= 5 + 2 * WINDOW + 2
    assert results == list(range(len(results)))


def test_cancelling_drops_what_waits_for_a_thread() -> None:
    stop, gate, both_begun = threading.Event(), threading.Event(), threading.Barrier(3)

    def work(item: int) -> int:
        if item:
            both_begun.wait()
            gate.wait()
        return item
    results = in_parallel(work, range(2 * WINDOW), workers=2, cancelled=stop.is_set)
    assert next(results) == 0
    both_begun.wait()
    stop.set()
    # The two threads hold one item each, until the others have been dropped.
    threading.Timer(1, gate.set).start()
    assert list(results) == [1, 2]


def test_what_breaks_a_worker_is_not_swallowed() -> None:
    def work(item: int) -> int:
        raise ZeroDivisionError(item)
    with pytest.raises(ZeroDivisionError):
        list(in_parallel(work, [1], workers=1))
