"""What one run of the generator learns from: pieces of the copybook, each with a new brief in every epoch, and rows of a table.

Numbers below `len(pieces)` are pieces, the others rows.
"""

from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from copywriting import copybook
from copywriting.copybook import Piece
from train.run.settings import data_hash
from train.texts.data_card import plain_card
from train.texts.examples import Shelf, example, split
from train.writing.completions import Encoded, asked_and_answered, encode_example, prompt_ids, with_hidden_words
from train.writing.generator_config import GeneratorConfig
from train.writing.language_model import reach
from train.writing.rows import rows_of

_JUDGED_PIECES = 256
_DESCRIBED = 5_000
"""Rows of either side that a data card describes at the most."""


class Lessons:
    """Everything that a run learns from and is judged on."""

    def __init__(self, config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> None:
        self._config, self._tokenizer = config, tokenizer
        self.pieces, self.held_out_pieces = pieces_of(config)
        self._shelf = Shelf(self.pieces)
        self._limit, self.rows = reach(config), rows_of(config, tokenizer)
        cut = sum(len(self._piece(number, 0)[0]) > self._limit for number in range(len(self.pieces)))
        self.left_out = {**self.rows.left_out, f"pieces of more than {self._limit} tokens, cut": cut}

    def __len__(self) -> int:
        return len(self.pieces) + len(self.rows.training)

    def encoded(self, number: int, epoch: int) -> Encoded:
        """One example of one epoch."""
        whole = self._whole(number, epoch)
        if not self._config.word_dropout:
            return whole
        return with_hidden_words(
            whole, self._config.word_dropout, self._tokenizer.pad_token_id, Random(f"{self._config.seed}/{epoch}/{number}/hidden")
        )

    def _whole(self, number: int, epoch: int) -> Encoded:
        if number >= len(self.pieces):
            return self.rows.training[number - len(self.pieces)]
        tokens, labels = self._piece(number, epoch)
        return tokens[: self._limit], labels[: self._limit]

    def _piece(self, number: int, epoch: int) -> Encoded:
        one = self._shelf.example(number, Random(f"{self._config.seed}/{epoch}/{number}"))
        return encode_example(one, tokenizer=self._tokenizer, style=self._config.prompt_style)

    @property
    def lengths(self) -> NDArray[np.int32]:
        """About how many tokens each has."""
        of_pieces = [len(self._tokenizer(piece.template)["input_ids"]) for piece in self.pieces]
        return np.concatenate([np.array(of_pieces, np.int32), np.asarray(self.rows.lengths, np.int32)])

    def told(self) -> str:
        """Which rows were left out, for a reader; empty where none was."""
        return ", ".join(f"{count} {reason}" for reason, count in self.left_out.items() if count)

    def examinations(self) -> dict[str, tuple[Sequence[Encoded], ...]]:
        """What a model is judged on, always the same, in parts: `validation_loss` on what it never saw; with a copybook, `new_brief_loss`
        on pieces that it saw under briefs that it didn't. Rows stay where they lie."""
        seen = Random(0).sample(list(self.pieces), min(_JUDGED_PIECES, len(self.pieces)))
        asked: dict[str, tuple[Sequence[Encoded], ...]] = {
            "validation_loss": (self._under_a_brief(self.held_out_pieces), self.rows.held_out),
            "new_brief_loss": (self._under_a_brief(seen),),
        }
        return {name: parts for name, parts in asked.items() if any(map(len, parts))}

    def _under_a_brief(self, pieces: Sequence[Piece]) -> list[Encoded]:
        ones = [example(piece, Random(f"judge/{piece.piece_id}")) for piece in pieces]
        whole = [encode_example(one, tokenizer=self._tokenizer, style=self._config.prompt_style) for one in ones]
        return [(tokens[: self._limit], labels[: self._limit]) for tokens, labels in whole]

    def asked(self, count: int) -> list[tuple[list[int], str]]:
        """(prompt, what a person answered) of some held-out pieces and rows, the same ones every time."""
        pieces = len(self.held_out_pieces)
        numbers = range(pieces + len(self.rows.held_out))
        chosen = Random(self._config.seed).sample(numbers, min(count, len(numbers)))
        return [
            self._briefed(self.held_out_pieces[number])
            if number < pieces
            else asked_and_answered(self.rows.held_out[number - pieces], self._tokenizer)
            for number in chosen
        ]

    def card(self) -> str:
        """The data card: templates of pieces, and rows as the model reads them, of very many some drawn by chance."""
        config, rows = self._config, self.rows
        drawn = [
            [each[number] for number in Random(config.seed).sample(range(len(each)), min(_DESCRIBED, len(each)))]
            for each in (rows.training, rows.held_out)
        ]
        training, held_out = (
            [piece.template for piece in pieces] + self._tokenizer.batch_decode([tokens for tokens, _ in some], skip_special_tokens=True)
            for pieces, some in zip((self.pieces, self.held_out_pieces), drawn, strict=True)
        )
        files = [path for path in (config.copybook, config.data, config.validation) if path]
        counts = " and ".join(f"{len(some):,} of {len(each):,}" for some, each in zip(drawn, (rows.training, rows.held_out), strict=True))
        some = any(len(each) > _DESCRIBED for each in (rows.training, rows.held_out))
        about = f"{config.about_data} (described by rows drawn by chance: {counts})".strip() if some else config.about_data
        return plain_card(training, held_out, files, self.left_out, name=config.name, about=about, hashed=data_hash(files))

    def _briefed(self, piece: Piece) -> tuple[list[int], str]:
        one = example(piece, Random(f"judge/{piece.piece_id}"))
        return prompt_ids(one.brief, self._tokenizer, self._config.prompt_style), one.copy


def pieces_of(config: GeneratorConfig) -> tuple[list[Piece], list[Piece]]:
    """(training, held out) pieces of the copybook; none without one. Raises ValueError where `verticals` leaves none to learn from."""
    if config.copybook is None:
        return [], []
    training, held_out = split(copybook.load(config.copybook), config.held_out, config.seed)
    if config.verticals:
        training, held_out = ([piece for piece in pieces if piece.vertical in config.verticals] for pieces in (training, held_out))
    if not training:
        raise ValueError(f"verticals = {list(config.verticals)}: no piece of {config.copybook} is of these; name others or leave it empty")
    return training, held_out
