"""``encode`` and ``cluster`` with ``--scheduler``, and ``import``: archives of millions, on Dask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..core.errors import FacesError
from .common import Bar, say, tell
from .encoding import leave_naming


def encode_archive_command(photos: Sequence[str], out: str, scheduler: str, jobs: int | None, as_json: bool,
                           **models: Any) -> None:
    """Encode photos into the archive ``out``."""
    _need_dask()
    from ..archive.encode import Choice, encode_archive
    from ..archive.photos import find_archived
    from ..archive.scheduler import connected

    choice = Choice(**models)
    choice.settings()
    found = find_archived(photos)
    with connected(scheduler, jobs) as client:
        click.echo(say("dashboard", address=client.dashboard_link), err=True)
        with Bar("encode", len(found)) as progress:
            done = encode_archive(found, out, choice, client, seen=progress.step)
    answer = {"photos": done.photos, "new_photos": done.new, "new_faces": done.faces, "out": out,
              "unreadable": [{"photo": address, "error": code} for address, code in done.unreadable]}
    tell(answer, as_json, say("encode.done_archive", photos=done.photos, new=done.new, faces=done.faces, out=out))
    leave_naming([address for address, _ in done.unreadable])


def _need_dask() -> None:
    import importlib.util

    if importlib.util.find_spec("distributed") is None:
        raise FacesError("dask_missing")
