"""Dask: a scheduler of this machine or another one's, and work that goes through it a few pieces at a time."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.errors import FacesError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster, Scheduler

LOCAL = "local"
SCHEMES = ("tcp://", "tls://", "ws://", "wss://", "ucx://")
# A piece of work may lose so many workers: machines are taken away more often than a photo kills one.
ALLOWED_FAILURES = 25
# A failure that is not a death (a disk that was full, a store that did not answer) is tried again so often.
RETRIES = 2
# Pieces known to the scheduler for each thread: enough that none waits, few enough that 10^8 photos fit.
AHEAD = 4
CONNECTION_SECONDS = 20
WATCH_SECONDS = 2.0

Item = TypeVar("Item")


@contextmanager
def connected(scheduler: str, workers: int | None = None, *, processes: bool = True) -> Iterator[Client]:
    """A client of the scheduler at an address, or of workers of this machine that end with the block.

    scheduler: ``local`` or an address. workers: number of local ones, one thread each, by default one a core.
    processes: False puts them into this process, for tests. Raises FacesError: ``dask_missing``,
    ``scheduler_unknown`` or ``scheduler_unreachable``.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise FacesError("dask_missing") from error
    if scheduler != LOCAL and not scheduler.startswith(SCHEMES):
        raise FacesError("scheduler_unknown", got=scheduler)
    if scheduler == LOCAL:
        count = workers or os.cpu_count() or 1
        with LocalCluster(n_workers=count, threads_per_worker=1, processes=processes,
                          host="127.0.0.1" if processes else None, silence_logs=logging.CRITICAL,
                          dashboard_address="127.0.0.1:0") as cluster, \
                Client(cluster) as client, _kept_up(cluster, count):
            client.run_on_scheduler(_be_patient)
            yield client
        return
    try:
        client = Client(scheduler, timeout=CONNECTION_SECONDS)
    except (OSError, TimeoutError) as error:
        raise FacesError("scheduler_unreachable", address=scheduler, reason=str(error)[:200]) from error
    with client:
        client.run_on_scheduler(_be_patient)
        yield client


@contextmanager
def _kept_up(cluster: LocalCluster, count: int) -> Iterator[None]:
    """Start a new worker for each that is lost for good: Dask gives up one that dies while it starts, or that needs
    more than some seconds to come back, and would wait for ever once none is left."""
    from distributed import Status

    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_SECONDS):
            for name, worker in list(cluster.workers.items()):
                if worker.status in (Status.failed, Status.closed):
                    cluster.workers.pop(name, None)
            cluster.scale(count)

    watcher = threading.Thread(target=watch, name="faces-workers", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _be_patient(dask_scheduler: Scheduler) -> None:
    dask_scheduler.allowed_failures = max(dask_scheduler.allowed_failures, ALLOWED_FAILURES)


def through(client: Client, work: Callable[..., Any], items: Iterable[Item], *shared: Any,
            split: Callable[[Item], Sequence[Item] | None] = lambda item: None) -> Iterator[tuple[Item, Any]]:
    """Each item with ``work(item, *shared)``, as they are done; a few are under way for each thread.

    split: an item that killed every worker it was given to is cut into these, to find what does it; where it gives
    None, raises FacesError ``worker_killed``. What ``work`` raises is raised here.
    """
    from distributed import KilledWorker, as_completed

    waiting = iter(items)
    under_way: dict[Any, Item] = {}
    done: Any = as_completed()

    def begin(some: Iterable[Item]) -> None:
        for item in some:
            future = client.submit(work, item, *shared, retries=RETRIES, pure=False)
            under_way[future] = item
            done.add(future)

    def room() -> int:
        threads = int(sum(client.nthreads().values()))
        return max(0, AHEAD * max(1, threads) - len(under_way))

    begin(islice(waiting, room()))
    try:
        while under_way:
            future = next(done)
            item = under_way.pop(future)
            try:
                result = future.result()
            except KilledWorker as error:
                parts = split(item)
                if parts is None:
                    raise FacesError("worker_killed", times=ALLOWED_FAILURES + 1) from error
                begin(parts)
                continue
            begin(islice(waiting, room()))
            yield item, result
    finally:
        client.cancel(list(under_way))
