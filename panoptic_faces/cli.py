"""The command line; the same words as the page."""

from __future__ import annotations

import hashlib
import os
import sys
import webbrowser
from pathlib import Path
from typing import Any

import click
import platformdirs
from tqdm import tqdm

from .core.errors import FacesError
from .i18n import system_language, text

LANGUAGE = system_language()


def say(key: str, **values: Any) -> str:
    return text(f"cli.{key}", LANGUAGE, **values)


class Sentences(click.Group):
    """Commands whose FacesErrors end as one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FacesError as error:
            raise click.ClickException(error.sentence(LANGUAGE)) from error


@click.group(cls=Sentences, help=say("help"), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="panoptic_faces")
def main() -> None:
    pass


@main.command("open", help=say("open.help"))
@click.argument("photos", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--project", type=click.Path(file_okay=False, path_type=Path), help=say("open.project"))
@click.option("--port", type=click.IntRange(1, 65535), help=say("open.port"))
def open_command(photos: Path | None, project: Path | None, port: int | None) -> None:
    from .launch import running
    from .services.demo import demo_photos

    photos = (photos or demo_photos()).resolve()
    folder = (project or _project_of(photos)).resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = Path(platformdirs.user_log_dir("panoptic_faces", appauthor=False)) / "panoptic.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    click.echo(say("open.starting", log=log))
    with running(port, log=log) as (panoptic, process):
        panoptic.register_plugin()
        panoptic.open_project(folder, photos.name)
        with _Progress() as progress:
            panoptic.import_folder(photos, progress)
            task = panoptic.act("detect_faces")["task_id"]
            done = {state["id"]: state for state in panoptic.wait(progress)}
        if task and (done[task]["cancelled"] or done[task]["failed"]):
            click.echo(done[task]["name"] if done[task]["cancelled"] else done[task]["detail"], err=True)
        counts = panoptic.act("cluster_faces", save_as=say("open.property"))["value"]
        click.echo(say("open.counts", **counts))
        click.echo(panoptic.address)
        sys.stdout.flush()
        if _has_browser():
            webbrowser.open(panoptic.address)
        if process is not None:
            click.echo(say("open.stop"))
            try:
                process.wait()
            except KeyboardInterrupt:
                click.echo()


@main.command(help=say("weights.help"))
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help=say("weights.folder"))
@click.option("--fetch/--no-fetch", default=True, help=say("weights.fetch"))
def weights(folder: Path | None, fetch: bool) -> None:
    from .models.registry import WEIGHTS
    from .models.weights import weights_path

    failed = False
    for row in WEIGHTS:
        try:
            found = str(weights_path(row, folder, offline=not fetch))
        except FacesError as error:
            failed, found = True, error.sentence(LANGUAGE)
        click.echo(f"{row.name}\t{row.bytes:,} B\t{row.licence}\tsha256 {row.sha256}\n    {found}")
    if failed:
        sys.exit(1)


def _project_of(photos: Path) -> Path:
    """The project of a folder of photos: always the same, and outside of it."""
    mark = hashlib.sha256(str(photos).encode()).hexdigest()[:8]
    return Path(platformdirs.user_data_dir("panoptic_faces", appauthor=False)) / "projects" / f"{photos.name}-{mark}"


def _has_browser() -> bool:
    """Whether a window can be shown; without a screen, Python would start a browser inside the terminal."""
    if os.environ.get("PANOPTIC_REMOTE"):
        return False
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class _Progress:
    """One bar for each task of Panoptic that is seen running."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._task = ""

    def __call__(self, task: dict[str, Any]) -> None:
        if task["id"] != self._task:
            self.__exit__()
            self._task, self._bar = task["id"], tqdm(desc=task["name"], total=task["total"], disable=None)
        assert self._bar is not None
        self._bar.total = task["total"]
        self._bar.n = task["done"]
        self._bar.set_postfix_str(task["detail"] or "")

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
