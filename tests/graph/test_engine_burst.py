"""The real engine alone, under more prompt than one of its steps takes in."""

import asyncio

import pytest

from serve.config import GeneratorSettings
from serve.engine import CPU_BATCHED_TOKENS, Engine
from serve.exchange import DraftQuery


async def test_seeded_prompts_larger_than_one_step_are_all_answered(monkeypatch: pytest.MonkeyPatch):
    for name, value in {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the engine sets it anew; monkeypatch sets it back
    engine = Engine(GeneratorSettings(model="models/generator"))
    try:
        prompts = [f"<|en|>{number} " + "a coat for the walk home " * 60 for number in range(26)]
        queries = [DraftQuery((prompt,), "root ::= [^0-9]+", n=2, max_tokens=4, seed=seed) for seed, prompt in enumerate(prompts)]
        outputs = await asyncio.gather(*(engine.complete(query.prompts[0], query) for query in queries))
    finally:
        engine.shutdown()
    assert sum(len(output.prompt_token_ids) for output in outputs) > 2 * CPU_BATCHED_TOKENS
    assert [len(output.outputs) for output in outputs] == [2] * len(queries)
