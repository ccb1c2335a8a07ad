"""Panoptic as a child to be harmed: it kills itself at a step that the file PANOPTIC_FAULTS names.

The file holds a folder, a number and what makes it another order than the last, each in a line. Every step that the program takes in that folder (a database or a
file opened, a file renamed or removed) is counted in a file beside it; at that number, if it is not 0, the program
gets a SIGKILL. Python tells of each step just before it is taken.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
from typing import Any

STEPS = {"open", "sqlite3.connect", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}
ORDER = os.environ.get("PANOPTIC_FAULTS", "")
taken, last_order = 0, ""
lock = threading.Lock()


def step(event: str, arguments: tuple[Any, ...]) -> None:
    global taken, last_order
    if event not in STEPS or not isinstance(arguments[0], (str, os.PathLike)):
        return
    path = os.fspath(arguments[0])
    if path.startswith(ORDER) or not os.path.exists(ORDER):
        return
    with lock:
        with open(ORDER) as order:
            words = order.read()
        folder, number = words.split("\n")[:2]
        if path.startswith(folder):
            taken, last_order = (taken + 1 if words == last_order else 1), words
            if taken == int(number):
                os.kill(os.getpid(), signal.SIGKILL)
            with open(ORDER + ".count", "w") as count:
                count.write(str(taken))


if __name__ == "__main__":
    sys.addaudithook(step)
    sys.argv[0] = "panoptic"
    runpy.run_module("panoptic.cli", run_name="__main__")
