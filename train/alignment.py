"""Align a generator with what people prefer: DPO or IPO on pairs of texts, of which one did better.

    python -m train.alignment --set data=pairs.jsonl --base DIR --out DIR [--set method=lora] [--set key=value] [--resume RUN]
    python -m train.alignment --set data=null --set reward=models/persuasion --base DIR --out DIR   # pairs of the base's own texts

Data: a table of preferences or of A/B outcomes with their prompts (`train/writing/preferences.py`); or, with `reward`, what a persuasion
model makes of texts that the base writes (`train/writing/rewarded.py`). Reference: the base as the run finds it, which is asked about the
pairs once (`train/writing/reference.py`). Loss: `train/writing/preference_loss.py`. What learns: all of the base, or an adapter
(`train/writing/tuning.py`). Held out: `validation`, else whole prompts.

Metrics: `preference_accuracy`, the share of held-out pairs whose better text has the higher implicit reward (ties count half); `margin`,
by how much, in nats of beta × log π/π_ref; `chosen_gain` and `rejected_gain`, by how much a text grew likelier than the reference has it;
`drift`, by how much a token of these texts grew less likely, which estimates KL(π_ref‖π) where the base wrote them; `validation_loss`.
TRL has these losses, too, in a trainer with a loop and checkpoints of its own; here a run is one like every other. Online learning (PPO,
GRPO) is not here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from train.job import launch, run_command
from train.reports.exhibits import Exhibits, Sample
from train.reports.metrics import Floats
from train.run import worker
from train.run.loop import Batch, Recipe, fit, seed_everything
from train.run.settings import ConfigError, InputPath, data_hash, read_command_line
from train.run.worker import tell
from train.texts.data_card import DATA_CARD, plain_card
from train.texts.pairs import PairColumns
from train.writing import preferences, rewarded
from train.writing.completions import TooLong, check_template, dialogue_prompt_ids
from train.writing.language_model import export, kind_of, reach, start, start_tokenizer, written
from train.writing.preference_loss import LossName, Objective, TextChances
from train.writing.preferences import Preference, PreferenceColumns, Preferences
from train.writing.reference import consult
from train.writing.rewarded import RewardedConfig
from train.writing.token_pairs import TokenPairs, read
from train.writing.tuning import adapted, budget

_SAMPLES = 12


class AlignmentConfig(RewardedConfig):
    """What alignment needs besides a base."""

    data: InputPath | None = None
    """A table of preferences."""
    validation: InputPath | None = None
    """A table of its own to be held out; none means a share of `data`. Prompts that stand in both are left out of the training."""
    columns: PreferenceColumns = PreferenceColumns()
    pair_columns: PairColumns = PairColumns()
    loss: LossName = "sigmoid"
    beta: float = Field(default=0.1, gt=0)
    """How dear it is to leave the reference."""
    length_normalised: bool = False
    """Log-probabilities per token, so that length by itself is no reward; `beta` then wants to be larger (2 or so)."""
    rpo_alpha: float = Field(default=0.0, ge=0)
    """Weight of the chosen text's own loss."""
    too_long: TooLong = "leave_out"
    """What happens to a pair of which a text has more tokens than `max_position`; either is counted and told."""
    held_out: float = Field(default=0.1, gt=0, lt=0.5)

    @model_validator(mode="after")
    def _has_pairs_and_a_base(self) -> Self:
        if self.base is None:
            raise ValueError("base is not given; name the directory of the generator to align")
        if self.data is None and self.reward is None:
            raise ValueError("neither data nor reward is given; name a table of pairs, or a persuasion model that judges the base's texts")
        return self

    @property
    def objective(self) -> Objective:
        """The loss."""
        return Objective(self.loss, self.beta, self.length_normalised, self.rpo_alpha)


def loop(config: AlignmentConfig) -> None:
    """One worker's part of the run: what is trained on what."""
    seed_everything(config.seed)
    tokenizer, base = start(config)
    found = parts(config)
    training, held_out = (token_pairs(rows, tokenizer, config) for rows in (found.training, found.held_out))
    told = found.left_out | {f"of more than {reach(config)} tokens": training.too_long + held_out.too_long}
    if left_out := ", ".join(f"{count} {reason}" for reason, count in told.items() if count):
        tell({"phase": f"left out or cut beside {len(training)} + {len(held_out)} pairs: {left_out}"})
    if not len(training) or not len(held_out):
        raise ValueError(f"no pair of at most {reach(config)} tokens to learn from or to judge; raise max_position or --set too_long=cut")
    assert config.base is not None
    consult(TextChances(base.to(worker.device())).eval(), (training, held_out), config.base, worker)
    model = TextChances(adapted(base, config))

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        said, penalty = model(**read(batch))
        total: Tensor = config.objective(said, batch) + penalty
        return total

    recipe = Recipe(
        count=len(training),
        batch=lambda numbers, epoch: training.batch(numbers),
        loss=loss,
        evaluate=partial(judge, pairs=held_out, objective=config.objective),
        export=partial(export, tokenizer=tokenizer, config=config),
        lengths=training.lengths,
        exhibits=lambda model: replace(
            exhibits(model, pairs=held_out, tokenizer=tokenizer, config=config), pages={DATA_CARD: card(config, training, held_out, told)}
        ),
        after_step=budget(model.language_model),
    )
    fit(config, model, recipe)


def token_pairs(rows: Sequence[Preference], tokenizer: PreTrainedTokenizerFast, config: AlignmentConfig) -> TokenPairs:
    """The pairs as the model reads them."""
    return TokenPairs(rows, tokenizer, limit=reach(config), style=config.prompt_style, too_long=config.too_long)


def table_of(config: AlignmentConfig) -> Path:
    """The table of pairs; `prepare` makes it where it isn't given."""
    return config.data or rewarded.place_of(config)


def files_of(config: AlignmentConfig) -> list[Path]:
    """What a run learns from and starts from."""
    return [path for path in (table_of(config), config.validation, config.reward, config.base) if path]


def parts(config: AlignmentConfig) -> Preferences:
    """The pairs. Raises ConfigError for a table that can't be used."""
    return preferences.parts(table_of(config), config.validation, config.columns, config.pair_columns, config.held_out, config.seed)


def judge(model: nn.Module, *, pairs: TokenPairs, objective: Objective) -> dict[str, float]:
    """The metrics that the module's docstring names."""
    said = pairs.ask(model)
    batch = pairs.batch(range(len(pairs)))
    margins = margins_of(said, pairs, objective)
    gains = said - pairs.reference
    return {
        "preference_accuracy": float((margins > 0).mean() + (margins == 0).mean() / 2),
        "margin": float(margins.mean()),
        "chosen_gain": float(gains[0].mean()),
        "rejected_gain": float(gains[1].mean()),
        "drift": float(-gains.sum() / batch["tokens"].sum()),
        "validation_loss": float(objective(said.flatten(), batch)),
    }


def margins_of(said: Tensor, pairs: TokenPairs, objective: Objective) -> Floats:
    """(pairs,): by how much the chosen text's implicit reward is above the rejected one's."""
    tokens = pairs.batch(range(len(pairs)))["tokens"].view(2, -1)
    ratios = objective.ratios(said, pairs.reference, tokens)
    return np.asarray(objective.beta * (ratios[0] - ratios[1]), dtype=np.float64)


def exhibits(model: Any, *, pairs: TokenPairs, tokenizer: PreTrainedTokenizerFast, config: AlignmentConfig) -> Exhibits:
    """The held-out margins, and what the model writes for a dozen of their prompts beside the chosen text."""
    rows = list({row.chosen.asked: row for row in pairs.rows}.values())[:_SAMPLES]
    prompts = [dialogue_prompt_ids(row.chosen, tokenizer, config.prompt_style) for row in rows]
    texts = written(model.language_model, tokenizer, prompts, config.seed)
    samples = [Sample(tokenizer.decode(prompt), row.chosen.answer, text) for prompt, row, text in zip(prompts, rows, texts, strict=True)]
    return Exhibits(margins=margins_of(pairs.ask(model), pairs, config.objective), samples=tuple(samples))


def card(config: AlignmentConfig, training: TokenPairs, held_out: TokenPairs, left_out: Mapping[str, int]) -> str:
    """The data card: of each pair both answers, each answer once."""
    said = [list(dict.fromkeys(one.answer for row in side.rows for one in (row.chosen, row.rejected))) for side in (training, held_out)]
    files = [path for path in (table_of(config), config.validation) if path]
    return plain_card(said[0], said[1], files, left_out, name=config.name, about=config.about_data, hashed=data_hash(files))


def prepare(config: AlignmentConfig) -> None:
    """What must be there before the workers start: the pairs, which are made where a reward is given. Raises ConfigError for what can't be
    used."""
    try:
        tokenizer = start_tokenizer(config)
        if config.prompt_style == "chat":
            check_template(tokenizer, "prompt_style = 'chat'")
        if config.data is None:
            rewarded.make(config)
        if any(row.chosen.chat for row in parts(config).training):
            check_template(tokenizer, "messages in the data")
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(str(error)) from error


def main() -> None:
    """The command line."""
    config, resume = read_command_line(AlignmentConfig, Path("train/configs/alignment.yaml"))
    prepare(config)
    card = launch(loop, config, kind=kind_of(config), data=files_of(config), resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
