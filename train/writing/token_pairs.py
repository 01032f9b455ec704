"""Pairs of texts of which one is preferred, as tokens, with what the reference says of them (train/writing/reference.py)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from copywriting.prompt import PromptStyle
from train.writing.completions import IGNORED, Encoded, TooLong, encode_dialogue, fitted
from train.writing.padding import collate
from train.writing.preferences import Preference

_TOGETHER = 16


class TokenPairs:
    """Pairs that fit, in the order of `rows`. `encoded` holds the chosen text and the rejected one of each; `reference` (2, pairs) the
    log-probabilities that the reference gives them, 0 until it is asked."""

    def __init__(
        self, rows: Sequence[Preference], tokenizer: PreTrainedTokenizerFast, *, limit: int, style: PromptStyle, too_long: TooLong
    ) -> None:
        """`limit`: tokens of the longest text; `too_long`: what becomes of longer ones, which are counted."""
        self.rows, self.encoded, self.too_long = [], [], 0
        for row in rows:
            both = [encode_dialogue(one, tokenizer, style, "last") for one in (row.chosen, row.rejected)]
            self.too_long += any(len(tokens) > limit for tokens, _ in both)
            kept = [short for one in both if (short := fitted(one, limit, too_long))]
            if len(kept) == 2 and kept[0] != kept[1]:  # cut texts may be the same
                self.rows.append(row)
                self.encoded.append((kept[0], kept[1]))
        self._pad = int(tokenizer.pad_token_id)
        self.reference = torch.zeros(2, len(self.rows))

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """The chosen texts, then the rejected ones; all but `chance` (pairs,) have 2 × pairs rows."""
        both: list[Encoded] = [self.encoded[number][side] for side in (0, 1) for number in numbers]
        tokens = [sum(label != IGNORED for label in labels[1:]) for _, labels in both]
        return collate(both, self._pad) | {
            "reference": self.reference[:, list(numbers)].flatten(),
            "tokens": torch.tensor(tokens, dtype=torch.float32),
            "chance": torch.tensor([self.rows[number].chance for number in numbers]),
        }

    def ask(self, model: Any) -> Tensor:
        """(2, pairs): log-probability of each chosen text and of each rejected one."""
        return torch.cat(list(self.ask_in_turn(model, 0, 1)), 1)

    @torch.no_grad()
    def ask_in_turn(self, model: Any, rank: int, ranks: int) -> Iterator[Tensor]:
        """As `ask`, batch by batch, of `ranks` workers' turns those of one: batches are the same however many there are."""
        device = next(model.parameters()).device
        for begin in range(rank * _TOGETHER, len(self), ranks * _TOGETHER):
            batch = {key: value.to(device) for key, value in self.batch(range(begin, min(begin + _TOGETHER, len(self)))).items()}
            said, _ = model(**read(batch))
            yield said.float().cpu().view(2, -1)

    @property
    def lengths(self) -> list[int]:
        """Tokens of the longer text of each."""
        return [max(len(tokens) for tokens, _ in both) for both in self.encoded]


def read(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the model reads of a batch."""
    return {name: batch[name] for name in ("input_ids", "labels", "attention_mask")}
