"""XMP that exiftool reads, and XMP of exiftool read back; photos stay as they are."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from panoptic_faces.core.errors import FacesError
from panoptic_faces.services.regions import Region, Stored, read_regions, with_regions
from panoptic_faces.services.xmp import as_region, stored_size, write_into

from .conftest import Run

EXIFTOOL = shutil.which("exiftool")
needs_exiftool = pytest.mark.skipif(EXIFTOOL is None, reason="needs Debian's package libimage-exiftool-perl")
# What turns stored pixels upright, by EXIF orientation.
TURNS = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
         4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270,
         7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
BACK = {**TURNS, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def exiftool(file: Path, *arguments: str) -> dict[str, Any]:
    assert EXIFTOOL
    done = subprocess.run([EXIFTOOL, "-j", "-struct", *arguments, str(file)], capture_output=True, text=True,
                          check=True)
    assert "Warning" not in done.stderr
    return dict(json.loads(done.stdout)[0])


def digests(folder: Path) -> dict[Path, str]:
    return {path: hashlib.sha1(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def turned(shared: Path, tmp_path: Path) -> Path:
    """A folder with one JPEG photo whose pixels lie on their side, as a camera held upright writes them."""
    source = next((shared / "data/faces/lfw_a/Abdullah").iterdir())
    with Image.open(source) as image:
        wide = Image.new("RGB", (image.width + 90, image.height), "grey")
        wide.paste(image, (90, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "photos").mkdir()
    wide.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "photos/turned.jpg", quality=95, exif=exif)
    return tmp_path / "photos"


def shows_the_face(stored: Path, area: dict[str, Any]) -> float:
    """How alike the part that exiftool names, of the pixels as they are stored, and the crop that was saved are."""
    with Image.open(stored) as image:
        width, height = image.size
        part = image.crop((round((area["X"] - area["W"] / 2) * width), round((area["Y"] - area["H"] / 2) * height),
                           round((area["X"] + area["W"] / 2) * width), round((area["Y"] + area["H"] / 2) * height)))
        return float(np.asarray(part.transpose(Image.Transpose.ROTATE_270).convert("L").resize((64, 64))).mean())


@needs_exiftool
def test_a_turned_photo_in_a_sidecar_and_in_a_copy(run: Run, turned: Path) -> None:
    place = turned.parent
    run("cluster", "photos", "--out", "out", "--save", "none", cwd=place)
    before = digests(turned)
    face = json.loads((place / "out/run-001/people.json").read_text(encoding="utf-8"))["people"][0]["faces"][0]
    run("xmp-write", "out/run-001", "--into", "copies", "--out", "copies", cwd=place)
    run("xmp-write", "out/run-001", "--into", "sidecars", "--out", "sidecars", cwd=place)
    assert digests(turned) == before
    x, y, width, height = face["box"]
    with Image.open(turned / "turned.jpg") as image:
        upright = image.transpose(Image.Transpose.ROTATE_270)
    for file in (place / "copies/turned.jpg", place / "sidecars/turned.jpg.xmp"):
        told = exiftool(file, "-RegionInfo", "-RegionInfoMP")
        region = told["RegionInfo"]["RegionList"][0]
        assert region["Name"] == "Face 1" and region["Type"] == "Face"
        assert told["RegionInfo"]["AppliedToDimensions"] == {"W": upright.height, "H": upright.width, "Unit": "pixel"}
        area = {side: float(region["Area"][side]) for side in "XYWH"}
        # Stored pixels stand on their side: what is across upright is down there.
        assert area["W"] * upright.height == pytest.approx(height, abs=0.01)
        assert area["H"] * upright.width == pytest.approx(width, abs=0.01)
        seen = np.asarray(upright.crop((x, y, x + width, y + height)).convert("L").resize((64, 64))).mean()
        assert shows_the_face(turned / "turned.jpg", area) == pytest.approx(seen, abs=1.0)
        assert told["RegionInfoMP"]["Regions"][0]["PersonDisplayName"] == "Face 1"
    back = json.loads(run("xmp-read", "copies", "--json", cwd=place).stdout)
    assert [row["name"] for row in back] == ["Face 1"]
    sides = np.array([upright.width, upright.height] * 2)
    np.testing.assert_allclose(np.array(back[0]["box"]) * sides, face["box"], atol=0.01)
    with Image.open(place / "copies/turned.jpg") as copy, Image.open(turned / "turned.jpg") as original:
        assert copy.getexif()[0x0112] == 6
        np.testing.assert_array_equal(np.asarray(copy), np.asarray(original))


@needs_exiftool
@pytest.mark.parametrize("orientation", TURNS)
def test_every_orientation_points_at_the_same_pixels(tmp_path: Path, orientation: int) -> None:
    upright = Image.new("RGB", (60, 40))
    upright.paste("white", (10, 5, 30, 15))
    back = BACK[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = tmp_path / "photo.png"
    (upright.transpose(back) if back is not None else upright).save(photo, exif=exif)
    write_into(photo, [as_region("Ana", (10, 5, 20, 10), stored_size(photo))], tmp_path / "copy.png")
    area = exiftool(tmp_path / "copy.png", "-RegionInfo")["RegionInfo"]["RegionList"][0]["Area"]
    with Image.open(photo) as image:
        pixels = np.asarray(image.convert("L"))
    x, y, w, h = (float(area[side]) for side in "XYWH")
    tall, wide = pixels.shape
    inside = pixels[round((y - h / 2) * tall) : round((y + h / 2) * tall),
                    round((x - w / 2) * wide) : round((x + w / 2) * wide)]
    assert inside.min() == 255 and inside.size == 200


@needs_exiftool
def test_a_sidecar_of_another_program_keeps_all_it_says(run: Run, people: Path, tmp_path: Path) -> None:
    shutil.copytree(people.parents[1] / "photos/amy", tmp_path / "photos")
    run("cluster", "photos", "--out", "out", "--save", "none", cwd=tmp_path)
    sidecar, photo = tmp_path / "photos/amy1.xmp", tmp_path / "photos/amy1.png"
    face = next(face for face in json.loads((tmp_path / "out/run-001/people.json").read_text())["people"][0]["faces"]
                if face["photo"].endswith("amy1.png"))
    x, y, width, height = (part / 150 for part in face["box"])
    assert EXIFTOOL
    subprocess.run([EXIFTOOL, "-q", "-XMP-dc:Subject=travail", "-XMP-xmp:Rating=4",
                    "-RegionInfo={AppliedToDimensions={W=150,H=150,Unit=pixel},RegionList=["
                    f"{{Name=Amy Farrah,Type=Face,Area={{X={x + width / 2},Y={y + height / 2},W={width},H={height},"
                    "Unit=normalized}},{Name=Rex,Type=Pet,Area={X=0.1,Y=0.1,W=0.1,H=0.1,Unit=normalized}}]}",
                    str(sidecar)], check=True)
    before = digests(tmp_path / "photos")
    refused = run("xmp-write", "out/run-001", cwd=tmp_path, code=3)
    assert "exists and is left as it is" in refused.stderr and before.items() <= digests(tmp_path / "photos").items()
    answer = json.loads(run("xmp-write", "out/run-001", "--merge", "--json", cwd=tmp_path).stdout)
    assert len(answer["written"]) == 5 and answer["skipped"] == []
    told = exiftool(sidecar, "-Subject", "-Rating", "-RegionInfo")
    assert told["Subject"] == ["travail"] or told["Subject"] == "travail"
    assert told["Rating"] == 4
    # The name that a person gave stays, and ours is not laid over it.
    assert sorted(region["Name"] for region in told["RegionInfo"]["RegionList"]) == ["Amy Farrah", "Rex"]
    assert exiftool(tmp_path / "photos/amy2.png.xmp", "-RegionInfo")["RegionInfo"]["RegionList"][0]["Name"] == "Face 1"
    read = json.loads(run("xmp-read", "photos", "--json", cwd=tmp_path).stdout)
    assert {row["name"] for row in read if row["photo"] == str(photo)} == {"Amy Farrah"} and len(read) == 5


def test_originals_change_only_when_it_is_said_twice(run: Run, people: Path, tmp_path: Path) -> None:
    shutil.copytree(people.parents[1] / "photos/raj", tmp_path / "photos")
    run("cluster", "photos", "--out", "out", "--save", "none", cwd=tmp_path)
    before = digests(tmp_path / "photos")
    assert "said twice" in run("xmp-write", "out/run-001", "--into", "originals", cwd=tmp_path, code=1).stderr
    assert "add --out" in run("xmp-write", "out/run-001", "--into", "copies", cwd=tmp_path, code=1).stderr
    assert digests(tmp_path / "photos") == before
    pixels = {path: np.asarray(Image.open(path)) for path in before}
    run("xmp-write", "out/run-001/people.json", "--into", "originals", "--change-originals", cwd=tmp_path)
    for path, was in pixels.items():
        assert digests(tmp_path / "photos")[path] != before[path]
        np.testing.assert_array_equal(np.asarray(Image.open(path)), was)
    assert run("xmp-read", "photos", cwd=tmp_path).stdout.count("Face 1") == 5
    (tmp_path / "run.json").write_text("[]")
    assert "is not a people.json" in run("xmp-write", "run.json", cwd=tmp_path, code=1).stderr


def test_copies_are_never_written_over(run: Run, people: Path, tmp_path: Path) -> None:
    run("xmp-write", people, "--into", "copies", "--out", tmp_path)
    before = digests(tmp_path)
    assert len(before) == 40
    assert "Files written: 0; photos skipped: 40" in run(
        "xmp-write", people, "--into", "copies", "--out", tmp_path, code=3).stdout
    assert digests(tmp_path) == before


def test_names_of_any_script_and_hostile_packets() -> None:
    names = ["Éloïse <& \"co\">", "Łukasz 李雷 👩‍🚀", "a\x00b\nc"]
    regions = [Region(name, (0.1 + 0.3 * place, 0.2, 0.2, 0.3)) for place, name in enumerate(names)]
    packet = with_regions(None, regions, Stored(100, 200, 8))
    back = read_regions(packet, 8)
    assert [region.name for region in back] == [*names[:2], "abc"]
    np.testing.assert_allclose([region.box for region in back], [region.box for region in regions], atol=1e-5)
    assert [region.name for region in read_regions(with_regions(packet, regions, Stored(100, 200, 8)), 8)] == [
        *names[:2], "abc"]
    for hostile in (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&a;</x:xmpmeta>", b"\x00\xff",
                    b"<x:xmpmeta>"):
        with pytest.raises(FacesError):
            read_regions(hostile)
