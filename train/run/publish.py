"""The end of a run: what the last checkpoint exported becomes the model directory, with its card."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from artifacts.card import Card, check_output, write_card
from train.run.settings import TrainConfig, command_line

MODEL = "model"
"""The directory within a run's last checkpoint that becomes the model directory."""


def publish(checkpoint: Path, config: TrainConfig, *, kind: str, run: str, hashed: str, metrics: Mapping[str, float]) -> Card:
    """Copy the exported model to `config.out`. The card is written last, then a rename puts the directory in place of an older one.

    Raises ArtifactError where something else has come to lie at `config.out` since the run began; the run can then be resumed with
    another `--out`."""
    check_output(config.out, kind)
    partial = config.out.with_name(f"{config.out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(checkpoint / MODEL, partial)
    for path in partial.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors files are written for their owner only; a model is shared
    card = write_card(
        partial,
        kind=kind,
        name=config.name,
        command=command_line(),
        seed=config.seed,
        config={**described(config), "run": run},
        data_hash=hashed,
        metrics={key: round(value, 6) or value for key, value in metrics.items()},  # a small delta is not 0
    )
    if config.out.exists():
        shutil.rmtree(config.out)
    partial.rename(config.out)
    return card


def described(config: TrainConfig) -> dict[str, Any]:
    """The config as others may read it: with paths below the working directory written relative to it."""
    here = f"{Path.cwd()}{os.sep}"

    def relative(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: relative(inner) for key, inner in value.items()}
        return value.removeprefix(here) if isinstance(value, str) else value

    found: dict[str, Any] = relative(config.model_dump(mode="json"))
    return found
