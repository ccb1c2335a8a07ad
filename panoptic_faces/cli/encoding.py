"""``encode``: photos into a file of faces."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import FacesError
from ..i18n import text
from .common import (
    LANGUAGE,
    SOME_UNREADABLE,
    Address,
    Bar,
    Whole,
    command,
    json_option,
    model_options,
    say,
    scheduler_option,
    tell,
)

if TYPE_CHECKING:
    from ..services.crops import FaceCrops
    from ..services.encode import Encoding


@command("encode")
@click.argument("photos", nargs=-1, required=True, type=Address(exists=True))
@click.option("--out", required=True, type=Address(), help=say("encode.out"))
@scheduler_option
@model_options
@click.option("--max-side", default=2048, type=Whole(256, 8192), metavar="N", help=say("max_side"))
@click.option("--min-face-size", default=24, type=Whole(8, 1000), metavar="N", help=say("min_face_size"))
@json_option
def encode_command(photos: tuple[str, ...], out: str, scheduler: str | None, detector: str, model: str,
                   normalisation: str | None, jobs: int | None, max_side: int, min_face_size: int, as_json: bool
                   ) -> None:
    if scheduler:
        from .archive import encode_archive_command

        encode_archive_command(photos, out, scheduler, jobs, as_json, detector=detector, model=model,
                               normalisation=normalisation, max_side=max_side, min_face_size=min_face_size)
        return
    file = Path(out)
    done = encoded([Path(photo) for photo in photos], file, detector, model, normalisation, jobs, max_side=max_side,
                   min_face_size=min_face_size)
    answer = {"photos": len(done.table.photos), "faces": len(done.table), "new_photos": done.new,
              "unreadable": [{"photo": row.path, "error": row.error} for row in done.unreadable], "out": out,
              "csv": str(file.with_suffix(".csv"))}
    tell(answer, as_json, say("encode.done", photos=answer["photos"], new=done.new, faces=answer["faces"], out=out,
                              csv=file.with_suffix(".csv").name))
    leave_with(done)


def encoded(photos: Sequence[Path], out: Path, detector: str, model: str, normalisation: str | None,
            jobs: int | None, *, max_side: int = 2048, min_face_size: int = 24, crops: FaceCrops | None = None
            ) -> Encoding:
    """Encode photos as the options say, with a bar."""
    from ..models.choices import choose_models
    from ..services.encode import encode, find_photos
    from ..services.face_table import SUFFIXES
    from ..services.scan import FaceScanner

    if out.suffix.lower() not in SUFFIXES:
        raise FacesError("faces_suffix", got=out.name, allowed=" | ".join(SUFFIXES))
    chosen = choose_models(detector, model, normalisation, max_side)
    settings = {**chosen.settings, "max_side": str(max_side), "min_face_size": str(min_face_size)}
    found = find_photos(photos)
    with Bar("encode", len(found)) as progress:
        done = encode(found, out, FaceScanner(chosen.make, min_face_size), settings, workers=jobs, crops=crops,
                      seen=progress.step)
    if done.too_small:
        click.echo(say("too_small", count=done.too_small, pixels=min_face_size), err=True)
    return done


def leave_with(done: Encoding) -> None:
    """Name the photos that could not be read, and leave with the code that says so."""
    leave_naming([row.path for row in done.unreadable])


def leave_naming(unreadable: Sequence[str]) -> None:
    for path in unreadable[:10]:
        click.echo(f"{path}: {text('cli.unreadable', LANGUAGE)}", err=True)
    if unreadable:
        click.echo(say("unreadable_count", count=len(unreadable)), err=True)
        sys.exit(SOME_UNREADABLE)
