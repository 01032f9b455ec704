"""Read what a generator writes: samples for random briefs, and how much of it is well formed.

    python -m train.sample [--model models/generator] [--count 200] [--show 12] [--seed 1] [--greedy]

Briefs are drawn from the closed vocabularies, not from the copybook, so most combinations were never trained on. There is no grammar
here: what the serving grammar would forbid shows as a fault. For small models; serving uses vLLM.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from copywriting import copybook
from copywriting.brief import Brief
from copywriting.channels import Language
from copywriting.echoes import Echoes
from copywriting.prompt import compact
from train.texts.examples import random_brief
from train.writing.faults import faults_of

_BATCH = 50
_WINDOW = 4  # tokens; a window that no piece has marks a place where the model put pieces together


def write(model: Any, tokenizer: Any, briefs: Sequence[Brief], *, greedy: bool = False) -> list[str]:
    """One text per brief at temperature 0.8 and top-p 0.95, or the likeliest."""
    texts = []
    tokenizer.padding_side = "left"
    for begin in range(0, len(briefs), _BATCH):
        prompts = tokenizer([compact(brief) for brief in briefs[begin : begin + _BATCH]], return_tensors="pt", padding=True)
        how = {"do_sample": False} if greedy else {"do_sample": True, "temperature": 0.8, "top_p": 0.95, "top_k": 0}
        with torch.no_grad():
            written = model.generate(**prompts, max_new_tokens=160, **how)
        texts += tokenizer.batch_decode(written[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)
    return cast(list[str], texts)


def _windows(tokens: Sequence[int]) -> set[tuple[int, ...]]:
    return {tuple(tokens[i : i + _WINDOW]) for i in range(len(tokens) - _WINDOW + 1)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, default=Path("models/generator"))
    parser.add_argument("--copybook", type=Path, default=Path("demo/copybook"))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--show", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--greedy", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(2)
    random = Random(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    pieces = copybook.load(options.copybook)
    known = {piece.template for piece in pieces}
    windows = set().union(*(_windows(tokenizer(template)["input_ids"]) for template in known))
    echoes = Echoes(pieces)
    languages: tuple[Language, Language] = ("zh", "en")
    briefs = [random_brief(random, languages[i % 2]) for i in range(options.count)]
    texts = write(model, tokenizer, briefs, greedy=options.greedy)
    seen: Counter[str] = Counter()
    for i, (brief, text) in enumerate(zip(briefs, texts, strict=True)):
        faults = faults_of(brief, text) + ["misplaced"] * (echoes.misplaced(text, brief) is not None)
        new = len(_windows(tokenizer(text)["input_ids"]) - windows)
        seen.update(faults or ["well formed"])
        seen.update(["verbatim piece"] if text in known else [f"new windows {'0' if not new else '1-6' if new < 7 else '7+'}"])
        if i < options.show:
            print(f"--- {brief.channel.name} {brief.vertical}/{brief.kind} {brief.tone} {brief.occasion} {','.join(brief.principles)}")
            print(f"{text}\n    {faults or 'ok'}; {'verbatim' if text in known else f'{new} new windows'}")
    print({name: f"{count / len(briefs):.0%}" for name, count in seen.most_common()}, f"distinct {len(set(texts)) / len(texts):.0%}")


if __name__ == "__main__":
    main()
