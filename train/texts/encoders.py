"""The light text classifiers that transformers are compared with: a bidirectional GRU with attention, and a convolution over n-grams.

Both are PreTrainedModels: once this module is imported, AutoModelForSequenceClassification saves and loads them like any other. Serving
does not import it: it reads their ONNX form (train/texts/onnx_form.py).

GRU: Cho et al. 2014, pooled by attention (Yang et al. 2016). TextCNN: Kim 2014, a few widths side by side, the maximum over time. Beside
either stands a linear path over hashed n-grams (train/texts/ngrams.py). The two learn apart, each by a loss of its own, and their logits
are added, each by a scale fitted to held-out texts (train/texts/mixing.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from train.texts.ngrams import NgramClassifier


class _LightConfig(PretrainedConfig):  # type: ignore[misc]
    """The sizes that both have. `most_units` is how many units of the n-gram path the longest token has."""

    def __init__(
        self,
        vocab_size: int = 6144,
        hidden_size: int = 128,
        dropout: float = 0.3,
        buckets: int = 2**18,
        most_units: int = 1,
        label_weights: Sequence[float] = (),
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.vocab_size, self.hidden_size, self.dropout = vocab_size, hidden_size, dropout
        self.buckets, self.most_units, self.label_weights = buckets, most_units, list(label_weights)


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


class LightClassifier(PreTrainedModel, ABC):  # type: ignore[misc]
    """Embeddings in, logits out; a subclass pools the tokens in between."""

    base_model_prefix = "encoder"
    scales: Tensor
    """How loud the network and the n-grams speak (train/texts/mixing.py)."""

    def __init__(self, config: Any, pooled: int) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(pooled, config.num_labels)
        self.register_buffer("scales", torch.ones(2))
        self.ngrams = NgramClassifier(config.buckets, config.num_labels, config.vocab_size, config.most_units)

    def get_input_embeddings(self) -> nn.Module:
        """The token embeddings, for explanations and adversarial training."""
        return self.embeddings

    @abstractmethod
    def pooled(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, hidden), (batch, tokens) → (batch, pooled)."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None) -> SequenceClassifierOutput:
        """Logits (batch, labels), and where `labels` are given the losses of the paths that learn, added."""
        deep, wide = self.paths(input_ids, torch.ones_like(input_ids) if attention_mask is None else attention_mask)
        learning = (deep, wide) if self.ngrams.weight.requires_grad else (deep,)
        loss = None if labels is None else sum(weighted_loss(each, labels, self.config.label_weights) for each in learning)
        return SequenceClassifierOutput(loss=loss, logits=self.scales[0] * deep + self.scales[1] * wide)

    def paths(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the network and what the n-grams say by themselves, each (batch, labels)."""
        vectors = self.embeddings(input_ids)
        mask = attention_mask.to(vectors.dtype)
        vectors = self.dropout(vectors) * mask.unsqueeze(-1)
        return self.classifier(self.dropout(self.pooled(vectors, mask))), self.ngrams(input_ids, mask)


def weighted_loss(logits: Tensor, labels: Tensor, weights: Sequence[float] = ()) -> Tensor:
    """Cross-entropy of class numbers (batch,), or binary cross-entropy of `labels` (batch, labels) in [0, 1]. `weights` (labels,) say how
    much an example of each label counts, or of several labels how much each one's presence does; none means alike."""
    weight = logits.new_tensor(weights).float() if len(weights) else None
    if labels.ndim == 2:
        return nn.functional.binary_cross_entropy_with_logits(logits.float(), labels.float(), pos_weight=weight)
    return nn.functional.cross_entropy(logits.float(), labels, weight=weight)


class GruForSequenceClassification(LightClassifier):
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


class TextCnnForSequenceClassification(LightClassifier):
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
