"""The light text classifiers that transformers are compared with: a bidirectional GRU with attention, and a convolution over n-grams.

Both are PreTrainedModels: once this module is imported, AutoModelForSequenceClassification saves and loads them like any other. Serving
does not import it: it reads their ONNX form (train/onnx.py).

GRU: Cho et al. 2014, pooled by attention (Yang et al. 2016). TextCNN: Kim 2014, a few widths side by side, the maximum over time.
Beside either stands a linear path over hashed n-grams of tokens, begun with naive Bayes' log-count ratios (Wang and Manning 2012): of a few
thousand texts it learns more than the networks do. The two learn apart, each by a loss of its own, and their logits are added.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

_PRIME = 1_000_003


class _LightConfig(PretrainedConfig):  # type: ignore[misc]
    """The sizes that both have. `most_units` is how many units of the n-gram path the longest token has."""

    def __init__(
        self,
        vocab_size: int = 6144,
        hidden_size: int = 128,
        dropout: float = 0.3,
        buckets: int = 2**18,
        most_units: int = 1,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.vocab_size, self.hidden_size, self.dropout = vocab_size, hidden_size, dropout
        self.buckets, self.most_units = buckets, most_units


class GruConfig(_LightConfig):
    """A bidirectional GRU."""

    model_type = "suasion_gru"

    def __init__(self, num_hidden_layers: int = 1, **rest: Any) -> None:
        super().__init__(**rest)
        self.num_hidden_layers = num_hidden_layers


class TextCnnConfig(_LightConfig):
    """Convolutions of several widths."""

    model_type = "suasion_textcnn"

    def __init__(self, widths: tuple[int, ...] = (1, 2, 3, 4, 5), filters: int = 128, **rest: Any) -> None:
        super().__init__(**rest)
        self.widths, self.filters = list(widths), filters


class NgramClassifier(nn.Module):
    """Logits from which one, two and three units stand together, hashed into `buckets`. Units are what a token consists of, by the table
    `units` (vocabulary, most units of a token), 0 where a token has no more: the characters of a Chinese word, else the token itself."""

    units: Tensor

    def __init__(self, buckets: int, labels: int, vocabulary: int, most_units: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(buckets, labels))
        self.bias = nn.Parameter(torch.zeros(labels))
        self.register_buffer("units", torch.zeros(vocabulary, most_units, dtype=torch.long))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens), (batch, tokens) → (batch, labels): the mean of their weights times the root of their number."""
        places, there = self._ngrams(ids, mask)
        total: Tensor = (nn.functional.embedding(places, self.weight) * there.unsqueeze(-1)).sum(1)
        return total / there.sum(1, keepdim=True).clamp(min=1).sqrt() + self.bias

    def _ngrams(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(bucket, whether it counts) of every n-gram, each (batch, 3 × tokens × units); one that would reach beyond the text, or over a
        token that is hidden, does not count."""
        shown = self.units[ids] * mask.long().unsqueeze(-1)
        own, (last, second) = shown, self._ends(shown)
        # What stands before a token's first unit are the ends of the token before it, so that no unit has to move: nothing is ragged.
        line = torch.cat([_before(second).unsqueeze(-1), _before(last).unsqueeze(-1), own], -1)
        first, middle = line[..., 1:-1], line[..., :-2]
        pair, triple = (own * _PRIME + first + 1), ((own * _PRIME + first + 1) * _PRIME + middle + 2)
        there = [own > 0, (own > 0) & (first > 0), (own > 0) & (first > 0) & (middle > 0)]
        codes = torch.cat([own, pair, triple], -1).flatten(1) % self.weight.shape[0]
        return codes, torch.cat(there, -1).flatten(1).to(mask.dtype)

    def _ends(self, shown: Tensor) -> tuple[Tensor, Tensor]:
        """The last unit up to and with each token, and the one before it, each (batch, tokens); 0 where there is none."""
        count = (shown > 0).sum(-1, keepdim=True)
        last = shown.gather(-1, (count - 1).clamp(min=0)).squeeze(-1)
        inner = shown.gather(-1, (count - 2).clamp(min=0)).squeeze(-1)
        return last, torch.where(count.squeeze(-1) > 1, inner, _before(last))

    @torch.no_grad()
    def count(self, batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Begin with the log-count ratios of texts: (ids, mask, targets), targets (batch, labels) of 0 and 1."""
        buckets, labels = self.weight.shape
        counts = torch.zeros(buckets, labels)
        for ids, mask, targets in batches:
            places, there = self._ngrams(ids, mask.float())
            for row, kept, target in zip(places, there > 0, targets.float(), strict=True):
                found = row[kept].unique()
                counts[found] += target
        chances = ((counts + 1) / (counts.sum(0) + buckets)).log()
        seen = counts.sum(1, keepdim=True) > 0
        self.weight.copy_((chances - chances.mean(1, keepdim=True)) * seen)


def _before(values: Tensor) -> Tensor:
    """What stood one token earlier: (batch, tokens), 0 at the beginning."""
    return nn.functional.pad(values, (1, 0))[:, :-1]


class _Light(PreTrainedModel, ABC):  # type: ignore[misc]
    """Embeddings in, logits out; a subclass pools the tokens in between."""

    base_model_prefix = "encoder"

    def __init__(self, config: Any, pooled: int) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(pooled, config.num_labels)
        self.ngrams = NgramClassifier(config.buckets, config.num_labels, config.vocab_size, config.most_units)

    def get_input_embeddings(self) -> nn.Module:
        """The token embeddings, for explanations and adversarial training."""
        return self.embeddings

    @abstractmethod
    def pooled(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, hidden), (batch, tokens) → (batch, pooled)."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None) -> SequenceClassifierOutput:
        """Logits (batch, labels), and where `labels` are given the two paths' losses, added."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        vectors = self.embeddings(input_ids)
        mask = mask.to(vectors.dtype)
        vectors = self.dropout(vectors) * mask.unsqueeze(-1)
        deep = self.classifier(self.dropout(self.pooled(vectors, mask)))
        wide = self.ngrams(input_ids, mask)
        loss = None if labels is None else self._loss(deep, labels) + self._loss(wide, labels)
        return SequenceClassifierOutput(loss=loss, logits=deep + wide)

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.config.problem_type == "multi_label_classification":
            return nn.functional.binary_cross_entropy_with_logits(logits.float(), labels.float())
        return nn.functional.cross_entropy(logits.float(), labels)


class GruForSequenceClassification(_Light):
    """Attention over the states of a bidirectional GRU."""

    config_class = GruConfig

    def __init__(self, config: GruConfig) -> None:
        super().__init__(config, 2 * config.hidden_size)
        sizes = (config.hidden_size, config.hidden_size, config.num_hidden_layers)
        self.forwards, self.backwards = nn.GRU(*sizes, batch_first=True), nn.GRU(*sizes, batch_first=True)
        self.attention = nn.Sequential(nn.Linear(2 * config.hidden_size, config.hidden_size), nn.Tanh(), nn.Linear(config.hidden_size, 1))
        self.post_init()

    def pooled(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """The mean of the states by their attention."""
        places = torch.arange(vectors.shape[1], device=vectors.device).expand(mask.shape)
        last = (places * (mask > 0)).amax(1, keepdim=True)
        mirror = torch.where(places <= last, last - places, places).unsqueeze(-1).expand_as(vectors)  # backwards from the last token
        states = torch.cat([self.forwards(vectors)[0], self.backwards(vectors.gather(1, mirror))[0].gather(1, mirror)], -1)
        weights = self.attention(states).squeeze(-1).masked_fill(mask == 0, -1e4).softmax(-1)
        pooled: Tensor = (weights.unsqueeze(1) @ states).squeeze(1)
        return pooled


class TextCnnForSequenceClassification(_Light):
    """The strongest response of each filter anywhere in the text."""

    config_class = TextCnnConfig

    def __init__(self, config: TextCnnConfig) -> None:
        super().__init__(config, config.filters * len(config.widths))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.hidden_size, config.filters, width, padding=width // 2) for width in config.widths
        )
        self.post_init()

    def pooled(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """The maxima, none where the text is padding."""
        channels, length = vectors.transpose(1, 2), vectors.shape[1]
        hidden = (1 - mask).unsqueeze(1) * 1e4
        return torch.cat([(conv(channels)[..., :length] - hidden).amax(-1).relu() for conv in self.convolutions], 1)


for _config, _model in ((GruConfig, GruForSequenceClassification), (TextCnnConfig, TextCnnForSequenceClassification)):
    AutoConfig.register(_config.model_type, _config, exist_ok=True)
    AutoModelForSequenceClassification.register(_config, _model, exist_ok=True)
