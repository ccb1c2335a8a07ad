"""The photos of an archive: folders, patterns and addresses that fsspec lists."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.core import has_magic
from fsspec.implementations.local import LocalFileSystem

from ..core.errors import FacesError
from ..services.encode import PICTURES, find_photos

# How file systems and object stores tell that a file is another one, the surest first.
CHANGES = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")


@dataclass(frozen=True)
class FoundPhoto:
    """address: a path or an address of fsspec. path: below what was listed, with /. stamp: changes with the file."""

    address: str
    path: str
    stamp: str


def find_archived(sources: Iterable[str]) -> list[FoundPhoto]:
    """Every picture of folders, patterns and addresses that is not hidden, sorted by address, each once.

    Raises FacesError ``archive_address`` or ``no_photos``.
    """
    listed = list(sources)
    found = {photo.address: photo for source in listed for photo in _found(source)}
    if not found:
        raise FacesError("no_photos", folders=", ".join(listed))
    return [found[address] for address in sorted(found)]


def _found(source: str) -> Iterator[FoundPhoto]:
    try:
        fs, root = fsspec.url_to_fs(source)
    except (ValueError, ImportError) as error:
        raise FacesError("archive_address", address=source, reason=str(error)) from error
    if isinstance(fs, LocalFileSystem) and not has_magic(root):
        yield from _local(Path(root))
        return
    try:
        infos = _infos(fs, root)
    except OSError as error:
        raise FacesError("archive_address", address=source, reason=f"{type(error).__name__}: {error}"[:200]) from error
    base = root.split("*")[0].split("?")[0].split("[")[0]
    base = base if fs.isdir(base) else base.rpartition("/")[0]
    for path, info in infos.items():
        below = path[len(base):].lstrip("/")
        hidden = any(part.startswith(".") for part in below.split("/"))
        if info["type"] == "file" and not hidden and PurePosixPath(path).suffix.lower() in PICTURES:
            local = isinstance(fs, LocalFileSystem)
            yield FoundPhoto(path if local else str(fs.unstrip_protocol(path)), below, _stamp(info))


def _infos(fs: Any, root: str) -> Mapping[str, Mapping[str, Any]]:
    if has_magic(root):
        return dict(fs.glob(root, detail=True))
    return dict(fs.find(root, detail=True)) if fs.isdir(root) else {root: fs.info(root)}


def _local(source: Path) -> Iterator[FoundPhoto]:
    if not source.exists():
        raise FacesError("archive_address", address=str(source), reason=os.strerror(2))
    root = source.resolve()
    base = root if root.is_dir() else root.parent
    for path in find_photos([source]):
        about = path.stat()
        # A link inside the folder may lead out of it.
        below = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name
        yield FoundPhoto(str(path), below, f"{about.st_size}-{about.st_mtime_ns}")


def _stamp(info: Mapping[str, Any]) -> str:
    changed = next((info[key] for key in CHANGES if info.get(key)), "")
    return f"{info.get('size')}-{changed}"
