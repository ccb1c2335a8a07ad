"""Archives by the real command: encoded and grouped on workers of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from .conftest import Run

pytest.importorskip("distributed")


def test_encode_and_cluster(run: Run, place: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8 no picture")
    done = run("encode", "photos/*/*.png", tmp_path / "torn.jpg", "--out", tmp_path / "archive", "--scheduler", "local",
               "--jobs", 1, "--json", code=3)
    told = json.loads(done.stdout)
    assert (told["photos"], told["new_photos"], told["new_faces"]) == (41, 41, 40)
    assert told["unreadable"] == [{"photo": str(tmp_path / "torn.jpg"), "error": "picture_unreadable"}]
    assert "Dask's dashboard: http://127.0.0.1:" in done.stderr
    assert len(pq.read_table(tmp_path / "archive")) == 41
    found = json.loads(run("privacy", tmp_path / "archive", "--json").stdout)
    assert sum(table["faces"] for table in found["tables"]) == 40
    done = run("cluster", tmp_path / "archive", "--out", tmp_path / "people", "--scheduler", "local", "--jobs", 1)
    assert done.stdout.startswith("40 faces, 8 people (8 with several faces), 0 faces of nobody: ")
    assert sorted(pq.read_table(tmp_path / "people" / "faces")["person"].to_pylist()) == sorted(list(range(8)) * 5)


def test_mistakes(run: Run, tmp_path: Path) -> None:
    assert "must be local or an address" in run("encode", "photos", "--out", "x", "--scheduler", "magic", code=1).stderr
    assert "no archive of faces" in run("cluster", "photos", "--out", "x", "--scheduler", "local", code=1).stderr
    assert "by the method auto" in run("cluster", "photos", "--out", "x", "--scheduler", "local", "--method", "dbscan",
                                       code=1).stderr
    assert "no archive of faces" in run("import", "photos", "--project", tmp_path, code=1).stderr
