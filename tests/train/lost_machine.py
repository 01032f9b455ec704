"""A run on a cluster of two machines, one of which is lost on the way.

PYTHONPATH=.:tests/train python tests/train/lost_machine.py DIRECTORY
"""

import os
import sys
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster
from train_fakes import ReciterConfig, reciter

from train.job import launch
from train.run.cluster import own_directory


def main() -> None:
    directory = Path(sys.argv[1])
    os.environ |= {"RAY_health_check_period_ms": "500", "RAY_health_check_initial_delay_ms": "1000"}  # notice it in seconds, not in 20
    with own_directory():
        machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        second = machines.add_node(num_cpus=1)
    ray.init(machines.address, log_to_driver=False, logging_level="ERROR")

    def lose() -> None:
        while not list(directory.glob("reciter-*/checkpoint_*/card.json")):
            time.sleep(0.1)
        machines.remove_node(second, allow_graceful=False)

    threading.Thread(target=lose).start()
    config = ReciterConfig(
        name="reciter", out=directory / "out", storage=str(directory), workers=2, min_workers=1, batch_size=3, max_failures=3,
        threads_per_worker=1, precision="fp32", learning_rate=0.01, report_every_s=1e-6, checkpoint_every_s=1e-6, epochs=5,
        seconds_per_batch=1, start_timeout_s=8,
    )  # fmt: skip
    launch(reciter, config, kind="reciter", data=[])
    ray.shutdown()
    machines.shutdown()


if __name__ == "__main__":
    main()
