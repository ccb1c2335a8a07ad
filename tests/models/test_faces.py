"""The face models on real pictures, against OpenCV's own alignment and the figures of others."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from panoptic_faces.models.align import TEMPLATE, align_face, sharpness, similarity_transform
from panoptic_faces.models.choices import choose_models
from panoptic_faces.models.pictures import read_picture
from panoptic_faces.models.registry import SFACE
from panoptic_faces.models.sface import SFace
from panoptic_faces.models.yunet import YuNet


@pytest.fixture(scope="module")
def models(shared: Path) -> tuple[YuNet, SFace]:
    return choose_models(folder=shared / "weights").make()


@pytest.fixture(scope="module")
def portraits(shared: Path) -> list[Path]:
    return sorted((shared / "data/faces/lfw_a").glob("*/*.jpg"))[::200]


def test_alignment_is_that_of_opencv(models: tuple[YuNet, SFace], portraits: list[Path], shared: Path) -> None:
    reference = cv2.FaceRecognizerSF.create(str(shared / "weights" / SFACE.name), "")
    for portrait in portraits:
        picture = read_picture(portrait)
        found = models[0].detect(picture)
        row = np.concatenate([found.boxes[0], found.landmarks[0].ravel(), found.confidences[:1]])
        theirs = reference.alignCrop(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), row)
        ours = align_face(picture, found.landmarks[0])
        assert np.abs(theirs[:, :, ::-1].astype(int) - ours.astype(int)).mean() < 0.5
        vector = models[1].embed(ours[None])[0]
        feature = reference.feature(theirs)[0]
        assert vector @ feature / np.linalg.norm(vector) / np.linalg.norm(feature) > 0.999


def test_a_transform_undoes_any_turn_scale_and_shift() -> None:
    angle, scale, shift = 0.7, 3.1, np.array([40.0, -12.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (TEMPLATE @ turn.T + shift).astype(np.float32)
    transform = similarity_transform(moved)
    np.testing.assert_allclose(moved @ transform[:, :2].T + transform[:, 2], TEMPLATE, atol=1e-3)


@pytest.mark.parametrize("side", [128, 250, 512, 1024, 2048, 4000])
def test_one_face_is_found_at_any_size(models: tuple[YuNet, SFace], portraits: list[Path], side: int) -> None:
    """One pass at full size finds half of these at 2,048 px and a quarter at 3,000."""
    found = 0
    for portrait in portraits:
        resized = cv2.resize(read_picture(portrait), (side, side), interpolation=cv2.INTER_CUBIC)
        picture = np.asarray(resized, dtype=np.uint8)
        found += len(models[0].detect(picture)) > 0
    assert found >= len(portraits) - 1


def test_a_large_face_keeps_its_vector(models: tuple[YuNet, SFace], portraits: list[Path]) -> None:
    picture = read_picture(portraits[0])
    large = np.asarray(cv2.resize(picture, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    vectors = []
    for version in (picture, large):
        vector = models[1].embed(align_face(version, models[0].detect(version).landmarks[0])[None])[0]
        vectors.append(vector / np.linalg.norm(vector))
    assert vectors[0] @ vectors[1] > 0.9


def test_a_group_of_1927_is_found(models: tuple[YuNet, SFace], shared: Path) -> None:
    found = models[0].detect(read_picture(
        shared / "data/faces/groups/historical/solvay_conference_1927_jakiiii.jpg"))
    assert 29 <= len(found) <= 31
    assert (np.diff(found.confidences) <= 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (60, 1200), (1200, 60)])
def test_odd_shapes_hold_no_face(models: tuple[YuNet, SFace], shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    assert len(models[0].detect(noise)) == 0


def test_blur_lowers_sharpness(portraits: list[Path], models: tuple[YuNet, SFace]) -> None:
    picture = read_picture(portraits[1])
    face = align_face(picture, models[0].detect(picture).landmarks[0])
    blurred = np.asarray(cv2.GaussianBlur(face, (0, 0), 3), dtype=np.uint8)
    assert sharpness(blurred) < 0.2 * sharpness(face)
