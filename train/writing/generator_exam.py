"""An examination of a generator: how well it expects what people wrote, and how near what it writes comes to that.

Whole models and adapters (LoRA, AdaLoRA, prefix, brand voices); an adapter's base is where its card says, unless told otherwise.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from rich.progress import track
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from artifacts.card import read_card
from copywriting.brief import language_of
from train.exams.text_metrics import nearness, variety
from train.run.settings import ConfigError
from train.writing.completions import IGNORED, dialogue_prompt_ids, encode_dialogue
from train.writing.dialogues import Dialogue, Turn
from train.writing.language_model import KIND, log_chances
from train.writing.padding import collate, left_padded
from train.writing.tuning import ADAPTER

KINDS = (KIND, ADAPTER, "voice")
"""Kinds of directories that write; any may be compared with any."""
_TOGETHER = 16
_NEW_TOKENS = 256


class Writer:
    """A model that writes, with its tokenizer and the style of prompts that it was trained with. Raises ConfigError where it is an adapter
    whose base isn't there."""

    def __init__(self, directory: Path, base: Path | None = None) -> None:
        card = read_card(directory)
        adapter = card.kind != KIND
        home = base or Path(str(card.config.get("base"))) if adapter else directory
        if adapter and not (home / "config.json").is_file():
            raise ConfigError(f"{directory}: is an adapter whose base {str(home)!r} isn't there; name it with --base DIR")
        self.style = card.config.get("prompt_style", "compact")
        self.tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(home)
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        model = AutoModelForCausalLM.from_pretrained(home, dtype=torch.float32)
        self.model: Any = (PeftModel.from_pretrained(model, directory) if adapter else model).eval()

    @torch.no_grad()
    def perplexity(self, dialogues: Sequence[Dialogue]) -> float:
        """Of the answers and their ends under their prompts, per token."""
        total = count = 0.0
        for begin in track(range(0, len(dialogues), _TOGETHER), "Perplexity"):
            some = [encode_dialogue(one, self.tokenizer, self.style, "last") for one in dialogues[begin : begin + _TOGETHER]]
            chances, _ = log_chances(self.model, **collate(some, self.tokenizer.pad_token_id))
            total -= float(chances.sum())
            count += sum(label != IGNORED for _, labels in some for label in labels[1:])
        return float(np.exp(total / count))

    @torch.no_grad()
    def texts(self, dialogues: Sequence[Dialogue], seed: int) -> list[str]:
        """An answer to each prompt, sampled as the model's own generation settings say."""
        torch.manual_seed(seed)
        texts: list[str] = []
        for begin in track(range(0, len(dialogues), _TOGETHER), "Writing"):
            prompts = [dialogue_prompt_ids(one, self.tokenizer, self.style) for one in dialogues[begin : begin + _TOGETHER]]
            tokens, mask = left_padded(prompts, self.tokenizer.pad_token_id)
            how = {"max_new_tokens": _NEW_TOKENS, "pad_token_id": self.tokenizer.pad_token_id}
            out = self.model.generate(input_ids=tokens, attention_mask=mask, **how)
            texts += self.tokenizer.batch_decode(out[:, tokens.shape[1] :], skip_special_tokens=True)
        return texts


def examined(writer: Writer, prompts: Sequence[str], references: Sequence[str], locales: Sequence[str], seed: int) -> dict[str, float]:
    """Perplexity of the references under their prompts, and how near what it writes comes to them, by language. Raises ValueError for an
    empty reference."""
    if empty := [number for number, reference in enumerate(references, 1) if not reference.strip()]:
        raise ValueError(f"row {empty[0]} has an empty reference; fill it or leave the row out")
    dialogues = [Dialogue((Turn("user", prompt), Turn("assistant", said))) for prompt, said in zip(prompts, references, strict=True)]
    figures = {"perplexity": writer.perplexity(dialogues)}
    written = writer.texts(dialogues, seed)
    languages = np.array([language_of(locale) for locale in locales])
    for language in sorted(set(languages.tolist())):
        rows = np.flatnonzero(languages == language).tolist()
        texts = [written[row] for row in rows]
        found = nearness(texts, [references[row] for row in rows], language) | variety(texts, language)
        figures |= {f"{language}_{name}": value for name, value in found.items()}
    return figures
