"""What a long time does to a project: kills, held databases, and the same work over and over.

    python -m benchmarks.soak PHOTOS WEIGHTS [--kills 50] [--cycles 10] [--held 30] [--people 25] [--seed 0]

PHOTOS holds a folder of photos for each person, of which it copies those of some people. About 15 minutes on two cores
with the defaults and 75 photos: 11 of kills, 3 of held databases, 1 of cycles.

- kills: the server is sent a SIGKILL in the middle of a scan, a save, a tagging, a confirmation or an erasure, at a
  random step of its work on the project's files or, every other time, at a random moment. Then the project has to
  open, its databases to be whole, every crop to be whole and to have its provenance, every vector to have its crop;
  and the action, done again, has to end as an undisturbed one.
- held: another program keeps the three databases locked for so many seconds while an action is done.
- cycles: faces are found and forgotten again and again in one server. Memory, open files and the size of the
  project's folder after each erasure are printed, and what a cycle added, by a straight line through all after the
  second.

Ends with an error at the first loss.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from tests.faults.rig import ACTIONS, Rig, hold, some_photos
from tests.faults.state import check


def kills(rig: Rig, count: int, chance: random.Random) -> None:
    done = tried = 0
    per_action = dict.fromkeys(ACTIONS, 0)
    while done < count:
        action = list(ACTIONS)[tried % len(ACTIONS)]
        by_step, tried = tried % 2 == 0, tried + 1
        if by_step:
            step = chance.randint(1, rig.steps[action])
            hit, where = rig.killed(action, step=step), f"step {step} of {rig.steps[action]}"
        else:
            # The last 0.6 s of an action are spent on asking twice if it has ended.
            seconds = chance.uniform(0, max(0.1, rig.seconds[action] - 0.6))
            hit, where = rig.killed(action, seconds=seconds), f"{seconds:.2f} s"
        check(rig.project)
        rig.finish(action)
        done += hit
        per_action[action] += hit
        ended = "" if hit else " (had ended)"
        print(f"{done:3} killed in {action} at {where}{ended}: finished as undisturbed", flush=True)
    print(f"kills: {done} in mid-action of {tried} tried ({per_action}), 0 lost")


def held(rig: Rig, seconds: float) -> None:
    for action in ACTIONS:
        with rig.start() as (server, _):
            rig.reset(server, action)
            started = time.monotonic()
            hold(rig, seconds, partial(rig.act, server, action))
            print(f"held for {seconds:.0f} s: {action} ended after {time.monotonic() - started:.0f} s", flush=True)
            rig.compare(action)


def cycles(rig: Rig, count: int) -> None:
    rows = []
    with rig.start() as (server, process):
        rig.reset(server, "detect_faces")
        for number in range(1, count + 1):
            rig.act(server, "detect_faces")
            rig.act(server, "forget_faces")
            files = [path for path in rig.project.rglob("*") if path.is_file()]
            memory = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
            rows.append((memory, len(os.listdir(f"/proc/{process.pid}/fd")), len(files),
                         sum(path.stat().st_size for path in files) / 1e6))
            print(f"cycle {number:2}: memory {rows[-1][0]:7.1f} MB, {rows[-1][1]} open files, {rows[-1][2]} files, "
                  f"{rows[-1][3]:.3f} MB on disk", flush=True)
        check(rig.project)
    slopes = np.polyfit(range(len(rows) - 2), np.array(rows[2:]), 1)[0] if len(rows) > 3 else [float("nan")] * 4
    print("a cycle adds: memory {:.2f} MB, {:.2f} open files, {:.2f} files, {:.4f} MB on disk".format(*slopes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("weights", type=Path)
    for name, default in (("kills", 50), ("cycles", 10), ("held", 30), ("people", 25), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), some_photos(asked.photos, Path(folder) / "photos", asked.people), asked.weights)
        started = time.monotonic()
        rig.build()
        kills(rig, asked.kills, random.Random(asked.seed))
        if asked.held:
            held(rig, asked.held)
        cycles(rig, asked.cycles)
        print(f"{(time.monotonic() - started) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
