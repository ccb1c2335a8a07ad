"""Names that are programs, paths, queries or formulas: everywhere they are only names."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Dialog

from panoptic_faces.launch import Panoptic
from panoptic_faces.services.regions import read_regions

from ..host.driver import CHROMIUM, Page
from ..host.person import Person
from .conftest import Guarded

NAMES = (
    "<img src=x onerror=pwned=1>", "</script><script>window.pwned=1</script>", "<!--<script>", "';alert(1);//",
    "{{constructor.constructor('pwned=1')()}}", "javascript:pwned=1", "../../../../tmp/pwned", 
    "..\\..\\pwned", "/etc/passwd",
    "'); DROP TABLE tags; --", "\" OR 1=1 --", "=cmd|' /C calc'!A0", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0", "=HYPERLINK(\"http://example.org\")", "＝1+1", "\t=1+1", "]]><!ENTITY x \"y\">&x;",
    "evil\u202egpj.exe", "Zo\u200be\u0308", "\u2066right\u2069", "%s%n{name}{0}", "$HOME `id`", "\x00\x07bell",
    "CON", "nul.txt", "a" * 3000, "line\nbreak\r\nline", "👩\u200d🚀")


@pytest.fixture(scope="module")
def named(guarded: Guarded, shared: Path, tmp_path_factory: pytest.TempPathFactory
          ) -> tuple[Panoptic, Path, dict[str, str]]:
    """A project in which every face has one of these names; the folder; name → face."""
    place = tmp_path_factory.mktemp("names")
    server = guarded.open(place, *sorted((shared / "data/faces/bbt_cast").iterdir())[:6])
    server.act("detect_faces")
    server.wait()
    faces = sorted(sha1 for group in server.act("cluster_faces")["groups"] if group["name"].startswith("Visage")
                   for sha1 in group["sha1s"])
    person = Person(server)
    given = dict(zip(NAMES, faces, strict=False))
    assert len(given) == len(NAMES) == len(set(NAMES))
    for name, face in given.items():
        person.give([face], name)
    return server, place, given


@pytest.fixture(scope="module")
def exported(named: tuple[Panoptic, Path, dict[str, str]]) -> Path:
    server, place, _ = named
    (place / "out").mkdir()
    server.act("export_people", people=Person(server).property, folder=str(place / "out"), sidecars=True)
    return place / "out/run-001"


def test_every_name_comes_back_as_it_was_written(named: tuple[Panoptic, Path, dict[str, str]], exported: Path) -> None:
    server, _, given = named
    people = json.loads((exported / "people.json").read_text(encoding="utf-8"))["people"]
    assert {person["name"]: [face["face"] for face in person["faces"]] for person in people} == {
        name: [face] for name, face in given.items()}
    groups = {group["name"]: group["sha1s"] for group in server.act("recognize_people",
                                                                    people=Person(server).property)["groups"]}
    assert {face for name in given for face in groups[name]} >= set(given.values())


def test_no_file_is_written_elsewhere(named: tuple[Panoptic, Path, dict[str, str]], exported: Path) -> None:
    _, place, _ = named
    assert sorted(path.name for path in (place / "out").iterdir()) == ["run-001", "runs.jsonl"]
    assert len(list((exported / "people").iterdir())) >= len(NAMES)
    assert all(path.resolve().is_relative_to(exported) and path.name.isprintable() for path in exported.rglob("*"))
    assert not Path("/tmp/pwned").exists() and not list(place.glob("pwned*"))


def test_no_table_holds_a_formula_or_a_link(exported: Path) -> None:
    for table in exported.glob("*.csv"):
        with table.open(encoding="utf-8-sig", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "＝", "\t"))
                    or (cell.startswith("-") and not cell[1:].replace(".", "").isdigit())]
    book = openpyxl.load_workbook(exported / "people.xlsx")
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    with zipfile.ZipFile(exported / "people.xlsx") as archive:
        sheets = b"".join(archive.read(name) for name in archive.namelist() if "sheet" in name)
        assert b"<f>" not in sheets and b"hyperlink" not in sheets
        assert not any("external" in name.lower() or "vba" in name.lower() for name in archive.namelist())


def test_sidecars_are_sound_xml_with_the_names(named: tuple[Panoptic, Path, dict[str, str]], exported: Path) -> None:
    _, place, _ = named
    found = {region.name for file in (place / "photos").rglob("*.xmp") for region in read_regions(file.read_bytes(), 1)}
    assert {"<img src=x onerror=pwned=1>", "]]><!ENTITY x \"y\">&x;", "'); DROP TABLE tags; --"} <= found


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_no_script_of_a_name_runs_in_a_browser(named: tuple[Panoptic, Path, dict[str, str]], exported: Path) -> None:
    """The map that is written, dot by dot, and Panoptic's own page with these groups."""
    server, place, _ = named
    page = Page(server.address)
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.page.on("dialog", refuse)
    try:
        page.page.on("request", lambda request: asked.append(request.url)
                     if not request.url.startswith(("data:", "file:", server.address, "blob:", "ws:")) else None)
        page.page.goto((exported / "map.html").as_uri())
        shown = page.page.evaluate("""() => [...document.querySelectorAll('circle')].map(dot => {
            dot.dispatchEvent(new Event('mouseenter'));
            return document.querySelector('#face b').textContent; })""")
        assert set(NAMES) - {"\x00\x07bell", "line\nbreak\r\nline"} <= set(shown)
        assert page.page.evaluate("document.images.length") == 1
        assert page.page.evaluate("document.scripts.length") == 2 and not is_pwned(page)
        page.open(place.name)
        page.run("PanopticFaces.recognize_people")
        assert not is_pwned(page) and asked == []
    finally:
        page.close()


def is_pwned(page: Page) -> bool:
    return bool(page.page.evaluate("typeof pwned !== 'undefined'"))


def test_save_as_takes_such_names(named: tuple[Panoptic, Path, dict[str, str]]) -> None:
    server, _, given = named
    before = len(server.get("/property"))
    for name in NAMES[:10]:
        server.act("cluster_faces", save_as=name)
        assert name in {row[3] for row in server.get("/property")}
    assert len(server.get("/property")) == before + 10
    assert {row[3] for row in server.get("/tags")} >= set(NAMES) - {"\x00\x07bell"}


def test_the_command_line(named: tuple[Panoptic, Path, dict[str, str]], tmp_path: Path, shared: Path) -> None:
    """Folders of hostile names as people: learned, recognised, written, listed; the log of runs names nobody."""
    _, place, _ = named
    people = tmp_path / "people"
    allowed = [name for name in NAMES if "/" not in name and "\x00" not in name and len(name) < 200]
    photos = sorted((place / "photos").rglob("*.png"))
    for name, photo in zip(allowed, photos, strict=False):
        (people / name).mkdir(parents=True)
        shutil.copy(photo, people / name)
    done: Any = None
    for arguments in (("recognize", people, "--people", people, "--out", tmp_path / "out", "--save-people",
                       tmp_path / "learned.npz"), ("runs", tmp_path / "out"), ("privacy", tmp_path),
                      ("xmp-write", tmp_path / "out/run-001", "--out", tmp_path / "xmp")):
        done = subprocess.run([sys.executable, "-m", "panoptic_faces", *map(str, arguments)], capture_output=True,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8",
                                   "PANOPTIC_FACES_WEIGHTS": str(shared / "weights"), "PANOPTIC_FACES_OFFLINE": "1"})
        assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")[-800:]
    written = json.loads((tmp_path / "out/run-001/people.json").read_text(encoding="utf-8"))
    assert len(written["people"]) >= len(allowed) - 4
    assert {path.name for path in tmp_path.iterdir()} <= {"people", "out", "learned.npz", "xmp", ".cache", ".config"}
    log = (tmp_path / "out/runs.jsonl").read_text(encoding="utf-8")
    assert not [name for name in allowed if len(name) > 4 and (name in log or json.dumps(name)[1:-1] in log)]
    assert io.BytesIO((tmp_path / "out/run-001/people.xlsx").read_bytes()).read(2) == b"PK"
