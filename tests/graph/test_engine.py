"""The real engine alone: voices side by side, more prompt than one of its steps takes in, and work that ends when nobody waits for it any
more."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from serve.config import GeneratorSettings
from serve.engine import CPU_BATCHED_TOKENS, Engine
from serve.exchange import Adapter, DraftQuery, Drafts
from serve.voices import Voices
from tests.serve.voicekit import publish_voice

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT = "<|has:name|><|has:price|><|principle:benefit|><|opening:any|><|structure:any|><|tone:warm|><|occasion:everyday|><|intent:none|>"
PROMPT += "<|en|><|channel:product_page|><|vertical:food|><|kind:tea|><|copy|>"
GRAMMAR = 'root ::= line "\\n" line "\\n" line\nline ::= ([^0-9{}\\n] | "{name}" | "{price}")+'
QUERY = DraftQuery((PROMPT,), GRAMMAR, n=1, max_tokens=120, seed=3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three adapters of the shipped generator with random weights, large enough to be heard."""
    from peft import LoraConfig, get_peft_model
    from torch import manual_seed
    from transformers import AutoModelForCausalLM

    directories = {}
    for number, name in enumerate(("loud", "soft", "softer")):
        manual_seed(number)
        config = LoraConfig(r=8, lora_alpha=32, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False)
        directories[name] = tmp_path_factory.mktemp("adapters") / name
        get_peft_model(AutoModelForCausalLM.from_pretrained("models/generator"), config).save_pretrained(directories[name])
    return directories


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("voices")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(root: Path) -> AsyncIterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}.items():
            patch.setenv(name, value)
        patch.setenv("OMP_NUM_THREADS", "1")  # the engine sets it anew; the patch sets it back
        engine = Engine(GeneratorSettings(model="models/generator", voices=root, cache_entries=0, min_p=0.1))
        yield engine
        engine.shutdown()


async def text_of(engine: Engine, adapter: Adapter | None) -> str:
    query = DraftQuery(QUERY.prompts, QUERY.grammar, QUERY.n, QUERY.max_tokens, QUERY.seed, adapter=adapter)
    return (await engine.complete(PROMPT, query)).outputs[0].text


async def test_a_cpu_engine_computes_in_its_own_process(engine):
    assert await text_of(engine, None)
    spawned = [each for each in psutil.Process().children(recursive=True) if "libtorch_cpu" in str(each.memory_maps())]
    assert len(spawned) == 1


async def test_seeded_prompts_larger_than_one_step_are_all_answered(engine):
    prompts = [f"<|en|>{number} " + "a coat for the walk home " * 60 for number in range(26)]
    queries = [DraftQuery((prompt,), "root ::= [^0-9]+", n=2, max_tokens=4, seed=seed) for seed, prompt in enumerate(prompts)]
    outputs = await asyncio.gather(*(engine.complete(query.prompts[0], query) for query in queries))
    assert sum(len(output.prompt_token_ids) for output in outputs) > 2 * CPU_BATCHED_TOKENS
    assert [len(output.outputs) for output in outputs] == [2] * len(queries)


async def test_voices_write_side_by_side_and_each_in_its_own_way(engine, root, weights):
    for name in ("loud", "soft"):
        publish_voice(root, name, weights=weights[name])
    voices = Voices(root)
    adapters = [None, voices.get("loud").adapter, voices.get("soft").adapter]
    together = await asyncio.gather(*(text_of(engine, adapter) for adapter in adapters * 2))
    assert len(set(together)) == 3
    assert together[:3] == together[3:]
    assert [await text_of(engine, adapter) for adapter in adapters] == together[:3]


async def test_a_new_version_is_loaded_and_the_old_one_unloaded_while_others_serve(engine, root, weights):
    publish_voice(root, "soft", weights=weights["soft"])
    voices = Voices(root)
    before = await text_of(engine, voices.get("soft").adapter)
    loaded = await engine._llm.list_loras()
    publish_voice(root, "soft", weights=weights["softer"])
    after = await text_of(engine, voices.get("soft").adapter)
    assert after != before
    now = await engine._llm.list_loras()
    assert len(now) == len(loaded)
    assert now != loaded


async def test_a_voice_that_can_not_be_loaded_costs_its_request_and_not_the_engine(engine, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "adapter_config.json").write_text("{}")
    for path in (tmp_path / "broken", tmp_path / "absent"):
        with pytest.raises(Exception, match=r"(?s).+"):
            await text_of(engine, Adapter("broken", "1", str(path)))
    await engine.check_health()
    assert await text_of(engine, None)


async def test_a_stream_grows_by_whole_sentences_to_the_draft_that_is_given_without_one(engine):
    events = [event async for event in engine.stream(QUERY)]
    *grown, drafts = events
    assert drafts == await engine.draft(QUERY)
    assert isinstance(drafts, Drafts)
    assert len(grown) >= 2
    assert all(later.startswith(earlier) for earlier, later in pairwise(grown))
    assert drafts.texts[0].startswith(grown[-1])


async def test_closing_a_stream_frees_the_engine(engine):
    endless = DraftQuery((PROMPT, PROMPT), 'root ::= ([^0-9.!?{}] | "{name}" | [.] [ ])+', n=2, max_tokens=400, seed=1)

    async def unfinished() -> int:
        return len(engine._llm.output_processor.request_states)

    stream = engine.stream(endless)
    await anext(stream)
    assert await unfinished() > 0
    assert engine.given_up == 0
    await stream.aclose()
    began = time.monotonic()
    while await unfinished() and time.monotonic() - began < 5:
        await asyncio.sleep(0.01)
    assert await unfinished() == 0
    assert time.monotonic() - began < 1
    assert engine.given_up == 2
