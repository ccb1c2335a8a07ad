"""The real Panoptic as a program of its own: started, spoken to over HTTP, and ended."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .core.errors import FacesError

PLUGIN = "PanopticFaces"
DEFAULT_PORT = 8000
START_SECONDS = 120
PANOPTIC = (sys.executable, "-m", "panoptic.cli")
POLL_SECONDS = 0.3


class Panoptic:
    """A running Panoptic at an address of this machine."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.project = ""

    def request(self, method: str, path: str, body: Any = None, timeout: float = 3600) -> Any:
        """The answer to an HTTP request; paths that begin with / are the project's own after ``load``.

        Raises FacesError ``panoptic_refused`` with the server's message.
        """
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.address + path, data, {"content-type": "application/json"},
                                       method=method)
        try:
            with urllib.request.urlopen(asked, timeout=timeout) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise FacesError("panoptic_refused", path=path, status=error.code,
                             message=_message(error.read())) from error

    def get(self, path: str) -> Any:
        """GET of the open project."""
        return self.request("GET", f"/projects/{self.project}{path}")

    def post(self, path: str, body: Any) -> Any:
        """POST to the open project."""
        return self.request("POST", f"/projects/{self.project}{path}", body)

    def register_plugin(self) -> None:
        """Make the plugin known to Panoptic, at the place where this package is installed."""
        source = str(Path(__file__).parent)
        known = next((row for row in self.request("GET", "/plugins") if _id_of(row) == PLUGIN), None)
        if known is not None and source in json.dumps(known, ensure_ascii=False):
            return
        if known is not None:
            self.request("DELETE", f"/plugins?plugin_id={PLUGIN}")
        self.request("POST", "/plugins", {"name": PLUGIN, "source": source, "source_type": "path"})

    def open_project(self, folder: Path, name: str) -> None:
        """Open the project of a folder, made where there is none, and wait until its plugins are loaded."""
        known = next((row for row in self.request("GET", "/projects") if Path(row["path"]) == folder), None)
        if known is None and (folder / "project.db").exists():
            self.request("POST", "/import_project", {"path": str(folder)})
        elif known is None:
            self.request("POST", "/create_project", {"name": name, "path": str(folder)})
        known = next(row for row in self.request("GET", "/projects") if Path(row["path"]) == folder)
        self.project = known["id"]
        self.request("POST", "/load", {"id": self.project})
        self.wait()
        if not any(action.startswith(PLUGIN + ".") for action in self.get("/actions")):
            raise FacesError("plugin_not_loaded")

    def import_folder(self, folder: Path, seen: Callable[[dict[str, Any]], None] = lambda task: None) -> None:
        """Add a folder of pictures, or what is new in it, and wait until it is in."""
        self.post("/folders", {"path": str(folder)})
        self.wait(seen)

    def act(self, action: str, instance_ids: list[int] | None = None, **inputs: Any) -> Any:
        """Run an action of the plugin; raises FacesError ``panoptic_told`` with the sentence of an error."""
        result = self.post("/action_execute", {"function": f"{PLUGIN}.{action}", "context": {
            "instance_ids": instance_ids or [], "ui_inputs": inputs}})
        for notif in result["notifs"] or ():
            if notif["type"] == "error":
                raise FacesError("panoptic_told", message=notif["message"])
        return result

    def tasks(self) -> list[dict[str, Any]]:
        """The states of the project's tasks."""
        return list(self.get("/project_state")["tasks"])

    def wait(self, seen: Callable[[dict[str, Any]], None] = lambda task: None) -> list[dict[str, Any]]:
        """Wait until no task is left, and give their states; ``seen`` is shown the one that runs."""
        quiet = 0
        while quiet < 2:
            tasks = self.tasks()
            for task in tasks:
                if task["running"]:
                    seen(task)
            quiet = quiet + 1 if all(task["finished"] for task in tasks) else 0
            time.sleep(POLL_SECONDS)
        return tasks


@contextmanager
def running(port: int | None = None, environment: Mapping[str, str] | None = None, log: Path | None = None,
            program: Sequence[str] = PANOPTIC) -> Iterator[tuple[Panoptic, subprocess.Popen[bytes] | None]]:
    """A Panoptic on 127.0.0.1: the one that already runs at the port, or one that ends with the block.

    port: by default ``PANOPTIC_PORT`` or 8000, or any free port where that one is taken by something else.
    log: where the server writes; by default nowhere. program: what is started.
    Raises FacesError ``panoptic_not_started``.
    """
    wanted = port or int(os.environ.get("PANOPTIC_PORT") or DEFAULT_PORT)
    there = Panoptic(f"http://127.0.0.1:{wanted}")
    if _answers(there):
        yield there, None
        return
    chosen = wanted if _is_free(wanted) else free_port()
    server = Panoptic(f"http://127.0.0.1:{chosen}")
    settings = {**os.environ, **(environment or {}), "PANOPTIC_PORT": str(chosen),
                "PANOPTIC_HOST": "127.0.0.1", "PANOPTIC_REMOTE": "1"}
    with open(log or os.devnull, "ab") as output:
        process = subprocess.Popen(program, env=settings, stdout=output, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL)
        try:
            _wait_for(server, process)
            yield server, process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(server: Panoptic, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(server):
        if process.poll() is not None or time.monotonic() > deadline:
            raise FacesError("panoptic_not_started", address=server.address)
        time.sleep(POLL_SECONDS)


def _answers(server: Panoptic) -> bool:
    try:
        return isinstance(server.request("GET", "/projects", timeout=5), list)
    except (OSError, ValueError, FacesError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_port() -> int:
    """A port of this machine that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _id_of(row: Any) -> Any:
    return row.get("id") if isinstance(row, dict) else row[0]


def _message(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode(errors="replace")
