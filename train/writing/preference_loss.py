"""Losses on pairs of which one text is preferred, against a frozen reference: DPO and IPO, with what is often added to them.

DPO (Rafailov et al. 2023) in its conservative form, where a pair is preferred by a chance only (Mitchell 2023): the implicit reward of a
text is beta × log π/π_ref, and the loss is Bradley and Terry's on the difference. IPO (Azar et al. 2024) draws the difference of the
log-ratios per token to 1 / (2 beta), and can't run away where every judge agrees. `rpo_alpha` adds the chosen text's own loss (Pang et
al. 2024), so that it doesn't grow less likely together with the rejected one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from train.writing.language_model import log_chances
from train.writing.tuning import bare, orthogonality

LossName = Literal["sigmoid", "ipo"]


@dataclass(frozen=True, slots=True)
class Objective:
    """Which loss. `length_normalised`: log-probabilities per token rather than per text, as IPO always has them."""

    loss: LossName = "sigmoid"
    beta: float = 0.1
    length_normalised: bool = False
    rpo_alpha: float = 0.0

    def ratios(self, said: Tensor, reference: Tensor, tokens: Tensor) -> Tensor:
        """log π/π_ref of each text, or of its mean token. All (texts,)."""
        ratio = said - reference
        return ratio / tokens if self.length_normalised or self.loss == "ipo" else ratio

    def __call__(self, said: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """The mean loss. said (2 × pairs,): log-probabilities of the chosen texts, then of the rejected; `reference` and `tokens` as many;
        `chance` (pairs,)."""
        pairs, chance = len(batch["chance"]), batch["chance"]
        ratios = self.ratios(said, batch["reference"], batch["tokens"])
        margins = ratios[:pairs] - ratios[pairs:]
        if self.loss == "ipo":
            losses = chance * (margins - 1 / (2 * self.beta)) ** 2 + (1 - chance) * (margins + 1 / (2 * self.beta)) ** 2
        else:
            scaled = self.beta * margins
            losses = -chance * nn.functional.logsigmoid(scaled) - (1 - chance) * nn.functional.logsigmoid(-scaled)
        if self.rpo_alpha:
            losses = losses - self.rpo_alpha * said[:pairs] / batch["tokens"][:pairs]
        return losses.mean()


class TextChances(nn.Module):
    """A causal language model that returns the log-probability of each row's labelled tokens."""

    supports_gradient_checkpointing = True

    def __init__(self, language_model: Any) -> None:
        super().__init__()
        self.language_model = language_model

    def forward(self, input_ids: Tensor, labels: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """All (batch, longest). Returns ((batch,) in nats, the penalty of AdaLoRA's factors while it learns or 0)."""
        chances, labelled = log_chances(self.language_model, input_ids, labels, attention_mask)
        each = torch.zeros(labelled.shape, device=chances.device).masked_scatter(labelled, chances).sum(1)
        penalty = orthogonality(self.language_model) if self.training else None
        return each, each.new_zeros(()) if penalty is None else penalty

    def gradient_checkpointing_enable(self, **how: Any) -> None:
        """As transformers' models have it."""
        bare(self.language_model).gradient_checkpointing_enable(**how)
