"""The way of a run's records from rank 0 to the driver: an actor on the driver's machine, which is asked now and then."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

_POLL_S = 0.5


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class Board:
    """Carries records from rank 0 to the driver, wherever in the cluster each of them is. Where it dies it begins anew."""

    def __init__(self) -> None:
        self._records: list[dict[str, Any]] = []

    def put(self, record: dict[str, Any]) -> None:
        """Add one record."""
        self._records.append(record)

    def take(self) -> tuple[int, list[dict[str, Any]]]:
        """The process that this is, and everything put since the last call."""
        taken, self._records = self._records, []
        return os.getpid(), taken


@contextmanager
def relay(name: str, show: Callable[[dict[str, Any]], None]) -> Iterator[str]:
    """Show what workers put on a board for as long as the block runs. Yields the board's name."""
    # not soft: Ray takes that for leave to place it on another machine, which may be lost and all later records with it
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    board = Board.options(name=name, scheduling_strategy=here).remote()  # type: ignore[attr-defined]
    finished, processes = threading.Event(), set[int]()

    def drain() -> None:
        process, records = ray.get(board.take.remote())
        if processes and process not in processes:
            show({"phase": f"what was reported in the last {_POLL_S} seconds is lost: the process that carries it died"})
        processes.add(process)
        for record in records:
            show(record)

    def poll() -> None:
        while not finished.wait(_POLL_S):
            drain()

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield name
    finally:
        finished.set()
        thread.join()
        drain()
        ray.kill(board)
