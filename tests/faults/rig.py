"""A project at every stage of its life, to be worked on by a Panoptic that is harmed in the middle of it."""

from __future__ import annotations

import http.client
import random
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from panoptic_faces.core.errors import FacesError
from panoptic_faces.launch import Panoptic, free_port, running

from ..host.person import Person
from .state import check, contents

CHILD = Path(__file__).with_name("child.py")
PEOPLE = "Personnes"
# What a user does, each on the project that the one before left behind.
ACTIONS: dict[str, dict[str, Any]] = {
    "detect_faces": {}, "cluster_faces": {"save_as": PEOPLE}, "tag_photos": {}, "confirm_people": {},
    "forget_faces": {"confirm": "OUBLIER"}}
# Nothing is left to do where the first run was finished after all.
DONE_ALREADY = ("À confirmer",)


def some_photos(source: Path, folder: Path, people: int, seed: int = 1) -> Path:
    """Copies of the photos of some people."""
    chosen = random.Random(seed).sample(sorted(source.iterdir()), people)
    for person in chosen:
        shutil.copytree(person, folder / person.name)
    return folder


def refusal(server: Panoptic, action: str) -> str:
    """What the page tells of an action that cannot be done."""
    try:
        server.act(action, **ACTIONS[action])
    except FacesError as error:
        assert error.code == "panoptic_told", error
        return str(error)
    tasks = server.wait()
    assert tasks[-1]["cancelled"], tasks
    return str(tasks[-1]["name"])


@dataclass
class Rig:
    """One project, its photos, and copies of it before and after each action; servers are started one at a time."""

    home: Path
    photos: Path
    weights: Path
    before: dict[str, Path] = field(default_factory=dict)
    undisturbed: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.home / "project"

    def start(self, *before: str) -> AbstractContextManager[tuple[Panoptic, Any]]:
        """A server that can be harmed; before: a program that starts it."""
        settings = {"HOME": str(self.home), "USERPROFILE": str(self.home), "XDG_CACHE_HOME": str(self.home / "cache"),
                    "PANOPTIC_DB": str(self.home / "panoptic.db"), "PANOPTIC_FACES_WEIGHTS": str(self.weights),
                    "PANOPTIC_FACES_OFFLINE": "1", "PANOPTIC_FAULTS": str(self.home / "order")}
        return running(free_port(), settings, self.home / "server.log", (*before, sys.executable, str(CHILD)))

    def open(self, server: Panoptic) -> None:
        server.register_plugin()
        server.open_project(self.project, "project")

    def reset(self, server: Panoptic, action: str) -> None:
        """Put the project back to what it was before an action, and open it."""
        with suppress(FacesError):
            server.request("POST", "/close", {"id": server.project})
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.copytree(self.before[action], self.project, dirs_exist_ok=True)
        self.open(server)

    def build(self, actions: Mapping[str, dict[str, Any]] = ACTIONS) -> None:
        """Live the whole life once, undisturbed: what is before and after each action, its steps and its time."""
        with self.start() as (server, _):
            self.open(server)
            server.import_folder(self.photos)
            for action in actions:
                if action == "confirm_people":
                    self._let_some_wait(server)
                server.request("POST", "/close", {"id": server.project})
                self.before[action] = self.home / f"before_{action}"
                shutil.copytree(self.project, self.before[action])
                self.open(server)
                self.order(0)
                started = time.monotonic()
                self.act(server, action)
                self.seconds[action] = time.monotonic() - started
                self.steps[action] = self.counted()
                self.no_more_orders()
                self.undisturbed[action] = contents(self.project)

    def _let_some_wait(self, server: Panoptic) -> None:
        """Take the name from every third face and let it be recognised again."""
        there = contents(self.project)
        crops = {sha1 for _, sha1 in there["crops"]}
        named = sorted(sha1 for name, sha1, _ in there["tags"] if name == PEOPLE and sha1 in crops)
        Person(server, PEOPLE).give(named[::3])
        server.act("recognize_people", to_confirm=True)

    def order(self, number: int, fault: str = "kill", folder: Path | None = None) -> None:
        """Let a fault befall the child at that step, from now on, of its work in the project; 0: only count."""
        (self.home / "order.count").unlink(missing_ok=True)
        new = self.home / "order.new"
        new.write_text(f"{folder or self.project}\n{number}\n{fault}\n{time.monotonic_ns()}\n")
        new.replace(self.home / "order")

    def counted(self) -> int:
        """The steps taken since the last order."""
        count = self.home / "order.count"
        return int(count.read_text() or 0) if count.exists() else 0

    def no_more_orders(self) -> None:
        (self.home / "order").unlink(missing_ok=True)

    def act(self, server: Panoptic, action: str) -> None:
        """Do an action to its end; all of it that is a task has to succeed."""
        try:
            server.act(action, **ACTIONS[action])
        except FacesError as error:
            if not any(words in str(error) for words in DONE_ALREADY):
                raise
        last = server.wait()[-1]
        assert last["failed"] == 0 and not last["cancelled"], last

    def killed(self, action: str, *, step: int = 0, seconds: float = 60) -> bool:
        """Kill the server at a step of an action, or after some seconds; whether the action had not ended before."""
        ended = threading.Event()

        def work(server: Panoptic) -> None:
            with suppress(FacesError, OSError, http.client.HTTPException):
                server.act(action, **ACTIONS[action])
                server.wait()
                ended.set()

        with self.start() as (server, process):
            self.reset(server, action)
            self.order(step)
            worker = threading.Thread(target=work, args=(server,))
            worker.start()
            worker.join(seconds)
            self.no_more_orders()
            process.kill()
            process.wait()
            worker.join()
        return not ended.is_set()

    def finish(self, action: str, server: Panoptic | None = None) -> None:
        """Do the action to its end, in a new Panoptic where none is given, and compare with the undisturbed one."""
        if server is None:
            with self.start() as (new, _):
                self.open(new)
                self.finish(action, new)
            return
        self.act(server, action)
        self.compare(action)

    def compare(self, action: str) -> None:
        """Assert that the project is what it is after an undisturbed action."""
        check(self.project)
        found = contents(self.project)
        for part, expected in self.undisturbed[action].items():
            assert found[part] == expected, f"{part} after {action}"


def hold(rig: Rig, seconds: float, work: Callable[[], Any]) -> None:
    """Do some work while another program keeps all databases of the project for some seconds."""
    held = [sqlite3.connect(rig.project / name, isolation_level=None, check_same_thread=False)
            for name in ("data.db", "media.db", "project.db")]
    for database in held:
        database.execute("BEGIN EXCLUSIVE")
    worker = threading.Thread(target=work)
    worker.start()
    worker.join(seconds)
    for database in held:
        with suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        database.close()
    worker.join()
