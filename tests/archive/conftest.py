"""Archives of few photos on a Dask inside this process, or on workers that may be killed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from distributed import Client

from panoptic_faces.archive.scheduler import connected


@pytest.fixture(scope="package", autouse=True)
def weights(shared: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PANOPTIC_FACES_WEIGHTS", str(shared / "weights"))
        patch.setenv("PANOPTIC_FACES_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """Two workers, threads of this process: they see its ``memory://``."""
    with warnings.catch_warnings(), connected("local", 2, processes=False) as found:
        warnings.simplefilter("ignore")
        yield found
