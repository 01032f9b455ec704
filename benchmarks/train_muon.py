"""Muon on a CPU, in fp32 (train/run/muon.py) beside torch's own in bf16: `python -m benchmarks.train_muon`.

One update of the base generator's matrices (train/configs/generator.yaml) by each, in turns, on one thread, the median of seven.

update_ratio    seconds of an update ÷ those of torch's own
bf16_cpu        whether the CPU has instructions for bf16 (AVX-512 BF16 or AMX), without which torch's own is slow
"""

import statistics
import time

import torch

from benchmarks.record import record
from serve.config import ROOT
from train.generator import GeneratorConfig
from train.run.loop import in_bf16
from train.run.muon import Muon
from train.run.settings import load_config
from train.writing.language_model import start

SEED = 7
_THREADS, _TIMES = 1, 7


def matrices() -> list[torch.nn.Parameter]:
    """What Muon moves of the base generator, with gradients."""
    _, model = start(load_config(GeneratorConfig, ROOT / "train" / "configs" / "generator.yaml", {}))
    found = [each for name, each in model.named_parameters() if each.ndim == 2 and "embed" not in name]
    for each in found:
        each.grad = torch.randn_like(each)
    return found


def seconds(optimizer: torch.optim.Optimizer) -> float:
    """Of one update."""
    began = time.perf_counter()
    optimizer.step()
    return time.perf_counter() - began


def main() -> None:
    """The command line."""
    torch.set_num_threads(_THREADS)
    torch.manual_seed(SEED)
    weights = matrices()
    ours = Muon(weights, lr=1e-4, weight_decay=0.0)
    theirs = torch.optim.Muon(weights, lr=1e-4, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    taken = [(seconds(ours), seconds(theirs)) for _ in range(_TIMES + 1)][1:]  # the first ones make the state
    fp32, bf16 = (statistics.median(side) for side in zip(*taken, strict=True))
    figures = {
        "matrices": len(weights),
        "parameters": sum(each.numel() for each in weights),
        "threads": _THREADS,
        "update_seconds": round(fp32, 3),
        "update_seconds_of_torch": round(bf16, 3),
        "update_ratio": round(fp32 / bf16, 4),
        "bf16_cpu": "yes" if in_bf16("auto", torch.device("cpu")) else "no",
    }
    record("train_muon", figures, seed=SEED)


if __name__ == "__main__":
    main()
