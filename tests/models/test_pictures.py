"""Every picture comes in upright, as 8-bit RGB, or with one sentence."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from panoptic_faces.core.errors import FacesError
from panoptic_faces.models import pictures
from panoptic_faces.models.pictures import read_picture


@pytest.fixture
def ramp() -> Image.Image:
    """Dark on the left, light on the right, a red corner at the top left."""
    levels = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (20, 1))
    image = Image.fromarray(levels).convert("RGB")
    image.paste((255, 0, 0), (0, 0, 10, 10))
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "JPEG2000", "GIF", "PPM"])
def test_formats(ramp: Image.Image, kind: str) -> None:
    read = read_picture(saved(ramp, kind))
    assert read.shape == (20, 40, 3) and read.dtype == np.uint8
    assert np.abs(read.astype(int) - np.asarray(ramp).astype(int)).mean() < 12


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr", "LA", "RGBA"])
def test_modes(ramp: Image.Image, mode: str) -> None:
    read = read_picture(saved(ramp.convert(mode), "TIFF"))
    assert read.shape == (20, 40, 3)
    assert read[15, 35].mean() > read[15, 12].mean()


@pytest.mark.parametrize("orientation, corner", [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_exif_orientation_is_applied(ramp: Image.Image, orientation: int, corner: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = read_picture(saved(ramp, "PNG", exif=exif)).astype(int)
    red = read[..., 0] - read[..., 1]
    assert red[corner] > 200
    assert read.shape == ((20, 40, 3) if orientation in (1, 3) else (40, 20, 3))


def test_sixteen_bits_and_floats_are_scaled() -> None:
    levels = np.tile(np.linspace(0, 65535, 40).astype(np.uint16), (20, 1))
    read = read_picture(saved(Image.fromarray(levels), "PNG"))
    assert read[0, 0].tolist() == [0, 0, 0] and read[0, -1].tolist() == [255, 255, 255]
    floats = Image.fromarray(np.tile(np.linspace(-3, 5, 40).astype(np.float32), (20, 1)))
    read = read_picture(saved(floats, "TIFF"))
    assert read[0, 0].tolist() == [0, 0, 0] and read[0, -1].tolist() == [255, 255, 255]


def test_transparency_lies_on_white(ramp: Image.Image) -> None:
    clear = ramp.convert("RGBA")
    clear.putalpha(0)
    assert (read_picture(saved(clear, "PNG")) == 255).all()


def test_animations_give_their_first_frame(ramp: Image.Image) -> None:
    frames = [Image.new("RGB", (40, 20), "black")]
    assert read_picture(saved(ramp, "GIF", save_all=True, append_images=frames))[15, 39].mean() > 200


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff\xe0" + b"\0" * 50, b"GIF89a"])
def test_what_is_no_picture_is_said(data: bytes) -> None:
    with pytest.raises(FacesError) as raised:
        read_picture(data)
    assert raised.value.code == "picture_unreadable" and "lisible" in raised.value.sentence("fr")


def test_a_cut_file_is_said(ramp: Image.Image) -> None:
    whole = saved(Image.effect_noise((200, 200), 90), "JPEG")
    with pytest.raises(FacesError):
        read_picture(whole[: len(whole) // 2])


def test_what_is_too_large_is_never_decoded(ramp: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PIXELS", 799)
    with pytest.raises(FacesError, match="at most 0 megapixels"):
        read_picture(saved(ramp, "PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    with pytest.raises(FacesError, match="megapixels"):
        read_picture(saved(ramp, "PNG"))


def test_a_photo_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(FacesError, match="not exist any more"):
        read_picture(tmp_path / "gone.jpg")
