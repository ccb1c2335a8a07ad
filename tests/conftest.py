"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

SHARED = Path(__file__).parents[2] / "shared"

# No test may fail because the machine is busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of weights and real pictures that lies beside the repository."""
    if not (SHARED / "weights").is_dir():
        pytest.skip(f"needs real weights and pictures in {SHARED.name}/ beside the repository")
    return SHARED


@pytest.fixture(scope="session")
def clip_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The configuration and the weights of a tiny CLIP, trained in this session on drawings of coloured shapes."""
    from .models.shapes import train

    return train(tmp_path_factory.mktemp("clip"))
