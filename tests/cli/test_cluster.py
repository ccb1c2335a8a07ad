"""``cluster`` and ``runs``: what they write, opened by other programs."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image

from .conftest import Run

CHROMIUM = shutil.which("chromium")


def partition(run: Path) -> set[frozenset[str]]:
    """The groups of a run, by the names of their photos."""
    written = json.loads((run / "people.json").read_text(encoding="utf-8"))
    return {frozenset(Path(face["photo"]).name for face in person["faces"]) for person in written["people"]}


def right(place: Path) -> set[frozenset[str]]:
    return {frozenset(photo.name for photo in person.iterdir()) for person in (place / "photos").iterdir()}


def test_people_are_found_and_have_folders_of_crops(people: Path, place: Path) -> None:
    assert partition(people) == right(place)
    folders = sorted((people / "people").iterdir())
    assert len(folders) == 8
    for folder in folders:
        crops = sorted(folder.iterdir())
        assert [crop.name[:5] for crop in crops] == ["0001_", "0002_", "0003_", "0004_", "0005_"]
        for crop in crops:
            with Image.open(crop) as image:
                assert image.format == "JPEG" and json.loads(image.getexif()[0x010E])["photo"].startswith(crop.stem[5:])


def test_faces_come_best_first(people: Path) -> None:
    written = json.loads((people / "people.json").read_text(encoding="utf-8"))
    scores = [person["score"] for person in written["people"]]
    assert scores == sorted(scores)
    for person in written["people"]:
        likeness = [face["similarity"] for face in person["faces"]]
        assert likeness == sorted(likeness, reverse=True)
        assert person["score"] == pytest.approx(100 * (1 - np.mean(likeness)), abs=0.02)


def test_the_workbook_opens_with_thumbnails_and_no_formula(people: Path) -> None:
    book = openpyxl.load_workbook(people / "people.xlsx")
    assert book.sheetnames == ["Faces", "People", "Parameters"]
    faces, persons, parameters = book.worksheets
    assert (faces.max_row, persons.max_row) == (41, 9)
    assert (len(faces._images), len(persons._images)) == (40, 8)
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    told = {row[0].value: row[1].value for row in parameters.iter_rows(min_row=2)}
    assert told["parameters.method"] == "auto" and told["counts.faces"] == 40 and "versions.numpy" in told


def test_tables_agree(people: Path) -> None:
    with (people / "faces.csv").open(encoding="utf-8-sig", newline="") as file:
        faces = list(csv.DictReader(file))
    with (people / "people.csv").open(encoding="utf-8-sig", newline="") as file:
        persons = list(csv.DictReader(file))
    assert [row["person"] for row in persons] == list(dict.fromkeys(row["person"] for row in faces))
    for row in persons:
        assert (people / "people" / row["folder"]).is_dir() and row["faces"] == "5"


def test_contact_sheets_show_every_face(people: Path) -> None:
    sheets = sorted((people / "sheets").rglob("*.jpg"))
    assert len(sheets) == 9
    with Image.open(people / "sheets" / "everybody.jpg") as image:
        assert image.size[0] > 8 * 112
        everybody = np.asarray(image.convert("L"))
    # Eight thumbnails in a row: each has many greys, where paper has one.
    assert all(everybody[45:150, 6 + 118 * place : 110 + 118 * place].std() > 20 for place in range(8))


def test_pictures_of_the_map_and_of_distances_open(people: Path) -> None:
    for name in ("map.png", "distances.png"):
        with Image.open(people / name) as image:
            image.load()
            assert image.format == "PNG" and min(image.size) > 400


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")
def test_pointing_at_a_dot_shows_its_face(people: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[str] = []
        problems: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto((people / "map.html").as_uri())
        assert page.locator("circle").count() == 40 and not page.locator("#face").is_visible()
        page.locator("circle[data-face='7']").hover(force=True)
        assert page.locator("#face").is_visible()
        assert page.locator("#face b").inner_text() == "Face 2"
        assert page.evaluate("document.querySelector('#face img').naturalWidth") > 50
        assert page.locator("circle.same").count() == 5
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == [] and problems == []


def test_photos_at_once_and_a_second_time(run: Run, tmp_path: Path, place: Path) -> None:
    line = json.loads(run("cluster", "photos", "--out", tmp_path, "--save", "photos", "--jobs", 2, "--json").stdout)
    assert partition(tmp_path / "run-001") == right(place) and line["counts"]["photos"] == 40
    for photo in (place / "photos").rglob("*.png"):
        copies = list((tmp_path / "run-001" / "people").glob(f"*/????_{photo.name}"))
        assert len(copies) == 1 and copies[0].read_bytes() == photo.read_bytes() and not copies[0].is_symlink()
    before = {path: path.read_bytes() for path in (tmp_path / "run-001").rglob("*") if path.is_file()}
    run("cluster", "photos", "--out", tmp_path, "--save", "links", "--method", "dbscan", "--set", "eps=0.6",
        "--set", "min_samples=2", "--min-size", 2, "--seed", 3)
    assert before == {path: path.read_bytes() for path in (tmp_path / "run-001").rglob("*") if path.is_file()}
    links = list((tmp_path / "run-002" / "people").glob("*/*"))
    assert links and all(link.is_symlink() and link.resolve().parents[1] == place / "photos" for link in links)
    run("cluster", tmp_path / "faces.npz", "--out", tmp_path, "--save", "none", "--method", "kmeans",
        "--set", "n_clusters=2")
    assert not (tmp_path / "run-003" / "people").exists() and len(partition(tmp_path / "run-003")) == 2
    lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["run"] for line in lines] == [1, 2, 3]
    assert lines[1]["parameters"].items() >= {"method": "dbscan", "eps": 0.6, "min_size": 2, "seed": 3}.items()
    _listed_and_compared(run, tmp_path)


def _listed_and_compared(run: Run, out: Path) -> None:
    assert [line.split("\t")[2] for line in run("runs", out).stdout.splitlines()] == [
        "method", "auto", "dbscan", "kmeans"]
    assert [row["counts"]["faces"] for row in json.loads(run("runs", out, "--json").stdout)] == [40, 40, 40]
    same = json.loads(run("runs", out, "--compare", 1, 1, "--json").stdout)
    assert same["agreement"]["bcubed_f"] == 1 and same["differences"] == {}
    other = json.loads(run("runs", out, "--compare", 1, 3, "--json").stdout)
    assert other["differences"]["method"] == ["auto", "kmeans"] and other["counts"]["people"] == [8, 2]
    assert other["agreement"]["bcubed_precision"] < 0.5 and other["faces"] == 40
    assert "The run must be one of 1, 2, 3; got 9" in run("runs", out, "--compare", 1, 9, code=1).stderr
    assert "holds no runs" in run("runs", out / "run-001", code=1).stderr


def test_mistakes_are_told_before_anything_is_written(run: Run, tmp_path: Path, faces: Path) -> None:
    out = tmp_path / "out"
    for arguments, told in (
            (("--method", "dbscan", "--set", "eps=9"), "must be within 0 … 2"),
            (("--method", "dbscan", "--set", "size=9"), "has no parameter size"),
            (("--set", "eps"), "must be written name=value"), (("--set", "seed=1"), "has no parameter seed")):
        assert told in run("cluster", faces, "--out", out, *arguments, code=1).stderr
    run("cluster", faces, "--out", out, "--save", "all", code=2)
    (tmp_path / "not.npz").write_bytes(b"not a file of faces")
    assert "is not a file of faces" in run("cluster", tmp_path / "not.npz", "--out", out, code=1).stderr
    assert not out.exists()


def test_photos_that_are_gone_are_told(run: Run, tmp_path: Path, place: Path) -> None:
    shutil.copytree(place / "photos" / "amy", tmp_path / "photos")
    run("encode", "photos", "--out", "f.parquet", cwd=tmp_path)
    (tmp_path / "photos" / "amy1.png").unlink()
    done = run("cluster", "f.parquet", "--out", "out", "--save", "photos", cwd=tmp_path)
    assert "photo is gone or was changed: 1" in done.stderr
    assert len(list((tmp_path / "out/run-001/people").glob("*/*"))) == 4


def test_another_models_vectors_group_too(run: Run, tmp_path: Path, place: Path, shared: Path) -> None:
    shutil.copytree(place / "photos" / "amy", tmp_path / "photos")
    run("cluster", tmp_path / "photos", "--out", tmp_path, "--model", shared / "weights/mobilefacenet_192.onnx",
        "--normalisation", "rgb,127.5,128", "--detector", "yunet", "--save", "none")
    line = json.loads((tmp_path / "runs.jsonl").read_text(encoding="utf-8"))
    assert line["parameters"]["model"] == "mobilefacenet_192.onnx" and line["counts"]["faces"] == 5
