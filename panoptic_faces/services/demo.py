"""Six press portraits of two presidents, for who has no photos at hand."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import platformdirs

from ..core.errors import FacesError

SOURCE = "face-recognition==1.3.0"
SOURCE_SHA256 = "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"
MEMBERS = "face_recognition-1.3.0/tests/test_images"
PHOTOS = {
    "biden.jpg": "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
    "obama.jpg": "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
    "obama2.jpg": "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
    "obama3.jpg": "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
    "obama_partial_face.jpg": "c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117",
    "obama_partial_face2.jpg": "9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028",
}
FETCH_SECONDS = 300


def demo_photos() -> Path:
    """A folder with the six photos, fetched by checksum the first time; raises FacesError ``demo_missing``."""
    folder = Path(platformdirs.user_cache_dir("panoptic_faces", appauthor=False)) / "photos"
    if not all(_is(folder / name, digest) for name, digest in PHOTOS.items()):
        try:
            _fetch(folder)
        except (OSError, subprocess.SubprocessError, tarfile.TarError, KeyError) as error:
            raise FacesError("demo_missing", reason=str(error)) from error
    return folder


def _is(path: Path, digest: str) -> bool:
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        wanted = Path(temporary) / "wanted.txt"
        wanted.write_text(f"{SOURCE} --hash=sha256:{SOURCE_SHA256}\n", encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", "--require-hashes",
             "--disable-pip-version-check", "--no-input", "--dest", temporary, "--requirement", str(wanted)],
            check=True, capture_output=True, timeout=FETCH_SECONDS, stdin=subprocess.DEVNULL)
        with tarfile.open(next(Path(temporary).glob("*.tar.gz"))) as archive:
            for name, digest in PHOTOS.items():
                member = archive.extractfile(f"{MEMBERS}/{name}")
                data = member.read() if member else b""
                if hashlib.sha256(data).hexdigest() != digest:
                    raise OSError(f"{name}: {digest}")
                part = folder / f".{name}.{os.getpid()}"
                part.write_bytes(data)
                os.replace(part, folder / name)
