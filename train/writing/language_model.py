"""The causal language model of a run: where it starts, its loss, how it writes, and the directory it leaves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from artifacts.card import CARD, verify
from train.run.settings import InputPath, ModelPath
from train.texts.vocabulary import save_tokenizer
from train.writing.completions import IGNORED
from train.writing.padding import left_padded
from train.writing.tuning import ADAPTER, TuningConfig, bare, is_prefix, merged, orthogonality, save_adapter

KIND = "generator"
_SHARD = "3500KB"  # no file of a shipped model is larger than a code host takes without ado
NEW_TOKENS = 160
SAMPLING = {"temperature": 0.8, "top_p": 0.95}


class LanguageModelConfig(TuningConfig):
    """Where a language model starts. The sizes are for a model from scratch."""

    base: ModelPath | None = None
    """Model directory to start from; none means from scratch."""
    tokenizer: InputPath | None = None
    """Tokenizer directory; needed from scratch, else the base's own."""
    hidden_size: int = 256
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    intermediate_size: int = 512
    max_position: int = 512
    """Tokens of the longest example."""
    attention_dropout: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _has_a_start(self) -> Self:
        if self.base is None and self.tokenizer is None:
            raise ValueError("neither base nor tokenizer is given; name a tokenizer directory (python -m train.tokenizer) or a base")
        if self.base is not None and not (self.base / "config.json").is_file():
            raise ValueError(f"base = {str(self.base)!r} holds no config.json; name a model directory in the save_pretrained layout")
        if self.base is None and self.method != "full":
            raise ValueError(
                f"method = {self.method!r}: adapts a base, and none is given; name one with --base DIR, or pass --set method=full"
            )
        return self


class CopyLoss(nn.Module):
    """A causal language model that returns its loss; it computes logits where there is a label only, a third of all tokens fewer. While it
    learns, AdaLoRA's penalty is part of the loss."""

    supports_gradient_checkpointing = True

    def __init__(self, language_model: Any) -> None:
        super().__init__()
        self.language_model = language_model

    def forward(
        self, input_ids: Tensor, labels: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None
    ) -> Tensor:
        """All (batch, longest); packed rows have positions and no mask. Returns the mean cross-entropy in nats per labelled token."""
        chances, _ = log_chances(self.language_model, input_ids, labels, attention_mask, position_ids)
        penalty = orthogonality(self.language_model) if self.training else None
        return -chances.mean() if penalty is None else penalty - chances.mean()

    def gradient_checkpointing_enable(self, **how: Any) -> None:
        """As transformers' models have it."""
        bare(self.language_model).gradient_checkpointing_enable(**how)


def log_chances(
    model: Any, input_ids: Tensor, labels: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """(log-probability of each labelled token, which of the tokens but the first are labelled (batch, longest - 1))."""
    given: dict[str, Any] = {"attention_mask": attention_mask, "position_ids": position_ids}
    if is_prefix(model):
        prefix = model.get_prompt(batch_size=len(input_ids))
        seen = torch.ones(len(input_ids), model.active_peft_config.num_virtual_tokens, dtype=torch.long, device=input_ids.device)
        own = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        given = {"attention_mask": torch.cat([seen, own], 1), "past_key_values": prefix}
    causal = bare(model)
    held = causal.base_model(input_ids=input_ids, use_cache=False, **given).last_hidden_state[:, :-1]
    labelled = labels[:, 1:] != IGNORED
    logits = causal.get_output_embeddings()(held[labelled]).float()
    return -nn.functional.cross_entropy(logits, labels[:, 1:][labelled], reduction="none"), labelled


def start(config: LanguageModelConfig) -> tuple[PreTrainedTokenizerFast, Any]:
    """Tokenizer and model to start from: the base's, checked against its card where it has one, or a new small Llama. Raises ValueError
    for a base whose tokenizer doesn't belong to it."""
    tokenizer = start_tokenizer(config)
    if config.base:
        return tokenizer, AutoModelForCausalLM.from_pretrained(config.base, dtype=torch.float32)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        max_position_embeddings=config.max_position,
        attention_dropout=config.attention_dropout,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return tokenizer, LlamaForCausalLM(shape)


def start_tokenizer(config: LanguageModelConfig) -> PreTrainedTokenizerFast:
    """The base's tokenizer, or the one named for a model from scratch. Raises ValueError as `start` does."""
    if config.base is None:
        verify(config.tokenizer or Path(), "tokenizer")
        return AutoTokenizer.from_pretrained(config.tokenizer)
    if (config.base / CARD).is_file():
        verify(config.base, KIND)
    tokenizer = AutoTokenizer.from_pretrained(config.base)
    shape = AutoConfig.from_pretrained(config.base).get_text_config()
    if len(tokenizer) > shape.vocab_size:
        raise ValueError(
            f"base = {str(config.base)!r}: its tokenizer has {len(tokenizer)} entries, its embedding {shape.vocab_size}; they don't belong "
            "together: put the base's own tokenizer files there, or enlarge it with resize_token_embeddings and save it again"
        )
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return tokenizer


def reach(config: LanguageModelConfig) -> int:
    """Tokens of the longest example: `max_position`, or fewer where the base reads no more."""
    if config.base is None:
        return config.max_position
    return min(
        config.max_position,
        getattr(AutoConfig.from_pretrained(config.base).get_text_config(), "max_position_embeddings", None) or config.max_position,
    )


def ends(model: Any, tokenizer: PreTrainedTokenizerFast) -> int | list[int]:
    """The tokens that end a text: the tokenizer's, and those that the base ends a turn with."""
    own = bare(model).generation_config.eos_token_id
    found = {int(tokenizer.eos_token_id), *(own if isinstance(own, list) else [] if own is None else [own])}
    return sorted(found) if len(found) > 1 else found.pop()


def written(model: Any, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[Sequence[int]], seed: int, **how: Any) -> list[str]:
    """One text for each prompt, sampled as the exported model's generation settings will say unless told otherwise."""
    tokens, mask = (each.to(bare(model).device) for each in left_padded(prompts, tokenizer.pad_token_id))
    bounds = {"max_new_tokens": NEW_TOKENS, "pad_token_id": tokenizer.pad_token_id, "eos_token_id": ends(model, tokenizer)}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        out = model.generate(input_ids=tokens, attention_mask=mask, **bounds | ({"do_sample": True} | SAMPLING | how))
    texts: list[str] = tokenizer.batch_decode(out[:, tokens.shape[1] :], skip_special_tokens=True)
    return texts


def kind_of(config: LanguageModelConfig) -> str:
    """The kind of the directory that `export` leaves."""
    return ADAPTER if config.as_adapter else KIND


def export(model: Any, directory: Path, *, tokenizer: PreTrainedTokenizerFast, config: LanguageModelConfig) -> None:
    """Write the adapter alone, or the language model in bf16, in files small enough for a repository, with its tokenizer."""
    if config.as_adapter:
        return save_adapter(model.language_model, directory)
    held: Any = merged(model.language_model).to(torch.bfloat16)
    held.generation_config.update(do_sample=True, **SAMPLING, eos_token_id=ends(held, tokenizer))
    held.save_pretrained(directory, max_shard_size=_SHARD)
    save_tokenizer(tokenizer, directory)
    return None
