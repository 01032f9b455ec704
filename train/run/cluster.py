"""The Ray cluster that a run uses: joined or started here, asked what it can give, and cleared of what a dead run still holds.

The cluster is the one that RAY_ADDRESS names; without it one is started on this machine for the run alone, in a temporary directory of its
own: Ray Train looks for its cluster in that directory to see whether a run is still alive, and in the one that all clusters of a machine
share it finds the cluster that was started last. It would ask that one, be told that there is no such run, and take the workers' places
away. For the same reason its dashboard, which is switched off, has a port where nobody answers: Ray names 8265 all the same, where the
dashboard of a graph that serves on this machine would answer for it.
"""

import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.util
from ray._raylet import PlacementGroupID
from ray.util.placement_group import PlacementGroup

from train.run.settings import ConfigError, TrainConfig

_TEMPORARY = "RAY_TMPDIR"


def connect(config: TrainConfig) -> None:
    """Join the cluster that RAY_ADDRESS names, or start Ray here; refuse what this machine can never give."""
    if ray.is_initialized():
        return
    wanted = config.fewest_workers * config.threads_per_worker
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
        return
    cpus = max(os.cpu_count() or 1, 2)  # two workers of one thread each also take turns on one core
    if wanted > cpus:
        raise ConfigError(
            f"workers = {config.fewest_workers} with threads_per_worker = {config.threads_per_worker}: needs {wanted} CPUs, this machine "
            f"offers {cpus}; lower one of them (--set workers=1) or set RAY_ADDRESS to a cluster"
        )
    start(cpus)


def start(cpus: int) -> None:
    """Start Ray on this machine with so many CPUs. Its workers have the environment of this process, and no runtime environment: Ray keeps
    no workers ready for one."""
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")  # nobody takes this machine away: a process less for each run
    with own_directory() as directory:
        ray.init(
            "local",
            num_cpus=cpus,
            include_dashboard=False,
            dashboard_port=_unused_port(),
            log_to_driver=False,
            logging_level="ERROR",
        )
        (directory / "ray" / "ray_current_cluster").write_text(ray.get_runtime_context().gcs_address, encoding="utf-8")


def _unused_port() -> int:
    """A port that nothing listens on, from the range that the kernel hands out: no dashboard is ever given one of these."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def own_directory() -> Iterator[Path]:
    """What Ray starts in this block keeps its files, and looks for its cluster, in a directory of its own."""
    before = os.environ.get(_TEMPORARY)
    directory = os.environ[_TEMPORARY] = tempfile.mkdtemp(prefix="ray-")
    try:
        yield Path(directory)
    finally:
        if before is None:
            del os.environ[_TEMPORARY]
        else:
            os.environ[_TEMPORARY] = before


def use_gpu(config: TrainConfig) -> bool:
    """Whether each worker gets a GPU. Raises ConfigError where it must have one and there are too few."""
    gpus = int(ray.cluster_resources().get("GPU", 0))
    wanted = config.fewest_workers
    if config.device == "cuda" and gpus < wanted and not os.environ.get("RAY_ADDRESS"):
        raise ConfigError(f"device = 'cuda': needs {wanted} GPU(s), there are {gpus}; pass --set device=cpu or lower workers")
    return config.device == "cuda" or (config.device == "auto" and gpus >= wanted)


def resources() -> dict[str, Any]:
    """What the cluster has in all."""
    return dict(ray.cluster_resources())


def places() -> set[str]:
    """Ids of the placement groups that this driver's runs hold. They outlive a controller that is killed, as long as the driver lives."""
    ours = ray.get_runtime_context().get_job_id()  # an id ends with that of the job that made it
    table = ray.util.placement_group_table()
    return {name for name, group in table.items() if group["state"] != "REMOVED" and name.endswith(ours)}


def give_up(groups: Iterable[str]) -> None:
    """Remove placement groups, by id; workers that still run in them are killed."""
    for name in groups:
        ray.util.remove_placement_group(PlacementGroup(PlacementGroupID.from_hex(name)))
