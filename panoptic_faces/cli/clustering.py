"""``cluster`` and ``runs``: faces into people and files, and what earlier runs gave."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import FacesError
from ..core.faces import CLUSTERERS, method_parameters
from .common import (
    LANGUAGE,
    Address,
    Bar,
    Whole,
    command,
    folder,
    json_option,
    model_options,
    say,
    scheduler_option,
    tell,
)
from .encoding import encoded, leave_with

if TYPE_CHECKING:
    from ..services.crops import FaceCrops
    from ..services.encode import Encoding
    from ..services.face_table import FaceTable
    from ..services.organise import Group

FACES = "faces.npz"
SAVE_OPTION = click.option("--save", default="crops", type=click.Choice(("crops", "photos", "links", "none")),
                           metavar="WHAT", help=say("cluster.save"))


@command("cluster")
@click.argument("photos", nargs=-1, required=True, type=Address(exists=True))
@click.option("--out", required=True, type=Address(file_okay=False), help=say("cluster.out"))
@scheduler_option
@click.option("--method", default="auto", metavar="NAME", help=say("cluster.method", allowed=", ".join(CLUSTERERS)))
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help=say("cluster.set"))
@click.option("--min-size", default=1, type=Whole(1), metavar="N", help=say("cluster.min_size"))
@click.option("--seed", default=0, type=Whole(0), metavar="N", help=say("cluster.seed"))
@SAVE_OPTION
@model_options
@json_option
def cluster_command(photos: tuple[str, ...], out: str, scheduler: str | None, method: str, settings: tuple[str, ...],
                    min_size: int, seed: int, save: str, detector: str, model: str, normalisation: str | None,
                    jobs: int | None, as_json: bool) -> None:
    if scheduler:
        from .archive import cluster_archive_command

        cluster_archive_command(photos, out, scheduler, method, seed, jobs, as_json)
        return
    found = tuple(Path(photo) for photo in photos)
    _cluster(found, Path(out), method, settings, min_size, seed, save, (detector, model, normalisation), jobs, as_json)


def _cluster(photos: tuple[Path, ...], out: Path, method: str, settings: tuple[str, ...], min_size: int, seed: int,
             save: str, models: tuple[str, str, str | None], jobs: int | None, as_json: bool) -> None:
    from ..services.crops import FaceCrops
    from ..services.people import group_faces

    # Before photos are read for an hour.
    chosen = method_parameters(method, " ".join(settings))
    Thread(target=_load_writers, daemon=True).start()
    crops, begun = FaceCrops(), time.perf_counter()
    table, encoding = faces_of(photos, out, crops, *models, jobs)
    rows, after_encoding = table.rows(), time.perf_counter()
    with Bar("group", None):
        groups, rest = group_faces([row.id for row in rows], table.vectors, rows, LANGUAGE, method=method,
                                   min_size=min_size, seed=seed, **chosen)
    grouped = time.perf_counter()
    parameters = {"method": method, "min_size": min_size, "seed": seed, **chosen, **table.settings}
    seconds = {"encode": round(after_encoding - begun, 2), "group": round(grouped - after_encoding, 2)}
    line = written(groups, rest, table, crops, out, save, parameters, seconds, jobs)
    tell(line, as_json, say("cluster.done", **line["counts"], out=out / line["folder"]))
    if encoding:
        leave_with(encoding)


def _load_writers() -> None:
    """What writes the results takes seconds to load, which pass while photos are read."""
    import xlsxwriter  # noqa: F401
    from matplotlib import figure  # noqa: F401
    from matplotlib.backends import backend_agg  # noqa: F401

    from ..services import export  # noqa: F401


def written(groups: list[Group], rest: list[str], table: FaceTable, crops: FaceCrops, out: Path, save: str,
            parameters: dict[str, Any], seconds: dict[str, float], jobs: int | None, rest_name: str | None = None
            ) -> dict[str, Any]:
    """Write a run and tell of faces without a picture; the run's line in the log."""
    from ..services.export import export_people

    rows = table.rows()
    with Bar("cut", len(rows)) as progress:
        missing = crops.complete(rows, workers=jobs, seen=progress.step)
    with Bar("export", None) as progress:
        line = export_people(groups, rest, rows, table.vectors, crops, out, LANGUAGE, save=save, seen=progress.at,
                             parameters=parameters, seconds=seconds, rest_name=rest_name)
    crops.close()
    if missing:
        click.echo(say("cluster.missing", count=len(missing)), err=True)
    return line


def faces_of(photos: tuple[Path, ...], out: Path, crops: FaceCrops, detector: str, model: str,
             normalisation: str | None, jobs: int | None) -> tuple[FaceTable, Encoding | None]:
    """The faces of one file of faces, or of photos, which are encoded into the output's folder."""
    from ..services.face_table import SUFFIXES, read_table

    if len(photos) == 1 and photos[0].is_file() and photos[0].suffix.lower() in SUFFIXES:
        table = read_table(photos[0])
        if not len(table):
            raise FacesError("no_faces_found")
        return table, None
    done = encoded(photos, out / FACES, detector, model, normalisation, jobs, crops=crops)
    if not len(done.table):
        raise FacesError("no_faces_found")
    return done.table, done


@command("runs")
@click.argument("out", metavar="DIR", type=folder(exists=True))
@click.option("--compare", nargs=2, type=int, metavar="RUN RUN", help=say("runs.compare"))
@json_option
def runs_command(out: Path, compare: tuple[int, int] | None, as_json: bool) -> None:
    from ..services.run_log import compare_runs, read_runs

    if compare:
        found = compare_runs(out, *compare)
        lines = [say("runs.common", faces=found["faces"])]
        lines += [f"{name}\t{before}\t{after}" for part in ("differences", "counts")
                  for name, (before, after) in found[part].items()]
        lines += [f"{name}\t{value:.4f}" for name, value in found["agreement"].items()
                  if name.startswith(("bcubed", "ari", "ami"))]
        tell(found, as_json, "\n".join(lines))
        return
    runs = read_runs(out)
    columns = ("run", "started", "method", "faces", "people", "unassigned", "mean_score", "seconds")
    lines = ["\t".join(say(f"runs.{name}") for name in columns)]
    for run in runs:
        values = {**run, **run["parameters"], **run["counts"], **run["scores"],
                  "seconds": f"{sum(run['seconds'].values()):.1f}"}
        lines.append("\t".join(str(values.get(name, "–")) for name in columns))
    tell(runs, as_json, "\n".join(lines))
