"""Panoptic as a child to be harmed, as the file that PANOPTIC_FAULTS names orders.

The file holds, a line each: a folder; a number; what happens at the how-many-th step that the program takes in that
folder, "kill" or the name of an errno, which every later step meets too; and what makes this another order than the
last. A step is a file, folder or database opened, a file renamed or removed: Python tells of each just before it is
taken. The number 0 only counts, in a file beside the order.
"""

from __future__ import annotations

import errno
import os
import runpy
import signal
import sys
import threading
from typing import Any

STEPS = {"open", "os.listdir", "os.scandir", "sqlite3.connect", "os.rename", "os.remove", "os.rmdir", "os.mkdir"}
ORDER = os.environ.get("PANOPTIC_FAULTS", "")
lock = threading.Lock()
taken, last_order = 0, ""


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
        folder, number, fault = words.split("\n")[:3]
        if not path.startswith(folder):
            return
        taken, last_order = (taken + 1 if words == last_order else 1), words
        with open(ORDER + ".count", "w") as count:
            count.write(str(taken))
        if int(number) and taken >= int(number):
            if fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(getattr(errno, fault), os.strerror(getattr(errno, fault)), path)


if __name__ == "__main__":
    sys.addaudithook(step)
    sys.argv[0] = "panoptic"
    runpy.run_module("panoptic.cli", run_name="__main__")
