"""``weights`` and ``privacy``: what lies on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..core.errors import FacesError
from .common import LANGUAGE, command, folder, json_option, say, tell


@command("weights")
@click.option("--folder", "place", type=folder(exists=True), help=say("weights.folder"))
@click.option("--fetch/--no-fetch", default=True, help=say("weights.fetch"))
def weights_command(place: Path | None, fetch: bool) -> None:
    from ..models.registry import WEIGHTS
    from ..models.weights import weights_path

    failed = False
    for row in WEIGHTS:
        try:
            found = str(weights_path(row, place, offline=not fetch))
        except FacesError as error:
            failed, found = True, error.sentence(LANGUAGE)
        click.echo(f"{row.name}\t{row.bytes:,} B\t{row.licence}\tsha256 {row.sha256}\n    {found}")
    if failed:
        sys.exit(1)


@command("privacy")
@click.argument("place", metavar="FOLDER", type=folder(exists=True))
@json_option
def privacy_command(place: Path, as_json: bool) -> None:
    from ..services.privacy import biometric_data, is_empty

    found = biometric_data(place)
    lines = [say("privacy.vectors", count=one["count"], file=one["file"]) for one in found["vectors"]]
    lines += [say("privacy.table", count=one["faces"], file=one["file"]) for one in found["tables"]]
    lines += [say("privacy.people", count=one["people"], file=one["file"]) for one in found["people"]]
    if found["crops"]["files"]:
        lines.append(say("privacy.crops", count=found["crops"]["files"],
                         megabytes=f"{found['crops']['bytes'] / 1e6:.1f}"))
    lines += [say("privacy.names", file=file) for file in found["runs"]]
    lines += [say(f"privacy.{name}", count=found[name]) for name in ("sheets", "sidecars") if found[name]]
    lines += [say("privacy.journal", file=file) for file in found["journals"]]
    lines.append(say("privacy.nothing" if is_empty(found) else "privacy.warning"))
    tell(found, as_json, "\n".join(lines))
