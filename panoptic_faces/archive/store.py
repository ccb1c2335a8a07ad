"""Arrays that tasks leave for each other: files beside the result, where every worker sees them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray

from ..core.errors import FacesError
from ..services.face_table import write_whole


def file_system(address: str) -> tuple[Any, str]:
    """The file system of an address and the path in it; raises FacesError ``archive_address``."""
    try:
        system, root = fsspec.url_to_fs(address)
    except (ValueError, ImportError) as error:
        raise FacesError("archive_address", address=address, reason=str(error)) from error
    return system, root.rstrip("/")


class Store:
    """A folder of named arrays at an address of fsspec."""

    def __init__(self, address: str) -> None:
        self.fs, self.root = file_system(address)
        self.local = isinstance(self.fs, LocalFileSystem)
        self.address = self.root if self.local else address
        self.fs.makedirs(self.root, exist_ok=True)

    def put(self, name: str, array: NDArray[Any]) -> None:
        """Keep one array; done again, it overwrites itself with the same."""
        made = io.BytesIO()
        np.save(made, array, allow_pickle=False)
        if self.local:
            write_whole(Path(f"{self.root}/{name}.npy"), made.getvalue())
        else:
            self.fs.pipe_file(f"{self.root}/{name}.npy", made.getvalue())

    def get(self, name: str) -> NDArray[Any]:
        """An array, from a local disk only as far as it is read."""
        if self.local:
            return np.asarray(np.load(f"{self.root}/{name}.npy", mmap_mode="r", allow_pickle=False))
        return np.asarray(np.load(io.BytesIO(self.fs.cat_file(f"{self.root}/{name}.npy")), allow_pickle=False))

    def erase(self) -> None:
        self.fs.rm(self.root, recursive=True)
