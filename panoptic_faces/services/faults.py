"""What happens to computers, as sentences: full disks, drives that stop, databases that others hold."""

from __future__ import annotations

import errno
import hashlib
import shutil
import sqlite3
from pathlib import Path

from ..core.errors import FacesError

# SQLite calls it an I/O error when it cannot make its small files beside a database on a full disk.
FULL_BYTES = 1 << 20
# Kinds of failure of the system: the first row whose number or words are the error's tells.
_FAULTS: tuple[tuple[str, frozenset[int], tuple[str, ...]], ...] = (
    ("disk_full", frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", -1)}), ("disk is full",)),
    ("access_refused", frozenset({errno.EACCES, errno.EPERM, errno.EROFS}), ("readonly database",)),
    ("drive_gone", frozenset({errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT,
                              errno.ENOTCONN, getattr(errno, "ESTALE", -1), getattr(errno, "EHOSTDOWN", -1),
                              getattr(errno, "EREMOTEIO", -1)}), ("disk i/o error", "unable to open database")),
    ("path_refused", frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}), ()),
    ("database_locked", frozenset(), ("is locked",)),
    ("database_damaged", frozenset(), ("malformed", "not a database")),
)


def obstacle(error: BaseException, place: Path) -> FacesError | None:
    """The sentence for a FacesError and for what the system refused; None for what is neither.

    place: where the work was done, told where the error names no file.
    """
    if isinstance(error, FacesError):
        return error
    if isinstance(error, MemoryError):
        return FacesError("memory_full")
    if not isinstance(error, (OSError, sqlite3.Error)):
        return None
    number = error.errno if isinstance(error, OSError) else None
    words = str(error).lower() if isinstance(error, sqlite3.Error) else ""
    where = getattr(error, "filename", None) or place
    for code, numbers, phrases in _FAULTS:
        if number in numbers or any(phrase in words for phrase in phrases):
            full = code == "drive_gone" and isinstance(error, sqlite3.Error) and _is_full(place)
            return FacesError("disk_full" if full else code, where=str(where))
    return None


def _is_full(place: Path) -> bool:
    try:
        return shutil.disk_usage(place).free < FULL_BYTES
    except OSError:
        return False


def check_unchanged(sha1: str, source: Path | bytes) -> None:
    """Make sure, after a file was read, that it is the one that the project knows by this SHA-1; '' = any.

    Raises FacesError ``photo_changed`` or ``picture_missing``.
    """
    if isinstance(source, bytes) or not sha1:
        return
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        with source.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    except OSError as error:
        raise FacesError("picture_missing") from error
    if digest.hexdigest() != sha1:
        raise FacesError("photo_changed")


def is_reachable(folder: Path) -> bool:
    """Whether a folder can be looked into and holds something: that of a drive that stopped is gone or empty."""
    try:
        return next(folder.iterdir(), None) is not None
    except OSError:
        return False
