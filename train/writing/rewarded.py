"""Preference pairs without a judge: of several texts that a generator writes for a prompt, what a reward model scores highest and lowest.

The reward is a persuasion model (train/persuasion.py), whose difference between two texts is a Bradley-Terry margin: that gives a pair its
chance. Prompts come from a table, or are briefs drawn at random; then slots are filled with plausible values before a text is judged, and
one that the serving grammar would refuse (train/writing/faults.py) loses to any that it would not. Whether claims are true of a product
can't be asked: there is none. One process, before Ray starts; what it wrote is kept by its settings, and taken again by a run that goes on.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Protocol

import numpy as np
import torch
from rich.progress import track
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerFast

from artifacts.card import verify
from copywriting.brief import Brief
from copywriting.channels import Language
from copywriting.prompt import PromptStyle, chat, compact
from copywriting.slots import fill
from train.run.settings import ConfigError, InputPath, ModelPath
from train.run.tables import read_table
from train.texts.classifier import logits_of
from train.texts.examples import random_brief
from train.texts.fillers import slot_values
from train.writing.completions import dialogue_prompt_ids
from train.writing.dialogues import PROMPTS, Dialogue, Turn, column, turns_of
from train.writing.faults import faults_of
from train.writing.language_model import LanguageModelConfig, start, written

_SCORE = "persuasive"
_TOGETHER = 48
_LANGUAGES: tuple[Language, Language] = ("zh", "en")


class RewardedConfig(LanguageModelConfig):
    """How pairs are made of a base's own texts."""

    reward: ModelPath | None = None
    """A persuasion model's directory; with it, pairs are made rather than read from `data`."""
    prompts: InputPath | None = None
    """A table whose column of prompts (or messages) the base answers; none means briefs drawn at random."""
    briefs: int = 256
    """How many briefs are drawn."""
    candidates: int = 8
    """Texts written for each prompt."""
    prompt_style: PromptStyle = "compact"


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as a table holds it, and the brief behind it where there is one."""

    prompt: str | list[dict[str, str]]
    brief: Brief | None = None

    def dialogue(self) -> Dialogue:
        """With an answer yet to be written."""
        turns = turns_of(self.prompt, "prompt") if isinstance(self.prompt, list) else (Turn("user", self.prompt),)
        return Dialogue((*turns, Turn("assistant", "")), chat=isinstance(self.prompt, list))


class Reward(Protocol):
    """What scores texts."""

    def __call__(self, texts: Sequence[str]) -> Sequence[float]:
        """One Bradley-Terry score for each."""


class Persuasiveness:
    """A persuasion model as a reward. Raises ArtifactError for a directory that is none."""

    def __init__(self, directory: Path) -> None:
        card = verify(directory, "persuasion")
        self._max_tokens = int(card.config["max_tokens"])
        self._tokenizer = AutoTokenizer.from_pretrained(directory)
        self._model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
        self._column = list(self._model.config.id2label.values()).index(_SCORE)
        self._temperature = float(getattr(self._model.config, "calibration_temperature", 1.0))

    def __call__(self, texts: Sequence[str]) -> Sequence[float]:
        """As `Reward`."""
        scores: list[float] = (
            logits_of(self._model, texts, self._tokenizer, self._max_tokens)[:, self._column] / self._temperature
        ).tolist()
        return scores


def prompts_of(config: RewardedConfig) -> list[Asked]:
    """The table's distinct prompts, or briefs in both languages by turns."""
    if config.prompts:
        held = column(read_table(config.prompts), config.prompts, "prompt", "", ("messages", *PROMPTS))
        return [Asked(prompt) for prompt in {json.dumps(each): each for each in held if each}.values()]
    random = Random(config.seed)
    briefs = [random_brief(random, _LANGUAGES[number % 2]) for number in range(config.briefs)]
    return [Asked(compact(brief) if config.prompt_style == "compact" else chat(brief), brief) for brief in briefs]


def pair_of(asked: Asked, texts: Sequence[str], reward: Reward, random: Random) -> dict[str, Any] | None:
    """The best of the texts with the worst, as a row of a table; None where they are as good as each other."""
    distinct = sorted({text.strip() for text in texts} - {""})
    if len(distinct) < 2:
        return None
    brief = asked.brief
    values = slot_values(brief.language, brief.occasion, random) if brief else {}
    scores = np.asarray(reward([fill(text, values)[0] if brief else text for text in distinct]), dtype=float)
    refused = np.array([bool(brief and faults_of(brief, text)) for text in distinct])
    if refused.all():
        return None
    best = int(np.where(refused, -np.inf, scores).argmax())
    worst = int(np.where(refused, scores - 1e6, scores).argmin())
    if best == worst or (scores[best] <= scores[worst] and not refused[worst]):
        return None
    chance = 1.0 if refused[worst] else float(1 / (1 + np.exp(scores[worst] - scores[best])))
    return {"prompt": asked.prompt, "chosen": distinct[best], "rejected": distinct[worst], "chance": round(chance, 4)}


def pairs_of(asked: Sequence[Asked], config: RewardedConfig, model: Any, tokenizer: PreTrainedTokenizerFast, reward: Reward) -> list[Any]:
    """A row for each prompt whose candidates differ in their reward."""
    random, rows = Random(config.seed), []
    together = max(1, _TOGETHER // config.candidates)
    for begin in track(range(0, len(asked), together), "Writing candidates"):
        some = asked[begin : begin + together]
        prompts = [dialogue_prompt_ids(one.dialogue(), tokenizer, config.prompt_style) for one in some]
        texts = written(model, tokenizer, [prompt for prompt in prompts for _ in range(config.candidates)], config.seed + begin)
        for number, one in enumerate(some):
            own = texts[number * config.candidates : (number + 1) * config.candidates]
            if row := pair_of(one, own, reward, random):
                rows.append(row)
    return rows


def place_of(config: RewardedConfig) -> Path:
    """Where the table of pairs of these settings lies, made or not. Raises ArtifactError for a reward that is no persuasion model."""
    fields = {*RewardedConfig.model_fields} & {"base", "reward", "prompts", "briefs", "candidates", "prompt_style", "seed"}
    settings = config.model_dump_json(include=fields)
    versions = [verify(path, kind).version for path, kind in ((config.reward, "persuasion"),) if path]
    return config.local_runs / f"{config.name}-pairs-{sha256(f'{settings}{versions}'.encode()).hexdigest()[:12]}.jsonl"


def make(config: RewardedConfig) -> Path:
    """The table of pairs, made now or by a run before this one with the same settings. Raises ConfigError where no pair came of it."""
    path = place_of(config)
    if path.is_file():
        return path
    tokenizer, model = start(config)
    rows = pairs_of(prompts_of(config), config, model.eval(), tokenizer, Persuasiveness(config.reward or Path()))
    if not rows:
        raise ConfigError(
            f"reward = {str(config.reward)!r}: found no difference between candidates; raise candidates or give other prompts"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
