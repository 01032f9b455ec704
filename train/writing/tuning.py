"""What of a model learns: all of it, a low-rank adapter (LoRA, AdaLoRA), or a prefix; and how the result is written. By PEFT.

LoRA: Hu et al. 2021. AdaLoRA: Zhang et al. 2023; it begins with `first_rank` everywhere and gives the budget of `rank` per matrix to the
matrices that need it, over the first 70 % of the run. Prefix tuning: Li and Liang 2021; keys and values before every layer's own.

LoRA and AdaLoRA are merged into the base unless told otherwise, and serve like any generator. A LoRA adapter also serves as it is, as a
brand voice (train/voice.py). A prefix can't be merged and vLLM can't serve it: it is written as a PEFT adapter, which `train.evaluate`
and PEFT load.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, Self

import torch
from peft import AdaLoraConfig, LoraConfig, PeftModel, PrefixTuningConfig, get_peft_model
from pydantic import Field, model_validator
from torch import Tensor

from train.run.settings import TrainConfig

Method = Literal["full", "lora", "adalora", "prefix"]
ADAPTER = "adapter"
"""The kind, in its card, of an adapter without a base."""
_LAYERS = "all-linear"  # every matrix of the layers; the embeddings and the output stay as they are
_SCHEDULE, _RISE, _SETTLED = 1000, 100, 300  # AdaLoRA's run in its own steps: all ranks first, the final ones last
_ORTHOGONAL = 0.5


class TuningConfig(TrainConfig):
    """How a base is tuned."""

    method: Method = "full"
    rank: int = Field(default=8, ge=1, le=256)
    """Rank of an adapter's matrices; AdaLoRA's mean rank at the end. Serving takes voices up to its `voice_rank`."""
    alpha: float = Field(default=16, gt=0)
    """Scale of what the adapter adds, divided by `rank`."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """On what an adapter reads."""
    first_rank: int = Field(default=12, ge=2, le=384)
    """AdaLoRA's rank at the beginning."""
    prefix_length: int = Field(default=32, ge=1)
    """Invisible tokens before the prompt."""
    deliver: Literal["merged", "adapter"] | None = None
    """What the run leaves: a whole model, or the adapter alone. None is whole where that can be."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.method == "adalora" and self.first_rank <= self.rank:
            raise ValueError(f"first_rank = {self.first_rank} is not above rank = {self.rank}, to which AdaLoRA cuts it; raise it")
        if self.method == "prefix" and self.deliver == "merged":
            raise ValueError("deliver = 'merged': a prefix is no change of weights; pass --set deliver=adapter, or method=lora to serve it")
        if self.method == "prefix" and self.recompute_activations:
            raise ValueError("recompute_activations = True: a prefix would be lost on the way; pass --set recompute_activations=false")
        if self.method == "adalora" and self.parallel == "fsdp":
            raise ValueError("parallel = 'fsdp' with method = 'adalora': it ranks whole matrices; pass --set parallel=ddp or method=lora")
        if self.method == "full" and self.deliver == ADAPTER:
            raise ValueError("deliver = 'adapter': method = 'full' has none; pass --set method=lora")
        return self

    @property
    def as_adapter(self) -> bool:
        """Whether the adapter is written instead of a whole model."""
        return self.deliver == ADAPTER or self.method == "prefix"


def adapted(base: Any, config: TuningConfig) -> Any:
    """The model to train: the base itself, or a PeftModel around it whose own weights are frozen."""
    common: dict[str, Any] = {"task_type": "CAUSAL_LM"}
    low_rank = common | {"lora_alpha": config.alpha, "lora_dropout": config.dropout, "target_modules": _LAYERS}
    match config.method:
        case "full":
            return base
        case "lora":
            return get_peft_model(base, LoraConfig(r=config.rank, **low_rank))
        case "adalora":
            steps = {"total_step": _SCHEDULE, "tinit": _RISE, "tfinal": _SETTLED, "deltaT": 1}
            ranks = {"init_r": config.first_rank, "target_r": config.rank, "orth_reg_weight": _ORTHOGONAL}
            return get_peft_model(base, AdaLoraConfig(**ranks, **steps, **low_rank))
        case "prefix":
            return get_peft_model(base, PrefixTuningConfig(num_virtual_tokens=config.prefix_length, **common))


def bare(model: Any) -> Any:
    """The transformers model itself."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def is_prefix(model: Any) -> bool:
    """Whether a prefix stands before what the model reads."""
    return isinstance(model, PeftModel) and bool(model.active_peft_config.is_prompt_learning)


def orthogonality(model: Any) -> Tensor | None:
    """AdaLoRA's penalty, which keeps its factors near singular vectors; None for other methods."""
    if not isinstance(model, PeftModel) or not isinstance(model.active_peft_config, AdaLoraConfig):
        return None
    factors = [p if "lora_A" in name else p.T for name, p in model.named_parameters() if "lora_A" in name or "lora_B" in name]
    far = [torch.linalg.matrix_norm(p @ p.T - torch.eye(len(p), device=p.device)) for p in factors]
    penalty: Tensor = torch.stack(far).mean() * model.active_peft_config.orth_reg_weight
    return penalty


def budget(model: Any) -> Callable[[float], None] | None:
    """What AdaLoRA does after each step, as `Recipe.after_step`; None for other methods. It goes by the share of the run that is done,
    since a run may end by the clock; what importance it has gathered is not in checkpoints and begins anew when a run goes on."""
    if not isinstance(model, PeftModel) or not isinstance(model.active_peft_config, AdaLoraConfig):
        return None
    tuner, config = model.base_model, model.active_peft_config
    settled = _SCHEDULE - _SETTLED

    def allocate(done: float) -> None:
        step = min(int(done * _SCHEDULE), _SCHEDULE)
        if step < settled:
            tuner.update_and_allocate(step)
            return
        if tuner.rankallocator.exp_avg_ipt:  # the first step after the cut; the final choice is made once
            tuner.update_and_allocate(settled)
            return
        if config.rank_pattern is None:  # gone on after the cut: what was cut is zero
            config.rank_pattern = {name: (p != 0).view(-1).tolist() for name, p in tuner.model.named_parameters() if "lora_E" in name}
        tuner.update_and_allocate(_SCHEDULE)

    return allocate


def merged(model: Any) -> Any:
    """A copy of the model with its adapter in its weights."""
    held = deepcopy(model)
    return held.merge_and_unload() if isinstance(held, PeftModel) else held


def save_adapter(model: Any, directory: Path) -> None:
    """The adapter in PEFT's layout. Of its base it says the name, not the place; where that is, the card says."""
    config, pattern = model.active_peft_config, None
    if isinstance(config, AdaLoraConfig):  # with its pattern, PEFT 0.21 writes fewer ranks and reads them at another scale
        pattern, config.rank_pattern = config.rank_pattern, None
    model.save_pretrained(directory)
    if isinstance(config, AdaLoraConfig):
        config.rank_pattern = pattern
    (directory / "README.md").unlink(missing_ok=True)  # PEFT's blank model card; ours is card.json
    path = directory / "adapter_config.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    said["base_model_name_or_path"] = Path(said["base_model_name_or_path"] or "").name
    path.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
