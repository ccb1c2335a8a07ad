"""``recognize`` and ``evaluate``: faces against names."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from ..core.errors import FacesError
from .clustering import SAVE_OPTION, faces_of, written
from .common import LANGUAGE, command, folder, json_option, model_options, say, sources, tell
from .encoding import encoded, leave_with


@command("recognize")
@sources()
@click.option("--people", required=True, type=click.Path(exists=True, path_type=Path), help=say("recognize.people"))
@click.option("--out", required=True, type=folder(), help=say("cluster.out"))
@click.option("--method", default="centroid", metavar="NAME", help=say("recognize.method"))
@click.option("--max-false-accepts", default=0.01, type=float, metavar="SHARE", help=say("recognize.max_false_accepts"))
@click.option("--save-people", type=click.Path(dir_okay=False, path_type=Path), help=say("recognize.save_people"))
@SAVE_OPTION
@model_options
@json_option
def recognize_command(photos: tuple[Path, ...], people: Path, out: Path, method: str, max_false_accepts: float,
                      save_people: Path | None, save: str, detector: str, model: str, normalisation: str | None,
                      jobs: int | None, as_json: bool) -> None:
    from ..core.people import recognize, train_recognizer
    from ..i18n import text
    from ..models.choices import model_name
    from ..services.crops import FaceCrops
    from ..services.people_file import load_recognizer, save_recognizer
    from ..services.recognise import learn_people, recognised

    # Before photos are read for an hour.
    recognize(train_recognizer([[1.0, 0.0]], ["?"], method=method), [[1.0, 0.0]], max_false_accepts=max_false_accepts)
    if save_people and save_people.exists():
        raise FacesError("file_exists", file=str(save_people))
    crops = FaceCrops()
    table, encoding = faces_of(photos, out, crops, detector, model, normalisation, jobs)
    name = model_name(table.settings)
    if people.is_dir():
        with tempfile.TemporaryDirectory() as place:
            portraits = encoded([people], Path(place) / "people.npz", detector, model, normalisation, jobs).table
        if model_name(portraits.settings) != name:
            raise FacesError("people_model", got=model_name(portraits.settings), expected=name)
        recognizer = learn_people(portraits, people, method=method)
    else:
        recognizer = load_recognizer(people, model=name, dimension=table.vectors.shape[1])
    if save_people:
        save_recognizer(recognizer, save_people, model=name)
    groups, rest = recognised(recognizer, table, max_false_accepts=max_false_accepts)
    parameters = {"recognizer": recognizer.method, "max_false_accepts": max_false_accepts, "people": str(people),
                  **table.settings}
    line = written(groups, rest, table, crops, out, save, parameters, {}, jobs,
                   rest_name=text("group.unknown", LANGUAGE))
    tell(line, as_json, say("cluster.done", **line["counts"], out=out / line["folder"]))
    if encoding:
        leave_with(encoding)


@command("evaluate")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--method", default="auto", metavar="NAME", help=say("evaluate.method"))
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help=say("cluster.set"))
@json_option
def evaluate_command(file: Path, method: str, settings: tuple[str, ...], as_json: bool) -> None:
    from ..core.faces import method_parameters
    from ..services.evaluate import evaluate_file

    figures = evaluate_file(file, method, method_parameters(method, " ".join(settings)))
    tell(figures, as_json, "\n".join(f"{name}\t{value:.4f}" if isinstance(value, float) else f"{name}\t{value}"
                                     for name, value in figures.items()))
