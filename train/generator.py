"""Train the copy generator: a brief in tags (or a chat) goes in, copy with slots comes out.

    python -m train.generator [--config train/configs/generator.yaml] [--base DIR] [--out DIR] [--set key=value] [--resume RUN]
    python -m train.generator --config train/configs/generator_table.yaml --set data=copy.jsonl --base DIR      # texts of yours

Data: the copybook, paired with new briefs in every epoch (`train/texts/examples.py`); a table of prompts and completions or of chats
(`train/writing/dialogues.py`); or both. Model: a small Llama from scratch, or the one in `base`, of which all learns, or an adapter
(`train/writing/tuning.py`). Loss: next token, on the copy only. Held out: the table `validation`, else a seeded share of the pieces and of
the prompts. Brand voices are `train/voice.py`, preferences `train/alignment.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from torch import nn
from transformers import PreTrainedTokenizerFast

from train.job import launch, run_command
from train.reports.exhibits import Exhibits, Sample
from train.run.loop import Batch, Recipe, fit, seed_everything
from train.run.settings import ConfigError, read_command_line
from train.run.worker import tell
from train.texts.data_card import DATA_CARD
from train.writing.completions import IGNORED, Encoded, encode_example, prompt_ids
from train.writing.generator_config import GeneratorConfig
from train.writing.language_model import CopyLoss, export, kind_of, reach, start, start_tokenizer, written
from train.writing.lessons import Lessons
from train.writing.packing import check_packing, packed
from train.writing.padding import collate
from train.writing.rows import prepare
from train.writing.tuning import adapted, budget

__all__ = ["CopyLoss", "GeneratorConfig", "collate", "encode_example", "loop", "prompt_ids", "start"]
_SAMPLES = 12
_TOGETHER = 32


def loop(config: GeneratorConfig) -> None:
    """One worker's part of the run: what is trained on what."""
    seed_everything(config.seed)
    tokenizer, base = start(config)
    learn(config, CopyLoss(adapted(base, config)), tokenizer, partial(export, tokenizer=tokenizer, config=config))


def learn(config: GeneratorConfig, model: CopyLoss, tokenizer: PreTrainedTokenizerFast, export: Callable[[Any, Path], None]) -> None:
    """Train what of the model is not frozen on the copybook and the table, and export it."""
    lessons = Lessons(config, tokenizer)
    if told := lessons.told():
        tell({"phase": f"left out beside {len(lessons)} examples: {told}"})
    pad, limit = tokenizer.pad_token_id, reach(config)
    if config.packing:
        check_packing(model.eval(), [lessons.encoded(number, 0) for number in range(min(3, len(lessons)))], pad)

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        examples = [lessons.encoded(number, epoch) for number in numbers]
        return packed(examples, limit, pad) if config.packing else collate(examples, pad)

    recipe = Recipe(
        count=len(lessons),
        batch=batch,
        loss=lambda model, batch: model(**batch),
        evaluate=partial(judge, examinations=lessons.examinations(), pad=pad),
        export=export,
        lengths=() if config.packing else lessons.lengths,
        exhibits=lambda model: replace(
            exhibits(model, tokenizer=tokenizer, asked=lessons.asked(_SAMPLES), seed=config.seed), pages={DATA_CARD: lessons.card()}
        ),
        after_step=budget(model.language_model),
    )
    fit(config, model, recipe)


def judge(model: nn.Module, *, examinations: Mapping[str, Sequence[Sequence[Encoded]]], pad: int) -> dict[str, float]:
    """Loss per token in nats of each examination, which is in parts."""
    device = next(model.parameters()).device
    metrics = {}
    for name, parts in examinations.items():
        total = count = 0.0
        examples = chain.from_iterable(parts)
        while some := list(islice(examples, _TOGETHER)):
            batch = {key: value.to(device) for key, value in collate(some, pad).items()}
            tokens = int((batch["labels"][:, 1:] != IGNORED).sum())
            total += float(model(**batch)) * tokens
            count += tokens
        metrics[name] = total / count
    return metrics


def exhibits(model: Any, *, tokenizer: PreTrainedTokenizerFast, asked: Sequence[tuple[list[int], str]], seed: int) -> Exhibits:
    """What it writes for a dozen held-out prompts, sampled as its generation settings will say."""
    if not asked:
        return Exhibits()
    prompts = [prompt for prompt, _ in asked]
    texts = written(model.language_model, tokenizer, prompts, seed)
    return Exhibits(samples=tuple(Sample(tokenizer.decode(prompt), copy, text) for (prompt, copy), text in zip(asked, texts, strict=True)))


def main() -> None:
    """The command line."""
    config, resume = read_command_line(GeneratorConfig, Path("train/configs/generator.yaml"))
    try:
        tokenizer = start_tokenizer(config)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    data = [path for path in (config.copybook, *prepare(config, tokenizer), config.tokenizer, config.base) if path]
    card = launch(loop, config, kind=kind_of(config), data=data, resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
