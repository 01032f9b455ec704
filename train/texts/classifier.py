"""What the scorers share: an encoder to start from, batches of texts, logits on held-out data, and export.

The encoder is the one in `base` (any that transformers can load), or from scratch a small ModernBERT, a GRU or a TextCNN
(train/texts/encoders.py) over the tokenizer in `tokenizer`, or over one learned from the training texts. The directory loads with
`AutoModelForSequenceClassification`; `config.json` holds `id2label` and `calibration_temperature`, by which logits are divided before the
softmax or sigmoid.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedTokenizerFast,
)

from artifacts.card import CARD, verify
from train.reports.metrics import Floats
from train.run.settings import InputPath, ModelPath, TrainConfig
from train.texts.augment import Noise
from train.texts.encoders import (
    GruConfig,
    GruForSequenceClassification,
    LightClassifier,
    TextCnnConfig,
    TextCnnForSequenceClassification,
    weighted_loss,
)
from train.texts.onnx_form import write_onnx
from train.texts.vocabulary import BOS, EOS, HANZI, save_tokenizer, train_reader

_JUDGED_AT_ONCE = 128


class ClassifierConfig(TrainConfig):
    """Settings of a scorer besides those of every run. The sizes are for a model from scratch."""

    base: ModelPath | None = None
    """Model directory to start from; none means from scratch."""
    architecture: Literal["modernbert", "gru", "textcnn"] = "modernbert"
    """What is made from scratch; not asked where there is a base."""
    tokenizer: InputPath | None = None
    """Tokenizer directory; none means the base's own, or from scratch one learned from the training texts."""
    vocabulary: int = Field(default=8000, ge=300)
    """Entries of a tokenizer that is learned from the training texts."""
    held_out: float = Field(default=0.1, gt=0, lt=0.5)
    hidden_size: int = Field(default=128, ge=8)
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=4, ge=1)
    intermediate_size: int = Field(default=192, ge=8)
    max_tokens: int = Field(default=256, ge=8)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    ngram_buckets: int = Field(default=2**18, ge=1024)
    """GRU and TextCNN: into how many buckets the n-grams beside the network are hashed."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of tokens that a training text hides, so that no single phrase decides."""
    adversarial: float = Field(default=0.0, ge=0, le=1)
    """How far a text's embeddings are moved against it, as a share of their length (train/texts/adversarial.py); 0.05 to 0.3 is usual."""
    augment: Noise = Noise()
    """Noise in the training texts, none by default (train/texts/augment.py)."""
    onnx: bool = True
    """Whether the model directory gets an ONNX form, which serving on CPUs is faster with."""

    @model_validator(mode="after")
    def _has_a_start(self) -> Self:
        if self.base is not None and not (self.base / "config.json").is_file():
            raise ValueError(f"base = {str(self.base)!r} holds no config.json; name a model directory in the save_pretrained layout")
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size = {self.hidden_size} is no multiple of heads = {self.heads}; change one of them")
        return self


def start(
    config: ClassifierConfig, kind: str, labels: Sequence[str], problem: str, texts: Sequence[str] = ()
) -> tuple[PreTrainedTokenizerFast, Any]:
    """Tokenizer and model to start from: the base's, checked against its card where it has one, or new ones. `texts` are what a new
    tokenizer learns from. A base whose labels are others keeps its encoder and gets a new last layer."""
    if config.base:
        if (config.base / CARD).is_file():
            verify(config.base, kind)
        return AutoTokenizer.from_pretrained(config.base), _from_base(config.base, labels, problem)
    tokenizer = _tokenizer(config, texts)
    return tokenizer, _ARCHITECTURES[config.architecture](config, tokenizer, _labelled(labels, problem))


def _from_base(base: Path, labels: Sequence[str], problem: str) -> Any:
    held = AutoConfig.from_pretrained(base)
    if set(labels) <= set(held.id2label.values()):
        return AutoModelForSequenceClassification.from_pretrained(base, dtype=torch.float32)
    return AutoModelForSequenceClassification.from_pretrained(
        base, dtype=torch.float32, ignore_mismatched_sizes=True, **_labelled(labels, problem)
    )


def _labelled(labels: Sequence[str], problem: str) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        "problem_type": problem,
    }


def _tokenizer(config: ClassifierConfig, texts: Sequence[str]) -> PreTrainedTokenizerFast:
    if config.tokenizer is None:
        return train_reader(texts, config.vocabulary)
    verify(config.tokenizer, "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(config.tokenizer, model_max_length=config.max_tokens)
    ids = [(token, tokenizer.convert_tokens_to_ids(token)) for token in (BOS, EOS)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{BOS} $A {EOS}", special_tokens=ids)
    return tokenizer


def _modernbert(config: ClassifierConfig, tokenizer: PreTrainedTokenizerFast, labelled: dict[str, Any]) -> Any:
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
        **labelled,
    )
    return ModernBertForSequenceClassification(shape)


def _gru(config: ClassifierConfig, tokenizer: PreTrainedTokenizerFast, labelled: dict[str, Any]) -> Any:
    units = units_of(tokenizer)
    shape = GruConfig(num_hidden_layers=config.layers, **_light(config, tokenizer, units), **labelled)
    return _reading(GruForSequenceClassification(shape), units)


def _textcnn(config: ClassifierConfig, tokenizer: PreTrainedTokenizerFast, labelled: dict[str, Any]) -> Any:
    units = units_of(tokenizer)
    shape = TextCnnConfig(filters=config.hidden_size, **_light(config, tokenizer, units), **labelled)
    return _reading(TextCnnForSequenceClassification(shape), units)


def _light(config: ClassifierConfig, tokenizer: PreTrainedTokenizerFast, units: Tensor) -> dict[str, Any]:
    sizes = {"vocab_size": len(units), "hidden_size": config.hidden_size, "buckets": config.ngram_buckets, "most_units": units.shape[1]}
    return {**sizes, "dropout": config.dropout, "pad_token_id": tokenizer.pad_token_id}


def _reading(model: Any, units: Tensor) -> Any:
    """The model with the table of units that its n-gram path reads."""
    model.ngrams.units.copy_(units)
    return model


def units_of(tokenizer: PreTrainedTokenizerFast) -> Tensor:
    """(vocabulary, most units of a token): what the n-gram path reads for each token, as numbers from 1, then zeros. Of Chinese words these
    are their characters, of anything else the token itself: what counts in English are runs of words, in Chinese runs of characters."""
    numbers = tokenizer.get_vocab()
    units = [[number] for _, number in sorted(numbers.items(), key=lambda item: item[1])]
    for token, number in numbers.items():
        if HANZI.fullmatch(token):
            units[number] = [numbers[character] for character in token if character in numbers] or [number]
    table = torch.zeros(len(units), max(map(len, units)), dtype=torch.long)
    for row, found in zip(table, units, strict=True):
        row[: len(found)] = torch.tensor(found) + 1
    return table


def fit_ngrams(
    model: Any,
    texts: Sequence[str],
    targets: Tensor,
    tokenizer: PreTrainedTokenizerFast,
    config: ClassifierConfig,
    weights: Sequence[float] = (),
) -> None:
    """Fit the n-gram path of a GRU or TextCNN from scratch to the training texts. Others have none, or have it from their base. `targets`
    (texts, labels) of 0 and 1; `weights` (labels,) say how much a text of each counts, none that all count alike."""
    if config.base or not isinstance(model, LightClassifier):
        return

    def batches() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for begin in range(0, len(texts), _JUDGED_AT_ONCE):
            batch = encode(texts[begin : begin + _JUDGED_AT_ONCE], tokenizer, config.max_tokens)
            yield batch["input_ids"], batch["attention_mask"], targets[begin : begin + _JUDGED_AT_ONCE]

    model.ngrams.fit(batches(), several=model.config.problem_type == "multi_label_classification", weights=weights)


def weigh(model: Any, weights: Sequence[float]) -> None:
    """Let each path of a GRU or TextCNN, which has a loss of its own, count labels by these weights; none means alike."""
    if isinstance(model, LightClassifier):
        model.config.label_weights = list(weights)


def labelled_loss(model: nn.Module, batch: Mapping[str, Tensor], weights: Sequence[float] = ()) -> Tensor:
    """The loss of a batch with `labels`, weighted by label where the model does not weigh them itself."""
    bare: Any = getattr(model, "module", model)
    if not weights or isinstance(bare, LightClassifier):
        loss: Tensor = model(**batch).loss
        return loss
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return weighted_loss(logits, batch["labels"], weights)


_Maker = Callable[[ClassifierConfig, PreTrainedTokenizerFast, dict[str, Any]], Any]
_ARCHITECTURES: dict[str, _Maker] = {"modernbert": _modernbert, "gru": _gru, "textcnn": _textcnn}


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
    return over_batches(lambda batch: model(**batch).logits, model, texts, tokenizer, max_tokens)


def over_batches(
    says: Callable[[dict[str, Tensor]], Tensor], model: nn.Module, texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, max_tokens: int
) -> Floats:
    """(texts, …): what `says` gives for batches of the texts on the model's device, in the order of `texts`; long ones stand together."""
    device = next(model.parameters()).device
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    rows = []
    with torch.no_grad():
        for begin in range(0, len(order), _JUDGED_AT_ONCE):
            batch = encode([texts[number] for number in order[begin : begin + _JUDGED_AT_ONCE]], tokenizer, max_tokens)
            rows.append(says({key: value.to(device) for key, value in batch.items()}).float().cpu().numpy())
    return np.asarray(np.concatenate(rows)[np.argsort(order)], dtype=np.float64)


def export(model: nn.Module, directory: Path, tokenizer: PreTrainedTokenizerFast, temperature: float, config: ClassifierConfig) -> None:
    """Write the model in half precision with its tokenizer, and its ONNX form where the settings want it. It loads as fp32, which is what
    a CPU multiplies well."""
    held: Any = deepcopy(model).cpu().to(torch.float16)
    held.config.calibration_temperature, held.config.max_tokens = round(temperature, 4), config.max_tokens
    held.save_pretrained(directory)
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dtype": "float32"}, indent=2) + "\n", encoding="utf-8")
    save_tokenizer(tokenizer, directory)
    if config.onnx:
        write_onnx(held.float().eval(), directory)
