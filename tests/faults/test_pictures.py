"""Whatever file stands for a photo: its faces, or one sentence, within bounds of memory."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image

from panoptic_faces.core.errors import FacesError
from panoptic_faces.models.pictures import read_header, read_picture
from panoptic_faces.services.scan import Photo

from .conftest import Guarded
from .mutated import MUTATIONS, mutated, saved

SAMPLE = 150
# Pillow warns of many of these files, and reads them.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def portraits(shared: Path) -> list[Image.Image]:
    files = [*sorted((shared / "data/faces/bbt_cast").glob("*/*"))[:6],
             *sorted((shared / "data/faces/orl_att").rglob("*.pgm"))[:2]]
    return [Image.open(file).convert("RGB") for file in files]


def is_one_sentence(error: FacesError) -> bool:
    return all(len(told.splitlines()) == 1 and told.endswith((".", "?")) and len(told) < 400 and "Traceback" not in told
               for told in (error.sentence("en"), error.sentence("fr")))


def test_faces_or_a_sentence(portraits: list[Image.Image], shared: Path, tmp_path: Path) -> None:
    from panoptic_faces.models.choices import choose_models
    from panoptic_faces.models.visual import VisualEmbedder
    from panoptic_faces.services.images import vectors_of_photos
    from panoptic_faces.services.scan import FaceScanner

    scanner = FaceScanner(choose_models(folder=shared / "weights").make)
    vectors = vectors_of_photos(VisualEmbedder())
    found: dict[str, set[str]] = {}
    for kind, ending, data in mutated(portraits, SAMPLE):
        file = tmp_path / f"photo{ending}"
        file.write_bytes(data)
        photo = Photo(hashlib.sha1(data).hexdigest(), file.name, file)
        scanned, = scanner.scan([photo])
        (_, vector, error), = vectors([photo])
        assert (vector is None) == (error is not None) == (scanned.error is not None), kind
        if scanned.error is not None:
            assert is_one_sentence(scanned.error), scanned.error
        else:
            assert vector is not None and np.isfinite(vector).all()
            assert all(np.isfinite(face.vector).all() and read_picture(face.crop).size for face in scanned.faces)
        outcome = scanned.error.code if scanned.error else "faces" if scanned.faces else "none"
        found.setdefault(kind, set()).add(outcome)
    assert set(found) == {mutation.__name__ for mutation in MUTATIONS}
    for kind in ("whole", "lengthened", "wrong_ending", "animated", "odd_exif", "modes", "panorama"):
        assert "faces" in found[kind] and found[kind] <= {"faces", "none"}, (kind, found[kind])
    for kind in ("no_size", "not_pictures", "large_header", "bomb"):
        assert found[kind] <= {"picture_unreadable", "picture_too_large"}, (kind, found[kind])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: st.DataObject) -> None:
    """Every reader, led into its depths by the first bytes of its format."""
    kind = data.draw(st.sampled_from(("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000", "PPM", "TGA", "ICO",
                                      "PCX", "SGI", "AVIF")))
    whole = saved(Image.linear_gradient("L").resize((24, 16)).convert("RGB"), kind)
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 64))
    content = whole[:start] + data.draw(st.binary(max_size=64)) + whole[start + length :]
    for read in (read_picture, read_header):
        try:
            found = read(content)
        except FacesError as error:
            assert is_one_sentence(error)
        else:
            assert not isinstance(found, np.ndarray) or (found.dtype == np.uint8 and found.shape[2:] == (3,))


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_exif(body: bytes) -> None:
    """A sound picture is read whatever its EXIF says, and never twice the other way round."""
    picture = Image.linear_gradient("L").resize((24, 16)).convert("RGB")
    content = saved(picture, "JPEG", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + body)
    header = read_header(content)
    assert header.orientation in range(1, 9) and (header.width, header.height) == (24, 16)
    assert read_picture(content).shape == ((16, 24, 3) if header.orientation < 5 else (24, 16, 3))


def test_a_turned_photo_is_set_upright_though_the_rest_of_its_exif_is_broken() -> None:
    entries = [(0x0112, 3, 1, 6), (0x011A, 5, 1, 50), (0x8825, 4, 1, 2**32 - 1)]
    body = struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + struct.pack("<I", 9)
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + body.ljust(42, b"\x00") + struct.pack("<II", 0, 0)
    picture = Image.new("RGB", (40, 20))
    picture.paste("red", (0, 0, 10, 20))
    read = read_picture(saved(picture, "PNG", exif=exif))
    assert read.shape == (40, 20, 3) and read[5, 10].tolist() == [255, 0, 0]


def test_no_file_has_another_program_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow hands EPS to Ghostscript, whatever the file's name ends in."""
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("Ghostscript was asked"))
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\nshowpage\n%%EOF\n"
    with pytest.raises(FacesError) as raised:
        read_picture(page)
    assert raised.value.code == "picture_unreadable"


@pytest.mark.parametrize("pixels", [200_000_000, 2_500_000_000])
def test_a_limit_is_one_that_a_picture_can_keep(pixels: int) -> None:
    """Above Pillow's own limit too, the sentence does not tell of a smaller number than the one allowed."""
    with pytest.raises(FacesError) as raised:
        read_picture(f"P6 {pixels // 10_000} 10000 255\n".encode())
    assert raised.value.code == "picture_too_large"
    assert int(str(raised.value.values["megapixels"]).strip(">")) >= raised.value.values["limit"]


LARGE = """
import sys, resource
import numpy as np
from pathlib import Path
from PIL import Image
from panoptic_faces.models.pictures import read_picture
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
picture = read_picture(Path(sys.argv[1]))
assert picture.shape == (6000, 6000, 3), picture.shape
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (6000 * 6000))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is counted in other units")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16", "F", "CMYK"])
def test_memory_stays_within_a_few_times_the_picture(mode: str, tmp_path: Path) -> None:
    """Pillow's RGB has 4 bytes a pixel and the result 3; nothing more than one other copy stands beside them."""
    file = tmp_path / "large.tif"
    if mode in ("I;16", "F"):
        kind = np.uint16 if mode == "I;16" else np.float32
        Image.fromarray(np.zeros((6000, 6000), dtype=kind)).save(file, compression="tiff_lzw")
    else:
        Image.new(mode, (6000, 6000)).save(file, compression="tiff_lzw")
    done = subprocess.run([sys.executable, "-c", LARGE, file], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 16


def test_a_folder_of_them_in_panoptic(guarded: Guarded, portraits: list[Image.Image], tmp_path: Path) -> None:
    folder = tmp_path / "mutated"
    folder.mkdir()
    for number, (kind, ending, data) in enumerate(mutated(portraits, 3 * len(MUTATIONS), seed=1)):
        (folder / f"{number:02d} {kind}{ending}").write_bytes(data)
    file = io.BytesIO()
    portraits[0].save(file, "JPEG")
    (folder / "sound.jpg").write_bytes(file.getvalue())
    before = len(guarded.log())
    panoptic = guarded.open(tmp_path, folder)
    photos = len(panoptic.get("/instances"))
    panoptic.act("detect_faces")
    task = panoptic.wait()[-1]
    assert task["done"] + task["failed"] == task["total"] > 30 and task["done"] >= 12 and task["failed"] >= 12
    assert len(panoptic.get("/instances")) > photos
    told = (tmp_path / "project/plugin_data/panopticfaces/scan.log").read_text(encoding="utf-8").splitlines()
    assert len(told) == task["failed"] and all(len(line.split("\t")) == 3 for line in told)
    assert not any("PanopticFaces" in part for part in guarded.log()[before:].split("Traceback")[1:])
    groups = panoptic.act("cluster_faces")["groups"]
    assert sum(len(group["sha1s"]) for group in groups) == len({row[2] for row in panoptic.get("/instances")})
