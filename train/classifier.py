"""What the two scorers share: a small ModernBERT over our tokenizer, batches of texts, logits on held-out data, and export.

The directory loads with `AutoModelForSequenceClassification`; `config.json` holds `id2label` and `calibration_temperature`, by which
logits are divided before the softmax or sigmoid.
"""

import json
import zlib
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedTokenizerFast,
)

from artifacts.card import CARD, verify
from train.metrics import Floats
from train.settings import InputPath, TrainConfig
from train.tokenizer import BOS, EOS, save_tokenizer

_JUDGED_AT_ONCE = 128


class ClassifierConfig(TrainConfig):
    """Settings of a scorer besides those of every run. The sizes are for a model from scratch."""

    base: InputPath | None = None
    """Model directory to start from; none means from scratch."""
    tokenizer: InputPath | None = None
    """Tokenizer directory; needed from scratch, else the base's own."""
    about_data: str = ""
    """What the scorer learned from, in words, for the card."""
    held_out: float = Field(default=0.1, gt=0, lt=0.5)
    hidden_size: int = 128
    layers: int = 3
    heads: int = 4
    intermediate_size: int = 192
    max_tokens: int = 256
    dropout: float = Field(default=0.1, ge=0, lt=1)
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of tokens that a training text hides, so that no single phrase decides."""

    @model_validator(mode="after")
    def _has_a_start(self) -> Self:
        if self.base is None and self.tokenizer is None:
            raise ValueError("neither base nor tokenizer is given; name a tokenizer directory (python -m train.tokenizer) or a base")
        if self.base is not None and not (self.base / "config.json").is_file():
            raise ValueError(f"base = {str(self.base)!r} holds no config.json; name a model directory in the save_pretrained layout")
        return self


def start(config: ClassifierConfig, kind: str, labels: Sequence[str], problem: str) -> tuple[PreTrainedTokenizerFast, nn.Module]:
    """Tokenizer and model to start from: the base's, checked against its card where it has one, or a new small ModernBERT."""
    if config.base:
        if (config.base / CARD).is_file():
            verify(config.base, kind)
        return AutoTokenizer.from_pretrained(config.base), AutoModelForSequenceClassification.from_pretrained(
            config.base, dtype=torch.float32
        )
    verify(config.tokenizer or Path(), "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(config.tokenizer, model_max_length=config.max_tokens)
    ids = [(token, tokenizer.convert_tokens_to_ids(token)) for token in (BOS, EOS)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{BOS} $A {EOS}", special_tokens=ids)
    shape = ModernBertConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.intermediate_size,
        max_position_embeddings=config.max_tokens,
        # Pooling the mean learns what words say within a hundred steps; a first token that has to learn to look takes thousands.
        classifier_pooling="mean",
        embedding_dropout=config.dropout,
        attention_dropout=config.dropout,
        mlp_dropout=config.dropout,
        classifier_dropout=config.dropout,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        cls_token_id=tokenizer.bos_token_id,
        sep_token_id=tokenizer.eos_token_id,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        problem_type=problem,
    )
    return tokenizer, ModernBertForSequenceClassification(shape)


def encode(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask`, each (texts, longest)."""
    found = tokenizer(list(texts), truncation=True, max_length=max_tokens, padding=True, return_tensors="pt", return_token_type_ids=False)
    return {"input_ids": found["input_ids"], "attention_mask": found["attention_mask"]}


def hide_words(batch: dict[str, Tensor], share: float, seed: str) -> dict[str, Tensor]:
    """The batch with a seeded share of its tokens hidden from attention; the first token always stays."""
    numbers = torch.Generator().manual_seed(zlib.crc32(seed.encode()))
    hidden = torch.rand(batch["attention_mask"].shape, generator=numbers) < share
    hidden[:, 0] = False
    return batch | {"attention_mask": batch["attention_mask"].masked_fill(hidden, 0)}


def logits_of(model: nn.Module, texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> Floats:
    """(texts, labels), in the order of `texts`."""
    device = next(model.parameters()).device
    rows = []
    with torch.no_grad():
        for begin in range(0, len(texts), _JUDGED_AT_ONCE):
            batch = encode(texts[begin : begin + _JUDGED_AT_ONCE], tokenizer, max_tokens)
            rows.append(model(**{key: value.to(device) for key, value in batch.items()}).logits.float().cpu().numpy())
    return np.asarray(np.concatenate(rows), dtype=np.float64)


def export(model: nn.Module, directory: Path, tokenizer: PreTrainedTokenizerFast, temperature: float) -> None:
    """Write the model in half precision with its tokenizer. It loads as fp32, which is what a CPU multiplies well."""
    held: Any = deepcopy(model).to(torch.float16)
    held.config.calibration_temperature = round(temperature, 4)
    held.save_pretrained(directory)
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dtype": "float32"}, indent=2) + "\n", encoding="utf-8")
    save_tokenizer(tokenizer, directory)
