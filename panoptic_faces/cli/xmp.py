"""``xmp-write`` and ``xmp-read``: names and boxes that other programs read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..core.errors import FacesError
from .common import LANGUAGE, SOME_UNREADABLE, Bar, command, folder, json_option, say, sources, tell


@command("xmp-write")
@click.argument("run", metavar="RUN", type=click.Path(exists=True, path_type=Path))
@click.option("--into", default="sidecars", type=click.Choice(("sidecars", "copies", "originals")), metavar="WHERE",
              help=say("xmp-write.into"))
@click.option("--out", type=folder(), help=say("xmp-write.out"))
@click.option("--merge", is_flag=True, help=say("xmp-write.merge"))
@click.option("--change-originals", "sure", is_flag=True, help=say("xmp-write.sure"))
@json_option
def xmp_write_command(run: Path, into: str, out: Path | None, merge: bool, sure: bool, as_json: bool) -> None:
    from ..services.run_log import named_boxes
    from ..services.xmp import write_people

    faces = named_boxes(run)
    with Bar("xmp", len(faces)) as progress:
        written = write_people(faces, into, out, merge=merge, sure=sure, seen=progress.step)
    for photo, error in written.skipped[:10]:
        click.echo(f"{photo}: {error.sentence(LANGUAGE)}", err=True)
    answer = {"written": [str(file) for file in written.files],
              "skipped": [{"photo": str(photo), "error": error.code} for photo, error in written.skipped]}
    tell(answer, as_json, say("xmp-write.done", count=len(written.files), skipped=len(written.skipped)))
    if written.skipped:
        sys.exit(SOME_UNREADABLE)


@command("xmp-read")
@sources()
@json_option
def xmp_read_command(photos: tuple[Path, ...], as_json: bool) -> None:
    from ..services.encode import find_photos
    from ..services.xmp import read_photo

    found: list[dict[str, Any]] = []
    failed = False
    for photo in find_photos(photos):
        try:
            found += [{"photo": str(photo), "name": region.name, "box": [round(part, 6) for part in region.box]}
                      for region in read_photo(photo)]
        except FacesError as error:
            failed = True
            click.echo(f"{photo}: {error.sentence(LANGUAGE)}", err=True)
    lines = ["\t".join([row["photo"], row["name"], *(f"{part:.4f}" for part in row["box"])]) for row in found]
    tell(found, as_json, "\n".join(lines))
    if failed:
        sys.exit(SOME_UNREADABLE)
