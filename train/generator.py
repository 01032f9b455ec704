"""Train the copy generator: a brief in tags (or a chat) goes in, copy with slots comes out.

    python -m train.generator [--config train/configs/generator.yaml] [--base DIR] [--out DIR] [--set key=value] [--resume RUN]

Data: the copybook, paired with new briefs in every epoch (`train/examples.py`). Model: a small Llama from scratch, or the one
in `base`. Loss: next token, on the copy only. Held out: a seeded share of the pieces. Brand voices are `train/voice.py`; preference
learning is not here.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from artifacts.card import CARD, verify
from copywriting import copybook
from copywriting.brief import Brief
from copywriting.copybook import Piece
from copywriting.prompt import PromptStyle, chat, compact
from train.examples import Example, Shelf, example, split
from train.exhibits import Exhibits, Sample
from train.job import launch, run_command
from train.loop import Batch, Recipe, fit, seed_everything
from train.settings import InputPath, TrainConfig, read_command_line
from train.tokenizer import save_tokenizer

KIND = "generator"
_IGNORED = -100
_SHARD = "3500KB"  # no file of a shipped model is larger than a code host takes without ado
_JUDGED_PIECES = 256
_SAMPLES = 12
_NEW_TOKENS = 160
_SAMPLING = {"temperature": 0.8, "top_p": 0.95}


class GeneratorConfig(TrainConfig):
    """What the generator needs besides the settings of every run. The sizes are for a model from scratch."""

    copybook: InputPath
    verticals: tuple[str, ...] = ()
    """Train on pieces of these verticals only; empty means all."""
    base: InputPath | None = None
    """Model directory to start from; none means from scratch."""
    tokenizer: InputPath | None = None
    """Tokenizer directory; needed from scratch, else the base's own."""
    prompt_style: PromptStyle = "compact"
    held_out: float = Field(default=0.05, gt=0, lt=0.5)
    hidden_size: int = 256
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    intermediate_size: int = 512
    max_position: int = 512
    attention_dropout: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _has_a_start(self) -> Self:
        if self.base is None and self.tokenizer is None:
            raise ValueError("neither base nor tokenizer is given; name a tokenizer directory (python -m train.tokenizer) or a base")
        if self.base is not None and not (self.base / "config.json").is_file():
            raise ValueError(f"base = {str(self.base)!r} holds no config.json; name a model directory in the save_pretrained layout")
        return self


def loop(config: GeneratorConfig) -> None:
    """One worker's part of the run: what is trained on what."""
    seed_everything(config.seed)
    tokenizer, model = start(config)
    learn(config, CopyLoss(model), tokenizer, partial(export, tokenizer=tokenizer))


def learn(config: GeneratorConfig, model: "CopyLoss", tokenizer: PreTrainedTokenizerFast, export: Callable[[Any, Path], None]) -> None:
    """Train what of the model is not frozen on the copybook, and export it."""
    training, held_out = split(copybook.load(config.copybook), config.held_out, config.seed)
    if config.verticals:
        training, held_out = ([piece for piece in pieces if piece.vertical in config.verticals] for pieces in (training, held_out))
    if not training:
        raise ValueError(f"verticals = {list(config.verticals)}: no piece of {config.copybook} is of these; name others or leave it empty")
    shelf = Shelf(training)
    encode = partial(encode_example, tokenizer=tokenizer, style=config.prompt_style, limit=config.max_position)

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        examples = [shelf.example(number, Random(f"{config.seed}/{epoch}/{number}")) for number in numbers]
        return collate([encode(one) for one in examples], pad=tokenizer.pad_token_id)

    recipe = Recipe(
        count=len(training),
        batch=batch,
        loss=lambda model, batch: model(**batch),
        evaluate=partial(judge, encode=encode, pad=tokenizer.pad_token_id, training=training, held_out=held_out),
        export=export,
        lengths=[len(tokenizer(piece.template)["input_ids"]) for piece in training],
        exhibits=partial(exhibits, tokenizer=tokenizer, style=config.prompt_style, pieces=held_out, seed=config.seed),
    )
    fit(config, model, recipe)


class CopyLoss(nn.Module):
    """A causal language model that returns its loss; it computes logits where there is a label only, a third of all tokens fewer."""

    def __init__(self, language_model: Any) -> None:
        super().__init__()
        self.language_model = language_model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Tensor:
        """All (batch, longest). Returns the mean cross-entropy in nats per labelled token."""
        held = self.language_model.base_model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state[:, :-1]
        labelled = labels[:, 1:] != _IGNORED
        logits = self.language_model.get_output_embeddings()(held[labelled])
        return nn.functional.cross_entropy(logits.float(), labels[:, 1:][labelled])


def start(config: GeneratorConfig) -> tuple[PreTrainedTokenizerFast, Any]:
    """Tokenizer and model to start from: the base's, checked against its card where it has one, or a new small Llama."""
    if config.base:
        if (config.base / CARD).is_file():
            verify(config.base, KIND)
        tokenizer = AutoTokenizer.from_pretrained(config.base)
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        return tokenizer, AutoModelForCausalLM.from_pretrained(config.base, dtype=torch.float32)
    verify(config.tokenizer or Path(), "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(config.tokenizer)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        max_position_embeddings=config.max_position,
        attention_dropout=config.attention_dropout,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return tokenizer, LlamaForCausalLM(shape)


def prompt_ids(brief: Brief, tokenizer: PreTrainedTokenizerFast, style: PromptStyle) -> list[int]:
    """The prompt as tokens, the same that serving makes."""
    if style == "compact":
        return list(tokenizer(compact(brief))["input_ids"])
    return list(tokenizer.apply_chat_template(chat(brief), add_generation_prompt=True, return_dict=True)["input_ids"])


def encode_example(one: Example, *, tokenizer: PreTrainedTokenizerFast, style: PromptStyle, limit: int) -> tuple[list[int], list[int]]:
    """(tokens, labels): the loss is on the copy and its end only."""
    prompt = prompt_ids(one.brief, tokenizer, style)
    answer = [*tokenizer(one.copy, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return [*prompt, *answer][:limit], [*([_IGNORED] * len(prompt)), *answer][:limit]


def collate(encoded: Sequence[tuple[list[int], list[int]]], pad: int) -> dict[str, Tensor]:
    """Pad on the right. Each tensor is (batch, longest)."""
    longest = max(len(tokens) for tokens, _ in encoded)
    rows = [
        (tokens + [pad] * (longest - len(tokens)), labels + [_IGNORED] * (longest - len(labels)), len(tokens)) for tokens, labels in encoded
    ]
    return {
        "input_ids": torch.tensor([tokens for tokens, _, _ in rows]),
        "labels": torch.tensor([labels for _, labels, _ in rows]),
        "attention_mask": torch.tensor([[1] * length + [0] * (longest - length) for _, _, length in rows]),
    }


def judge(model: nn.Module, *, encode: Any, pad: int, training: Sequence[Piece], held_out: Sequence[Piece]) -> dict[str, float]:
    """Loss per token in nats: `validation_loss` on pieces never seen, `new_brief_loss` on seen pieces under briefs never seen."""
    groups = {"validation_loss": held_out, "new_brief_loss": Random(0).sample(list(training), min(_JUDGED_PIECES, len(training)))}
    device = next(model.parameters()).device
    metrics = {}
    for name, pieces in groups.items():
        total = count = 0.0
        for begin in range(0, len(pieces), 32):
            examples = [example(piece, Random(f"judge/{piece.piece_id}")) for piece in pieces[begin : begin + 32]]
            batch = {key: value.to(device) for key, value in collate([encode(one) for one in examples], pad).items()}
            tokens = int((batch["labels"][:, 1:] != _IGNORED).sum())
            total += float(model(**batch)) * tokens
            count += tokens
        if count:
            metrics[name] = total / count
    return metrics


def exhibits(model: Any, *, tokenizer: PreTrainedTokenizerFast, style: PromptStyle, pieces: Sequence[Piece], seed: int) -> Exhibits:
    """What it writes for a dozen held-out pieces' briefs, sampled as its generation settings will say."""
    if not pieces:
        return Exhibits()
    chosen = Random(seed).sample(list(pieces), min(_SAMPLES, len(pieces)))
    examples = [example(piece, Random(f"judge/{piece.piece_id}")) for piece in chosen]
    prompts = [prompt_ids(one.brief, tokenizer, style) for one in examples]
    longest = max(map(len, prompts))
    padded = [
        ([tokenizer.pad_token_id] * (longest - len(prompt)) + prompt, [0] * (longest - len(prompt)) + [1] * len(prompt))
        for prompt in prompts
    ]
    tokens, mask = (torch.tensor(rows, device=model.language_model.device) for rows in zip(*padded, strict=True))
    how = {"max_new_tokens": _NEW_TOKENS, "do_sample": True, "pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        written = model.language_model.generate(input_ids=tokens, attention_mask=mask, **how, **_SAMPLING)[:, longest:]
    texts = tokenizer.batch_decode(written, skip_special_tokens=True)
    return Exhibits(
        samples=tuple(Sample(tokenizer.decode(prompt), one.copy, text) for prompt, one, text in zip(prompts, examples, texts, strict=True))
    )


def export(model: Any, directory: Path, *, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write the language model in bf16, in files small enough for a repository, with its tokenizer."""
    held: Any = deepcopy(model.language_model).to(torch.bfloat16)
    held.generation_config.update(do_sample=True, **_SAMPLING, eos_token_id=tokenizer.eos_token_id)
    held.save_pretrained(directory, max_shard_size=_SHARD)
    save_tokenizer(tokenizer, directory)


def main() -> None:
    """The command line."""
    config, resume = read_command_line(GeneratorConfig, Path("train/configs/generator.yaml"))
    data = [config.copybook, *(path for path in (config.tokenizer, config.base) if path)]
    card = launch(loop, config, kind=KIND, data=data, resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
