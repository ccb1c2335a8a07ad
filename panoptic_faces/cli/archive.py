"""``encode`` and ``cluster`` with ``--scheduler``, and ``import``: archives of millions, on Dask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..core.errors import FacesError
from .common import Bar, command, folder, json_option, say, tell
from .encoding import leave_naming

# What a clustering does, see ``cluster_archive``.
STEPS = ("read", "compare", "join", "adopt", "write")


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


def cluster_archive_command(archives: Sequence[str], out: str, scheduler: str, method: str, seed: int,
                            jobs: int | None, as_json: bool) -> None:
    """Group the faces of one archive."""
    _need_dask()
    from ..archive.cluster import cluster_archive
    from ..archive.scheduler import connected

    if method != "auto" or len(archives) != 1:
        raise FacesError("archive_one_auto")
    with connected(scheduler, jobs) as client:
        click.echo(say("dashboard", address=client.dashboard_link), err=True)
        with Bar("group", len(STEPS)) as progress:
            done = cluster_archive(archives[0], out, client, seed=seed,
                                   step=lambda name: progress.at(STEPS.index(name), len(STEPS)))
    answer = {"faces": done.faces, "people": done.people, "people_of_several": done.people_of_several,
              "unassigned": done.unassigned, "out": out}
    tell(answer, as_json, say("cluster.done_archive", **answer))


@command("import")
@click.argument("archive", metavar="DATASET")
@click.option("--project", required=True, type=folder(exists=True), help=say("import.project"))
@click.option("--people", metavar="DIR", default="", help=say("import.people"))
@click.option("--save-as", metavar="NAME", default="", help=say("import.save_as"))
@json_option
def import_command(archive: str, project: Path, people: str, save_as: str, as_json: bool) -> None:
    from ..archive.dataset import Dataset
    from ..launch import running

    dataset = Dataset(archive)
    dataset.settings()
    with running() as (panoptic, _):
        panoptic.register_plugin()
        panoptic.open_project(project.resolve(), project.resolve().name)
        before = len(panoptic.get("/instances"))
        groups = people if "://" in people or not people else str(Path(people).resolve())
        with Bar("import", None) as progress:
            task = panoptic.act("import_faces", archive=dataset.address, people=groups, save_as=save_as)["task_id"]
            done = {state["id"]: state for state in panoptic.wait(
                lambda state: progress.at(state["done"], state["total"]))}[task]
        faces = len(panoptic.get("/instances")) - before
    if done["cancelled"]:
        raise FacesError("panoptic_told", message=done["name"])
    if done["failed"]:
        click.echo(done["detail"], err=True)
    answer = {"photos": done["done"], "faces": faces, "failed": done["failed"]}
    tell(answer, as_json, say("import.done", project=project, **answer))


def _need_dask() -> None:
    import importlib.util

    if importlib.util.find_spec("distributed") is None:
        raise FacesError("dask_missing")
