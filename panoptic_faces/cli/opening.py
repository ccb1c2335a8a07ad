"""``open``: a folder of photos in Panoptic, its faces found and grouped."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import webbrowser
from pathlib import Path
from typing import Any

import click
import platformdirs
from tqdm import tqdm

from .common import command, folder, say


@command("open")
@click.argument("photos", type=folder(exists=True), required=False)
@click.option("--project", type=folder(), help=say("open.project"))
@click.option("--port", type=click.IntRange(1, 65535), help=say("open.port"))
def open_command(photos: Path | None, project: Path | None, port: int | None) -> None:
    from ..launch import running
    from ..services.demo import demo_photos

    # Panoptic must not outlive this program, even one that a script started in the background, deaf to Ctrl+C.
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, signal.default_int_handler)
    photos = (photos or demo_photos()).resolve()
    home = (project or _project_of(photos)).resolve()
    home.parent.mkdir(parents=True, exist_ok=True)
    log = Path(platformdirs.user_log_dir("panoptic_faces", appauthor=False)) / "panoptic.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    click.echo(say("open.starting", log=log))
    with running(port, log=log) as (panoptic, process):
        panoptic.register_plugin()
        panoptic.open_project(home, photos.name)
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
            try:
                click.echo(say("open.stop"))
                process.wait()
            except KeyboardInterrupt:
                click.echo()


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
