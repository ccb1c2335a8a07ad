"""``encode``: real photos, and files that other programs open."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from panoptic_faces.models.align import align_face
from panoptic_faces.models.pictures import read_picture
from panoptic_faces.services.face_table import CSV_COLUMNS, read_table

from .conftest import Run

MOBILEFACENET = ("--model", "mobilefacenet_192.onnx", "--normalisation", "rgb,127.5,128")


def test_vectors_know_the_people_of_the_reference(faces: Path, shared: Path) -> None:
    """Vectors of the same photos that another program aligned: each photo is nearest to its own person."""
    known = np.load(shared / "data/emb/bbt_cast.sface.npz")
    reference = known["emb"] / np.linalg.norm(known["emb"], axis=1, keepdims=True)
    table = read_table(faces)
    unit = table.vectors / np.linalg.norm(table.vectors, axis=1, keepdims=True)
    likeness = unit @ reference.T
    who = np.array([Path(row.photo.path).parent.name for row in table.rows()])
    assert (known["label"][likeness.argmax(axis=1)] == who).all() and likeness.max(axis=1).mean() > 0.85


def test_the_csv_has_the_documented_columns(faces: Path) -> None:
    with faces.with_suffix(".csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS and len(rows) == 40
    docs = Path(__file__).parents[2] / "docs"
    for text in (docs / "command-line.md", docs / "ligne-de-commande.md"):
        for column in CSV_COLUMNS:
            assert f"`{column}`" in text.read_text(encoding="utf-8") or column.startswith("landmark"), column
    for row in rows:
        assert Path(row["photo"]).is_file() and 0 < float(row["confidence"]) <= 1
        assert float(row["x"]) < float(row["landmark1_x"]) < float(row["x"]) + float(row["width"])


def test_npz_opens_without_pickle_and_without_us(faces: Path) -> None:
    with np.load(faces, allow_pickle=False) as arrays:
        assert arrays["vector"].shape == (40, 128) and arrays["vector"].dtype == np.float32
        assert len(arrays["face"]) == 40 and arrays["box"].shape == (40, 4)


def test_parquet_opens_in_pyarrow_and_holds_the_same(run: Run, faces: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run("encode", "photos", "--out", tmp_path / "faces.parquet", "--jobs", 1)
    opened = pq.read_table(tmp_path / "faces.parquet")
    assert opened.num_rows == 40 and {"face", "photo", "vector", "landmarks"} <= set(opened.column_names)
    one, other = read_table(faces), read_table(tmp_path / "faces.parquet")
    np.testing.assert_array_equal(np.array(opened["vector"].to_pylist(), dtype=np.float32), one.vectors)
    assert one.rows() == other.rows() and one.photos == other.photos
    np.testing.assert_array_equal(one.landmarks, other.landmarks)
    assert (tmp_path / "faces.csv").read_bytes() == faces.with_suffix(".csv").read_bytes()


def test_killed_it_goes_on_where_it_was(run: Run, environment: dict[str, str], faces: Path, tmp_path: Path) -> None:
    journal = tmp_path / "faces.npz.part"
    process = subprocess.Popen(
        [sys.executable, "-m", "panoptic_faces", "encode", "photos", "--out", tmp_path / "faces.npz", "--jobs", "1"],
        cwd=faces.parent, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 5):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "faces.npz").exists()
    # As if the kill had cut a line in two.
    journal.write_bytes(journal.read_bytes()[:-20])
    answer = json.loads(run("encode", "photos", "--out", tmp_path / "faces.npz", "--json").stdout)
    assert answer["photos"] == 40 and 0 < answer["new_photos"] <= 37
    assert not journal.exists()
    np.testing.assert_array_equal(read_table(tmp_path / "faces.npz").vectors, read_table(faces).vectors)


def test_again_only_what_is_new_is_read(run: Run, tmp_path: Path, place: Path) -> None:
    for person in ("amy", "raj"):
        shutil.copytree(place / "photos" / person, tmp_path / "photos" / person)
    first = json.loads(run("encode", "photos", "--out", "f.npz", "--json", cwd=tmp_path).stdout)
    assert first["new_photos"] == 10
    shutil.copytree(place / "photos" / "penny", tmp_path / "photos" / "penny")
    shutil.copy(tmp_path / "photos/amy/amy1.png", tmp_path / "photos/a copy.png")
    again = json.loads(run("encode", "photos", "--out", "f.npz", "--json", cwd=tmp_path).stdout)
    assert again["new_photos"] == 5 and again["faces"] == 16
    assert len({row.id for row in read_table(tmp_path / "f.npz").rows()}) == 16
    refused = run("encode", "photos", "--out", "f.npz", "--min-face-size", 30, cwd=tmp_path, code=1)
    assert "was made with other settings" in refused.stderr


def test_unreadable_photos_are_told_and_the_rest_is_done(run: Run, tmp_path: Path, place: Path) -> None:
    shutil.copytree(place / "photos" / "amy", tmp_path / "photos")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8 not a photo")
    done = run("encode", "photos", "--out", "f.npz", "--json", cwd=tmp_path, code=3)
    assert json.loads(done.stdout)["faces"] == 5 and "broken.jpg" in done.stderr
    assert [row["error"] for row in json.loads(done.stdout)["unreadable"]] == ["picture_unreadable"]
    (tmp_path / "none").mkdir()
    assert "no picture in none" in run("encode", "none", "--out", "g.npz", cwd=tmp_path, code=1).stderr
    assert "must end in" in run("encode", "photos", "--out", "g.txt", cwd=tmp_path, code=1).stderr


def test_sizes_are_obeyed(run: Run, tmp_path: Path, shared: Path) -> None:
    photo = shared / "data/faces/groups/historical/solvay_conference_1927_jakiiii.jpg"
    all_faces = json.loads(run("encode", photo, "--out", tmp_path / "a.npz", "--json").stdout)["faces"]
    run("encode", photo, "--out", tmp_path / "b.npz", "--max-side", 1000)
    told = run("encode", photo, "--out", tmp_path / "c.npz", "--min-face-size", 60).stderr
    large = read_table(tmp_path / "c.npz")
    assert f"less than 60 pixels, left out: {all_faces - len(large)}" in told
    assert 29 <= all_faces <= 31
    # Seen at another size, the same faces have other boxes by a pixel here and there.
    looked = [read_table(tmp_path / name) for name in ("a.npz", "b.npz")]
    assert [table.settings["max_side"] for table in looked] == ["2048", "1000"]
    assert not np.array_equal(looked[0].confidences, looked[1].confidences)
    assert all(row.size >= 60 for row in large.rows()) and len(large) < all_faces


def test_any_onnx_model_with_its_normalisation(run: Run, shared: Path, tmp_path: Path) -> None:
    model = ("--model", shared / "weights" / MOBILEFACENET[1], *MOBILEFACENET[2:])
    run("encode", "photos", "--out", tmp_path / "m.npz", *model)
    table = read_table(tmp_path / "m.npz")
    assert table.vectors.shape == (40, 192)
    row, photo = table.rows()[3], read_picture(Path(table.rows()[3].photo.path))
    network = cv2.dnn.readNetFromONNX(str(shared / "weights" / MOBILEFACENET[1]))
    network.setInput(cv2.dnn.blobFromImage(align_face(photo, table.landmarks[3]), 1 / 128, mean=(127.5,) * 3))
    np.testing.assert_allclose(table.vectors[3], network.forward()[0], rtol=1e-3, atol=1e-3)
    assert row.size > 50
    for arguments, told in (
            (model[:2], "must be declared"), ((*model[:3], "rgb,127.5,0"), "must be declared"),
            (("--model", "no.onnx"), "The model must be one of"),
            (("--model", shared / "weights/bad/sface_is_a_git_lfs_pointer.onnx", *model[2:]), "is not an ONNX model"),
            (("--model", shared / "weights/face_detection_yunet_2023mar.onnx", *model[2:]), "is not an ONNX model"),
            (("--detector", "magic"), "The detector must be one of"),
            (("--detector", "dlib-hog"), "goes with the model dlib only")):
        assert told in run("encode", "photos", "--out", tmp_path / "no.npz", *arguments, code=1).stderr
    assert not list(tmp_path.glob("no*"))


@pytest.mark.parametrize("detector", ["dlib-hog", "dlib-cnn", "yunet"])
def test_dlib(run: Run, tmp_path: Path, detector: str, place: Path) -> None:
    if not all(importlib.util.find_spec(name) for name in ("dlib", "face_recognition_models")):
        pytest.skip("needs the extra [dlib]")
    for person in ("amy", "raj"):
        shutil.copytree(place / "photos" / person, tmp_path / "photos" / person)
    run("encode", "photos", "--out", "d.npz", "--model", "dlib", "--detector", detector, cwd=tmp_path)
    table = read_table(tmp_path / "d.npz")
    who = np.array([Path(row.photo.path).parent.name for row in table.rows()])
    apart = np.linalg.norm(table.vectors[:, None] - table.vectors[None], axis=2)
    same = who[:, None] == who[None]
    assert len(table) >= 9 and table.vectors.shape[1] == 128
    # The library's own rule: under 0.6 it is the same person.
    assert (apart[same] < 0.6).mean() > 0.9 and (apart[~same] > 0.6).mean() > 0.9


def test_without_dlib_the_line_that_installs_it_is_told(environment: dict[str, str], place: Path) -> None:
    code = ("import sys; sys.modules['dlib'] = None\nfrom panoptic_faces.cli import main\n"
            "main(['encode', 'photos', '--out', 'no.npz', '--model', 'dlib'])")
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=place, capture_output=True, text=True)
    assert done.returncode == 1 and 'pip install "panoptic_faces[dlib]"' in done.stderr
    assert "Traceback" not in done.stderr
