"""What a training step costs in floating-point operations, and how many of them the processor could do: model FLOPs utilisation (MFU).

Chowdhery et al. 2022 (PaLM), appendix B: six operations a token for every parameter that a token is multiplied with, and
12 × layers × width × context for attention. The lookup of embeddings costs nothing; a tied one counts, being the output's matrix too.
Frozen parameters cost four, having no gradient of their own. Only transformers of a known shape are counted, and no mixtures of experts.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_LEARNING, _FROZEN = 6, 4
_IGNORED = -100  # a label that no loss is computed for
_SIDE = 1024
_MEASURED_S = 0.2
PEAKS = {
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "H200": 989e12,
    "H800": 989e12,
    "GH200": 989e12,
    "B200": 2250e12,
    "A100": 312e12,
    "A800": 312e12,
    "A40": 150e12,
    "A30": 165e12,
    "A10G": 70e12,
    "A10": 125e12,
    "L40S": 362e12,
    "L40": 181e12,
    "L4": 121e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
    "V100": 125e12,
    "T4": 65e12,
}
"""Dense 16-bit FLOP/s by the words in a GPU's name; the first entry whose words are all there counts. V100 and T4 are fp16."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a token costs: `weights` and `head` are operations, `widths` has for each attention layer its width and its window, if any."""

    weights: float
    head: float
    widths: tuple[tuple[int, int | None], ...]

    def per_token(self, context: int) -> float:
        """Operations of one training step for one token among `context`."""
        return self.weights + self.head + 12 * sum(width * min(context, window or context) for width, window in self.widths)

    def of(self, batch: Mapping[str, Tensor]) -> float:
        """Operations of one training step on `input_ids` (batch, longest), padding included, which is computed as well. Where labels say
        for which tokens there is a loss, the output's matrix counts for these only."""
        count, longest = batch["input_ids"].numel(), batch["input_ids"].shape[-1]
        labels = batch.get("labels")
        answered = int((labels != _IGNORED).sum()) if labels is not None and labels.shape == batch["input_ids"].shape else count
        return count * (self.per_token(longest) - self.head) + answered * self.head


def cost_of(model: nn.Module) -> Cost | None:
    """The cost of the transformer that is, or lies in, this model; None where there is none whose shape is known."""
    found: Any = next((part for part in model.modules() if _layers(getattr(part, "config", None))), None)
    if found is None:
        return None
    config = found.config.get_text_config()
    if getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None):
        return None
    output = found.get_output_embeddings() if hasattr(found, "get_output_embeddings") else None
    head = {id(parameter) for parameter in output.parameters()} if output is not None else set()
    looked_up = {id(part.weight) for part in found.modules() if isinstance(part, nn.Embedding)}
    weights = _operations(found, lambda number: number not in looked_up | head)
    return Cost(weights, _operations(found, head.__contains__), _widths(config))


def _layers(config: Any) -> int:
    shape = config.get_text_config() if hasattr(config, "get_text_config") else None
    return int(getattr(shape, "num_hidden_layers", None) or 0) if getattr(shape, "num_attention_heads", None) else 0


def _operations(model: nn.Module, counts: Any) -> float:
    chosen = (parameter for parameter in model.parameters() if counts(id(parameter)))
    return float(sum(parameter.numel() * (_LEARNING if parameter.requires_grad else _FROZEN) for parameter in chosen))


def _widths(config: Any) -> tuple[tuple[int, int | None], ...]:
    width = config.num_attention_heads * (getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    window = getattr(config, "local_attention", None) or getattr(config, "sliding_window", None)
    return tuple((width, window if kind == "sliding_attention" else None) for kind in kinds)


def peak(device: torch.device, *, bf16: bool) -> float | None:
    """FLOP/s that the processor could do: from the table for a GPU in 16 bit, measured for a CPU; None where it isn't known."""
    if device.type == "cpu":
        return measured(torch.bfloat16 if bf16 else torch.float32)
    return peak_of(torch.cuda.get_device_name(device)) if device.type == "cuda" and bf16 else None


def peak_of(name: str) -> float | None:
    """The table's entry for a GPU's name; None for one that it lacks."""
    words = set(name.replace("-", " ").split())
    return next((flops for key, flops in PEAKS.items() if set(key.split()) <= words), None)


def measured(dtype: torch.dtype, clock: Callable[[], float] = time.perf_counter) -> float:
    """FLOP/s of this process's threads in the fastest of a few matrix products."""
    square = torch.randn(_SIDE, _SIDE, dtype=dtype)
    fastest, began = float("inf"), clock()
    while clock() - began < _MEASURED_S:
        before = clock()
        square @ square
        fastest = min(fastest, clock() - before)
    return 2 * _SIDE**3 / fastest
