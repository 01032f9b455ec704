"""Encoded examples and prompts as tensors of one length."""

from collections.abc import Sequence

import torch
from torch import Tensor

from train.writing.completions import IGNORED, Encoded


def collate(encoded: Sequence[Encoded], pad: int) -> dict[str, Tensor]:
    """Pad on the right. Each tensor is (batch, longest)."""
    longest = max(len(tokens) for tokens, _ in encoded)
    rows = [
        (tokens + [pad] * (longest - len(tokens)), labels + [IGNORED] * (longest - len(labels)), len(tokens)) for tokens, labels in encoded
    ]
    return {
        "input_ids": torch.tensor([tokens for tokens, _, _ in rows]),
        "labels": torch.tensor([labels for _, labels, _ in rows]),
        "attention_mask": torch.tensor([[1] * length + [0] * (longest - length) for _, _, length in rows]),
    }


def left_padded(prompts: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """(input_ids, attention_mask), each (prompts, longest), padded on the left as writing wants it."""
    longest = max(map(len, prompts))
    rows = [([pad] * (longest - len(prompt)) + list(prompt), [0] * (longest - len(prompt)) + [1] * len(prompt)) for prompt in prompts]
    tokens, mask = (torch.tensor(each) for each in zip(*rows, strict=True))
    return tokens, mask
