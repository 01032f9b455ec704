"""Which words made a classifier say what it says: a weight for every word of a text, of Chinese as the tokenizer parts it.

Weights are integrated gradients over the input embeddings (Sundararajan, Taly and Yan 2017), from a text of the same length that says
nothing: of mask, unknown, padding and first tokens and the mean embedding, what leaves the model the least decided. The n-gram path of a
GRU or TextCNN is linear: each n-gram's weight goes to its tokens exactly. Weights add up to what the text changed: the log-odds of the
label against the mean of the others, or of the label itself where there may be several. How nearly they do (`gap`) is checked, with more
points until it is small.

A weight says what moved this model on this text. It is not a reason, and two models that agree may have different ones.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from artifacts.card import CARD, read_card, verify
from train.reports.explanation import Explanation, Piece, page
from train.reports.metrics import sigmoid, softmax
from train.run.settings import ConfigError
from train.texts import encoders  # noqa: F401 - from here on transformers can load a GRU or TextCNN
from train.texts.ngrams import NgramClassifier

_POINTS, _MOST_POINTS, _AT_ONCE = 16, 1024, 64
_SMALL = 0.02
"""Gap below which no more points are taken, as a share of what the text changed (of 1, where it changed less)."""
EXPLAINED = "explained.html"
"""The page of a run's report that shows token weights."""


class Explainer:
    """Explains what one model says. It must be in eval mode; `max_tokens` is how much of a text it reads."""

    def __init__(self, model: Any, tokenizer: Any, max_tokens: int) -> None:
        self._model, self._tokenizer, self._max_tokens = model, tokenizer, max_tokens
        self._names: dict[int, str] = {number: str(name) for number, name in model.config.id2label.items()}
        self._several = model.config.problem_type == "multi_label_classification"
        self._ngrams = getattr(model, "ngrams", None)
        frames = (tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.cls_token_id)
        self._neutral = sorted({number for number in frames if number is not None})

    @classmethod
    def read(cls, directory: Path) -> "Explainer":
        """A model directory; where it has a card, it is verified first."""
        if not (directory / "config.json").is_file():
            raise ConfigError(f"MODEL = {str(directory)!r}: holds no config.json; name the directory of a trained classifier")
        if (directory / CARD).is_file():
            verify(directory, read_card(directory).kind)
        model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
        return cls(model, AutoTokenizer.from_pretrained(directory), int(getattr(model.config, "max_tokens", 256)))

    def explain(self, text: str, label: str | None = None) -> Explanation:
        """Of `label`, by default the likeliest. Raises ValueError for a label that the model does not have, or a text without a token."""
        batch = self._tokenizer(
            text, truncation=True, max_length=self._max_tokens, return_offsets_mapping=True, return_special_tokens_mask=True,
            return_tensors="pt", return_token_type_ids=False,
        )  # fmt: skip
        device = next(self._model.parameters()).device
        ids, mask = batch["input_ids"].to(device), batch["attention_mask"].to(device)
        with torch.no_grad():
            logits = self._model(input_ids=ids, attention_mask=mask).logits[0].double().cpu().numpy()
        target = self._target(label, logits)
        real = ~batch["special_tokens_mask"][0].bool()
        weights, score, baseline = self._weights(ids, mask, real.to(device), target)
        temperature = float(getattr(self._model.config, "calibration_temperature", 1.0))
        chances = sigmoid(logits / temperature) if self._several else softmax(logits[None] / temperature)[0]
        offsets = [(int(start), int(end)) for (start, end), kept in zip(batch["offset_mapping"][0], real, strict=True) if kept]
        pieces = merged(text, offsets, weights[real.cpu()].tolist())
        gap = score - baseline - sum(piece.weight for piece in pieces)
        return Explanation(text, self._names[target], float(chances[target]), score, baseline, gap, pieces)

    def _target(self, label: str | None, logits: Any) -> int:
        if label is None:
            return int(np.argmax(logits))
        found = [number for number, name in self._names.items() if name == label]
        if not found:
            raise ValueError(f"label = {label!r}: the model has {sorted(self._names.values())}; name one of them")
        return found[0]

    def _weights(self, ids: Tensor, mask: Tensor, real: Tensor, target: int) -> tuple[Tensor, float, float]:
        """((tokens,) weights, log-odds of the text, of the one that says nothing), with as many points as it takes."""
        wide = self._wide(ids, mask, real, target)
        points, (empty, own) = _POINTS, self._ends(ids, mask, real, target)
        while True:
            deep, ends = self._integrated(empty, own, ids, mask, target, points)
            change = ends[1] - ends[0]
            if abs(float(deep.sum()) - change) <= _SMALL * max(1.0, abs(change)) or points >= _MOST_POINTS:
                return (deep + wide).cpu(), ends[1], ends[0] - float(wide[real].sum())
            points *= 2

    @torch.no_grad()
    def _ends(self, ids: Tensor, mask: Tensor, real: Tensor, target: int) -> tuple[Tensor, Tensor]:
        """Embeddings (1, tokens, width) of a text that says nothing, and the text's own; tokens that frame a text stay."""
        layer = self._model.get_input_embeddings()
        own = layer(ids)
        table = layer(torch.arange(self._model.config.vocab_size, device=ids.device)[None])[0]
        neutral = torch.cat([table[self._neutral], table.mean(0, keepdim=True)])
        candidates = torch.where(real[None, :, None], neutral[:, None], own)
        scores = self._scores(layer, candidates, ids, mask, target) - self._wide(ids, mask, real, target).sum()
        return candidates[scores.abs().argmin()][None], own

    def _integrated(
        self, empty: Tensor, own: Tensor, ids: Tensor, mask: Tensor, target: int, points: int
    ) -> tuple[Tensor, tuple[float, float]]:
        """((tokens,) integrated gradients by Gauss-Legendre's points, log-odds with the embeddings of either end). The n-gram path reads
        token numbers, so that it is the same at both ends."""
        layer = self._model.get_input_embeddings()
        places, shares = np.polynomial.legendre.leggauss(points)
        along = torch.tensor((places + 1) / 2, dtype=own.dtype, device=own.device)
        gradient = torch.zeros_like(own[0])
        heavy = torch.tensor(shares / 2, dtype=own.dtype, device=own.device)
        # cuDNN's recurrent layers have no backward pass in eval mode; a report is made where gradients are off
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            for part, share in zip(torch.split(along, _AT_ONCE), torch.split(heavy, _AT_ONCE), strict=True):
                vectors = (empty + part[:, None, None] * (own - empty)).requires_grad_()
                scores = self._scores(layer, vectors, ids, mask, target)
                (each,) = torch.autograd.grad(scores.sum(), vectors)
                gradient += (each * share[:, None, None]).sum(0)
        with torch.no_grad():
            ends = self._scores(layer, torch.cat([empty, own]), ids, mask, target).tolist()
        return (gradient * (own - empty)[0]).sum(-1).double(), (ends[0], ends[1])

    def _scores(self, layer: nn.Module, vectors: Tensor, ids: Tensor, mask: Tensor, target: int) -> Tensor:
        """(n,) log-odds with these embeddings (n, tokens, width) instead of the tokens' own."""
        with _given(layer, vectors):
            logits = self._model(input_ids=ids.expand(len(vectors), -1), attention_mask=mask.expand(len(vectors), -1)).logits
        return self._log_odds(logits, target)

    def _log_odds(self, logits: Tensor, target: int) -> Tensor:
        others = [number for number in range(logits.shape[-1]) if number != target]
        return logits[..., target] if self._several or not others else logits[..., target] - logits[..., others].mean(-1)

    @torch.no_grad()
    def _wide(self, ids: Tensor, mask: Tensor, real: Tensor, target: int) -> Tensor:
        """(tokens,): what the n-gram path adds, 0 for a model without one."""
        if not isinstance(self._ngrams, NgramClassifier):
            return torch.zeros(ids.shape[1], dtype=torch.float64, device=ids.device)
        loudness = self._model.scales[1] if hasattr(self._model, "scales") else 1.0  # by which the path's logits are multiplied
        return self._log_odds(loudness * ngram_weights(self._ngrams, ids, mask.float(), real).double(), target)


@contextmanager
def _given(layer: nn.Module, vectors: Tensor) -> Iterator[None]:
    """Whatever tokens the layer is asked for, it gives these vectors."""
    handle = layer.register_forward_hook(lambda _layer, _inputs, _output: vectors)
    try:
        yield
    finally:
        handle.remove()


def ngram_weights(ngrams: NgramClassifier, ids: Tensor, mask: Tensor, real: Tensor) -> Tensor:
    """(tokens, labels): each n-gram's part of the logits, in equal shares to the tokens that its units belong to, those that frame the text
    (not `real`) put aside where there are others. With the bias they add up to what the path gives. `ids` and `mask` are (1, tokens)."""
    places, there = ngrams.ngrams(ids, mask)
    size = (ngrams.spread[places] * there).sum(1, keepdim=True).clamp(min=1).sqrt()
    parts = nn.functional.embedding(places, ngrams.weight) * (there / size).unsqueeze(-1)
    parts = parts[0].reshape(ids.shape[1], 3, -1, parts.shape[-1])  # token, length of the n-gram less one, unit that it ends with
    own = torch.arange(ids.shape[1], device=ids.device)[:, None].expand(-1, parts.shape[2])
    count = (ngrams.units[ids[0]] > 0).sum(-1)
    last = (own[:, 0] - 1).clamp(min=0)
    second = torch.where(count[last] > 1, last, last - 1).clamp(min=0)
    line = torch.cat([second[:, None], last[:, None], own], -1)  # whose the units are that stand before and in each token
    owners = (own, line[:, 1:-1], line[:, :-2])
    found: Tensor = parts.new_zeros(ids.shape[1], parts.shape[-1])
    for length in (1, 2, 3):
        known = torch.stack([real[owner] for owner in owners[:length]]).to(parts.dtype)
        shares = torch.where(known.sum(0) > 0, known / known.sum(0).clamp(min=1), 1 / length)
        for owner, share in zip(owners, shares, strict=False):
            found.index_add_(0, owner.flatten(), (parts[:, length - 1] * share.unsqueeze(-1)).flatten(0, 1))
    return found


def merged(text: str, offsets: Sequence[tuple[int, int]], weights: Sequence[float]) -> tuple[Piece, ...]:
    """Tokens as pieces: white space around them put aside; parts of one word in an alphabet, and of one character, together."""
    pieces: list[Piece] = []
    owed = 0.0  # of tokens that are white space alone
    for (start, end), weight in zip(offsets, weights, strict=True):
        while start < end and text[start].isspace():
            start += 1  # noqa: PLW2901
        while start < end and text[end - 1].isspace():
            end -= 1  # noqa: PLW2901
        if start >= end:
            owed += weight
        elif pieces and (start < pieces[-1].end or (start == pieces[-1].end and _in_a_word(text[start - 1]) and _in_a_word(text[start]))):
            pieces[-1] = Piece(pieces[-1].start, max(end, pieces[-1].end), pieces[-1].weight + weight)
        else:
            pieces.append(Piece(start, end, weight))
        if owed and pieces:
            pieces[-1] = Piece(pieces[-1].start, pieces[-1].end, pieces[-1].weight + owed)
            owed = 0.0
    if not pieces:
        raise ValueError(f"text = {text!r}: has no token to explain; give one with words")
    return tuple(pieces)


def _in_a_word(character: str) -> bool:
    """A letter or digit of an alphabet, where words are what is read; Chinese characters stand for themselves."""
    return character.isalnum() and character < "\u2e80"


def explained(model: Any, tokenizer: Any, max_tokens: int, texts: Sequence[str], count: int = 8) -> str:
    """A page with the weights in a few of the texts, the same ones every time; `model` in eval mode."""
    explainer = Explainer(model, tokenizer, max_tokens)
    chosen = [text for text in texts[:: max(1, len(texts) // count)][:count] if any(each.isalnum() for each in text)]
    return page([explainer.explain(text) for text in chosen])
