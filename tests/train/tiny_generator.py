"""A generator too small to say anything, as a run would leave it."""

from collections.abc import Mapping
from pathlib import Path

import torch

from artifacts.card import write_card
from train.writing.language_model import CopyLoss, LanguageModelConfig, export, start


def save_generator(directory: Path, tokenizer: Path, sizes: Mapping[str, int]) -> Path:
    """From scratch, untrained, with its card."""
    torch.manual_seed(0)
    config = LanguageModelConfig(name="tiny", out=directory, tokenizer=tokenizer, **sizes)
    encoder, model = start(config)
    export(CopyLoss(model), directory, tokenizer=encoder, config=config)
    write_card(directory, kind="generator", name="tiny", command="pytest", seed=0)
    return directory
