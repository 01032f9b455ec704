"""What the grammar and brand voices cost the engine: tokens/s under a grammar ÷ without, with adapters ÷ without, and the time to compile.

    python -m benchmarks.decoding [--seconds 20]

The same briefs of the sample shop go to the real engine alone, closed loop, n = 4, at 1, 8 and 32 requests, in one run. One engine is
plain, one able to serve voices. Compilation is xgrammar's, for every shape of grammar that the briefs have; the engine compiles each once.
"""

import argparse
import asyncio
import os
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from artifacts.card import read_card, write_card
from artifacts.versions import publish
from benchmarks.graph import bodies, closed_loop, queries_of
from benchmarks.record import Figures, record
from benchmarks.shop import prepared_shop
from copywriting.copybook import Piece, load
from copywriting.voices import GUIDE
from demo.stage import VAR
from serve.config import ROOT, GeneratorSettings, GraphSettings, parse
from serve.engine import Engine
from serve.exchange import Adapter, DraftQuery
from serve.launch import settings_of
from serve.voices import Voices

SEED = 37
REQUESTS = (1, 8, 32)
VOICES = ("first", "second")
CONFIG = ROOT / "serve" / "config" / "laptop.yaml"


def compile_ms(queries: Sequence[DraftQuery], model: Path) -> Figures:
    """Milliseconds to compile each different grammar for the generator's tokenizer."""
    import xgrammar
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    compiler = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo.from_huggingface(tokenizer), cache_enabled=False)
    took = []
    for grammar in dict.fromkeys(query.grammar for query in queries):
        began = time.perf_counter()
        compiler.compile_grammar(grammar)
        took.append((time.perf_counter() - began) * 1000)
    return {"grammars": len(took), "compile_p50_ms": round(statistics.median(took), 2), "compile_max_ms": round(max(took), 2)}


def mask_us(queries: Sequence[DraftQuery], model: Path, pieces: Sequence[Piece]) -> Figures:
    """Microseconds that a step under the grammar takes for one sequence, as it is and with a bound on each part's length: what a decoder
    pays at every token. The texts are pieces of the copybook whose slots the grammar has."""
    import xgrammar
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    compiler = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=len(tokenizer)))
    mask = xgrammar.allocate_token_bitmask(1, len(tokenizer))
    took: dict[str, list[float]] = {"mask": [], "bounded_mask": []}
    for piece, query in zip(pieces, queries, strict=False):
        for name, grammar in (("mask", query.grammar), ("bounded_mask", re.sub(r"\)\+$", "){1,200}", query.grammar, flags=re.MULTILINE))):
            matcher = xgrammar.GrammarMatcher(compiler.compile_grammar(grammar))
            for token in tokenizer(piece.template, add_special_tokens=False)["input_ids"]:
                began = time.perf_counter()
                matcher.fill_next_token_bitmask(mask)
                took[name].append((time.perf_counter() - began) * 1e6)
                if not matcher.accept_token(token):
                    break
    return {f"{name}_p50_us": round(statistics.median(each), 1) for name, each in took.items()}


def made_voices(root: Path, model: Path) -> list[Adapter]:
    """Adapters of rank 8 on every projection, with random weights of no effect worth reading: what costs is their arithmetic."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    projections = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    for name in VOICES:
        new = root.with_name(f"{root.name}-{name}")
        get_peft_model(AutoModelForCausalLM.from_pretrained(model), LoraConfig(r=8, target_modules=projections)).save_pretrained(new)
        (new / GUIDE).write_text(f"name: {name}\nsays: {{}}\n", encoding="utf-8")
        config = {"base_version": read_card(model).version}
        write_card(new, kind="voice", name=name, command="python -m benchmarks.decoding", seed=SEED, config=config)
        publish(root / name, new, "voice")
    voices = Voices(root)
    return [adapter for name in VOICES if (adapter := voices.get(name).adapter)]


def prepared() -> tuple[GraphSettings, GeneratorSettings, list[DraftQuery]]:
    """The laptop's settings, those of its generator without voices and cache, and each brief's first prompt; vLLM's environment is set."""
    os.environ |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    prepared_shop()
    _, args = settings_of(CONFIG)
    settings = parse(dict(args))
    plain = settings.generator.model_copy(update={"model": str(VAR / "models" / "generator"), "voices": None, "cache_entries": 0})
    return settings, plain, [replace(query, n=4, prompts=query.prompts[:1]) for query in asyncio.run(queries_of(settings, bodies()))]


async def speeds(
    engine: Engine, queries: Sequence[DraftQuery], seconds: float, requests: Sequence[int], adapters: Sequence[Adapter | None] = (None,)
) -> Figures:
    """Tokens/s at each number of requests; request i writes with adapter i modulo their number."""
    figures: Figures = {}
    first_seed = 0

    async def send(number: int) -> int:
        query = queries[number % len(queries)]
        query = replace(query, seed=first_seed + number, adapter=adapters[number % len(adapters)])
        return (await engine.draft(query)).output_tokens

    for clients in requests:
        measured = await closed_loop(seconds, clients, send)
        figures[f"{clients}_requests_tokens_per_s"] = measured["tokens_per_s"]
        first_seed += 100_000
    return figures


async def throughput(
    settings: GeneratorSettings, queries: Sequence[DraftQuery], seconds: float, adapters: Sequence[Adapter | None]
) -> Figures:
    """`speeds` of an engine of its own."""
    engine = Engine(settings)
    try:
        await engine.warm_up()
        return await speeds(engine, queries, seconds, REQUESTS, adapters)
    finally:
        engine.shutdown()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    console = Console()
    settings, plain, queries = prepared()
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "voices"
        root.mkdir()
        adapters = made_voices(root, Path(plain.model))
        able = plain.model_copy(update={"voices": root})
        runs: dict[str, tuple[GeneratorSettings, list[Adapter | None]]] = {
            "free": (plain.model_copy(update={"constrained": False}), [None]),
            "grammar": (plain, [None]),
            "voices_unused": (able, [None]),
            "voices_used": (able, [*adapters]),
        }
        figures = compile_ms(queries, Path(plain.model))
        figures |= mask_us(queries, Path(plain.model), load(settings.copybook)[: len(queries)])
        for name, (used, voices) in runs.items():
            measured = asyncio.run(throughput(used, queries, given.seconds, voices))
            console.print(name, measured)
            figures |= {f"{name}_{key}": value for key, value in measured.items()}
    for clients in REQUESTS:
        speed: dict[str, Any] = {name: figures[f"{name}_{clients}_requests_tokens_per_s"] for name in runs}
        figures[f"{clients}_requests_grammar_ratio_to_free"] = round(speed["grammar"] / speed["free"], 3)
        for name in ("voices_unused", "voices_used"):
            figures[f"{clients}_requests_{name}_ratio_to_plain"] = round(speed[name] / speed["grammar"], 3)
    record("decoding", figures, seed=SEED)


if __name__ == "__main__":
    main()
