"""Names that no file system or spreadsheet should be trusted with."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image

from panoptic_faces.services.crops import FaceCrops
from panoptic_faces.services.export import export_people
from panoptic_faces.services.face_table import FaceRow, PhotoRow
from panoptic_faces.services.file_names import safe_cell, safe_name, safe_names
from panoptic_faces.services.organise import Group

NAMES = ["A/../B", "CON", "con.txt", "x" * 300, "é" * 300, "👩\u200d🚀", "🎉", "", ".", "..", " .hidden. ", "Zoë",
         "Zoe\u0308", "zoë", "=1+1", "@SUM(A1)", "a\nb", "a\\b", "C:\\x", "李雷", "Same", "Same", "same", "AUX ",
         "Lpt1.jpg", "-1"]
CELLS = {"=1+1": "'=1+1", "@SUM(A1)": "'@SUM(A1)", "plain": "plain", "+33": "'+33", "": ""}


def test_file_names_are_safe_and_distinct() -> None:
    found = safe_names(NAMES)
    assert len({name.casefold() for name in found}) == len(NAMES)
    for name in found:
        assert 0 < len(name.encode()) <= 84 and not set(name) & set('<>:"/\\|?*\n') and name == name.strip(" ")
        assert not name.startswith(".") and not name.endswith(".")
        assert name.split(".")[0].upper() not in {"CON", "AUX", "NUL", "LPT1"}
    for name in ("Zoë", "李雷", "Jean-Luc d’Été (fils)"):
        assert safe_name(name) == name


def test_formulas_are_texts() -> None:
    assert {text: safe_cell(text) for text in CELLS} == CELLS


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    crops, faces = FaceCrops(), []
    for number in range(len(NAMES)):
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 255, (150, 130, 3), dtype=np.uint8)).save(file, "JPEG")
        crops.add(f"{number}-1", file.getvalue())
        faces.append(FaceRow(f"{number}-1", PhotoRow(f"/photos/=cmd {number}.jpg", f"{number:040d}"), (0, 0, 50, 60),
                             0.9, 100.0))
    out = tmp_path_factory.mktemp("names")
    groups = [Group(name, [face.id]) for name, face in zip(NAMES, faces, strict=True)]
    export_people(groups, [], faces, random.normal(size=(len(NAMES), 8)).astype(np.float32), crops, out, "fr")
    crops.close()
    return out / "run-001"


def test_two_people_with_the_same_safe_name_stay_two(exported: Path) -> None:
    folders = sorted(path for path in (exported / "people").iterdir())
    assert len(folders) == len(NAMES) and all(len(list(folder.iterdir())) == 1 for folder in folders)
    assert len(list((exported / "sheets/people").iterdir())) == len(NAMES)
    assert sorted(path.name for path in exported.parent.iterdir()) == ["run-001", "runs.jsonl"]
    written = json.loads((exported / "people.json").read_text(encoding="utf-8"))
    assert [person["name"] for person in written["people"]] == NAMES


def test_no_spreadsheet_takes_a_name_for_a_formula(exported: Path) -> None:
    with (exported / "people.csv").open(encoding="utf-8-sig", newline="") as file:
        told = [row["person"] for row in csv.DictReader(file)]
    assert told == [name if not name.startswith(("=", "@")) else f"'{name}" for name in NAMES]
    book = openpyxl.load_workbook(exported / "people.xlsx")
    assert book.sheetnames == ["Visages", "Personnes", "Paramètres"]
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert kinds <= {"s", "n"}
    assert "=1+1" in [row[1].value for row in book["Personnes"].iter_rows(min_row=2)]


def test_the_page_of_the_map_holds_hostile_names_as_texts(exported: Path) -> None:
    page = (exported / "map.html").read_text(encoding="utf-8")
    assert page.count("</script>") == 2 and "http" not in page.replace("http://www.w3.org/2000/svg", "").replace(
        "http-equiv", "")
