"""What Ray Train, more workers and shards cost and gain: `python -m benchmarks.train_speed [--seconds 30] [--rounds 3]`.

A Llama of the shipped generator's shape on batches of random tokens, every variant for `--seconds`, the variants in turn, `--rounds` times;
figures are medians over all reports but the first two of each run.

ray_by_plain       tokens/s of a run by `train.job` with one worker ÷ the same steps in a process that never starts Ray, both two threads
two_by_one         tokens/s of two workers of one thread (DDP over gloo) ÷ one worker of one thread
two_by_threads     tokens/s of two workers of one thread ÷ one worker of two threads
fsdp_by_ddp        tokens/s of two workers with shards (FSDP2) ÷ two with the whole model
fsdp_memory        peak resident memory of a worker with shards ÷ with the whole model, as growth over what it had before the model
"""

import argparse
import json
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.record import Figures, record
from demo.stage import VAR
from train.job import launch
from train.run.loop import Batch, Recipe, fit, seed_everything, step
from train.run.optimizers import optimizer_of
from train.run.settings import TrainConfig

WORK = VAR / "benchmarks" / "speed"
SEED = 3
_ROWS, _TOKENS, _VOCABULARY = 16, 128, 6144
_REPORT_S = 1.0
_UNSETTLED = 2
VARIANTS: dict[str, dict[str, object]] = {
    "ray": {"workers": 1, "threads_per_worker": 2},
    "one": {"workers": 1, "threads_per_worker": 1},
    "two": {"workers": 2, "threads_per_worker": 1},
    "fsdp": {"workers": 2, "threads_per_worker": 1, "parallel": "fsdp"},
}


class SpeedConfig(TrainConfig):
    """A run that measures."""

    memory: Path
    """Where rank 0 writes what its memory grew by, in MiB."""


def parts() -> tuple[nn.Module, Recipe]:
    """The model and the recipe of every variant."""
    seed_everything(SEED)
    sizes = {"hidden_size": 256, "num_hidden_layers": 5, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 512}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=_VOCABULARY, tie_word_embeddings=True, **sizes))
    rows = torch.randint(_VOCABULARY, (2048, _TOKENS), generator=torch.Generator().manual_seed(SEED))

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        return {"input_ids": rows[list(numbers)]}

    recipe = Recipe(
        count=len(rows),
        batch=batch,
        loss=lambda model, batch: model(input_ids=batch["input_ids"], labels=batch["input_ids"]).loss,
        evaluate=lambda model: {},
        export=_export,
    )
    return model, recipe


def _export(model: nn.Module, directory: Path) -> None:
    directory.mkdir()
    (directory / "nothing").write_text("a run must leave a model; this one is never used\n", encoding="utf-8")


def loop(config: SpeedConfig) -> None:
    """One worker's part of a run."""
    before = _peak_mib()
    model, recipe = parts()
    fit(config, model, recipe)
    config.memory.write_text(str(_peak_mib() - before))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def config_of(seconds: float, **settings: object) -> SpeedConfig:
    """The settings of a variant."""
    fixed = {"name": "speed", "out": WORK / "out", "storage": str(WORK / "runs"), "memory": WORK / "memory", "batch_size": _ROWS}
    times = {"max_seconds": seconds, "epochs": 1e6, "checkpoint_every_s": 1e6, "report_every_s": _REPORT_S}
    return SpeedConfig.model_validate({**fixed, **times, "seed": SEED, "precision": "fp32", "device": "cpu", **settings})


def by_ray(seconds: float, settings: dict[str, object]) -> tuple[list[float], float]:
    """(tokens/s of each report, MiB that rank 0's memory grew by)."""
    config = config_of(seconds, **settings)
    card = launch(loop, config, kind="speed", data=[])
    lines = (config.local_runs / str(card.config["run"]) / "metrics.jsonl").read_text().splitlines()
    speeds = [float(report["tokens_per_s"]) for report in map(json.loads, lines) if "tokens_per_s" in report]
    return speeds[_UNSETTLED:], float(config.memory.read_text())


def plain(seconds: float) -> list[float]:
    """tokens/s of each interval of the same steps, without Ray."""
    config = config_of(seconds)
    torch.set_num_threads(2)
    model, recipe = parts()
    optimizer = optimizer_of(model, config)
    speeds, tokens, number, began = list[float](), 0, 0, time.monotonic()
    reported = began
    while (now := time.monotonic()) - began < seconds:
        first = number * _ROWS % recipe.count
        tokens += step(model, optimizer, [recipe.batch(range(first, first + _ROWS), 0)], recipe, config)[1]
        number += 1
        if (now := time.monotonic()) - reported >= _REPORT_S:
            speeds.append(tokens / (now - reported))
            tokens, reported = 0, now
    return speeds[_UNSETTLED:]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        print(json.dumps(plain(options.seconds)))
        return
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    speeds, memory = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for _ in range(options.rounds):
        command = [sys.executable, "-m", "benchmarks.train_speed", "--plain", "--seconds", str(options.seconds)]
        speeds["plain"] += json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for name, settings in VARIANTS.items():
            found, grown = by_ray(options.seconds, settings)
            speeds[name] += found
            memory[name].append(grown)
    pace = {name: median(each) for name, each in speeds.items()}
    figures: Figures = {f"{name}_tokens_per_s": round(value) for name, value in pace.items()}
    figures |= {
        "ray_by_plain": round(pace["ray"] / pace["plain"], 3),
        "two_by_one": round(pace["two"] / pace["one"], 2),
        "two_by_threads": round(pace["two"] / pace["ray"], 2),
        "fsdp_by_ddp": round(pace["fsdp"] / pace["two"], 2),
        "fsdp_memory": round(median(memory["fsdp"]) / median(memory["two"]), 2),
    }
    record("train_speed", figures, seed=SEED, command=shlex.join(["python", "-m", "benchmarks.train_speed", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
