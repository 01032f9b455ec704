"""The generator: vLLM's AsyncLLM with our sampling parameters, a grammar per request, and a cache of unfilled drafts.

Drafts are cached before slots are filled, so a cached draft never holds an old price. A request with a seed is cached under it;
without one, the first drafts of a brief serve every later request for it until they expire, or until a request that none of them
did for asks for others.
"""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Hashable
from itertools import count
from math import isfinite
from pathlib import Path
from typing import Any
from uuid import uuid4

from artifacts.card import ArtifactError
from artifacts.source import verified_model, version_of
from copywriting.prompt import COPY_TAG
from copywriting.sentences import finished
from serve.config import GeneratorSettings
from serve.exchange import Adapter, DraftQuery, Drafts, Prompt

SEED_SPACING = 16
"""vLLM samples candidate i of a request with seed s from s + i: seeds are spread so that neighbours share no candidate."""

CPU_BATCHED_TOKENS = 4096
"""Tokens that one step of a CPU engine takes in at most: whole prompts only."""


class DraftCache:
    """Least recently used, with an age limit. Times are in seconds of a monotonic clock."""

    def __init__(self, entries: int, ttl_s: float) -> None:
        self._entries, self._ttl_s = entries, ttl_s
        self._kept: OrderedDict[Hashable, tuple[float, tuple[str, ...]]] = OrderedDict()

    def get(self, key: Hashable) -> tuple[str, ...] | None:
        """Drafts of a brief, or None where there are none or they are too old."""
        if key not in self._kept:
            return None
        at, texts = self._kept[key]
        if time.monotonic() - at > self._ttl_s:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return texts

    def put(self, key: Hashable, texts: tuple[str, ...]) -> None:
        """Keep drafts; the least recently used go when there is no room."""
        self._kept[key] = (time.monotonic(), texts)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)


class Adapters:
    """LoRA adapters of one engine: each path has a number of its own, and a version whose successor is used is unloaded."""

    def __init__(self, llm: Any) -> None:
        self._llm = llm
        self._used: dict[str, tuple[Adapter, int]] = {}
        self._numbers = count(1)
        self._loading = asyncio.Lock()

    async def request(self, adapter: Adapter) -> Any:
        """vLLM's LoRARequest for an adapter that is loaded. Raises ArtifactError for one whose directory is gone, and vLLM's own error for
        one that can't be loaded: found out here, it costs this request; in the middle of a step it would cost the engine."""
        from vllm.lora.request import LoRARequest

        if not Path(adapter.path).is_dir():
            raise ArtifactError(f"voice {adapter.name}: {adapter.path} is gone; publish it again")
        async with self._loading:  # many requests at once may be the first
            held = adapter.path in self._used
            number = self._used[adapter.path][1] if held else next(self._numbers)
            request = LoRARequest(f"{adapter.name}@{adapter.version}", number, adapter.path)
            if not held:
                await self._llm.add_lora(request)
                self._used[adapter.path] = adapter, number
                await self._unload_what_went(adapter)
        return request

    async def _unload_what_went(self, new: Adapter) -> None:
        """Older versions of this voice, and voices whose directory is gone."""
        for path, (adapter, number) in list(self._used.items()):
            if path != new.path and (adapter.name == new.name or not Path(path).is_dir()):
                del self._used[path]
                await self._llm.remove_lora(number)


class Engine:
    """One vLLM engine of one version. May be made in any thread (it takes seconds to start); everything else runs in one event loop."""

    def __init__(self, settings: GeneratorSettings, *, ray_metrics: bool = False) -> None:
        from transformers import AutoTokenizer

        self._settings = settings
        self._cache = DraftCache(settings.cache_entries, settings.cache_ttl_s)
        self.version = version_of(settings.model)
        model = verified_model(settings.model, "generator")
        self._tokenizer = AutoTokenizer.from_pretrained(model)
        if settings.prompt_style == "compact" and COPY_TAG not in self._tokenizer.get_vocab():
            raise ValueError(
                f"generator model: {settings.model!r} does not know the tag {COPY_TAG}; "
                "name a model trained with `python -m train.generator`, or set prompt_style: chat"
            )
        threads = settings.threads or max(len(os.sched_getaffinity(0)) - 1, 1)
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read by the engine's process, which starts below
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        self._llm = AsyncLLM.from_engine_args(
            AsyncEngineArgs(**_engine_arguments(model, settings)), stat_loggers=_stat_loggers(ray_metrics)
        )
        self._adapters = Adapters(self._llm)
        self.given_up = 0
        """Prompts whose caller did not wait for their drafts: aborted in the engine."""

    async def warm_up(self) -> None:
        """One short draft under a grammar. The first costs seconds that no shopper should wait: the decoder of grammars loads with it.
        Raises whatever vLLM raises, and ValueError where the model writes nothing, or with chances that are no numbers."""
        text = "."
        prompt = text if self._settings.prompt_style == "compact" else [{"role": "user", "content": text}]
        query = DraftQuery((prompt,), 'root ::= [^0-9]+ | "{name}"', n=2, max_tokens=4, seed=0)
        output = await self.complete(self.prompt_text(prompt), query)
        if output is None or not any(each.token_ids and isfinite(each.cumulative_logprob or 0.0) for each in output.outputs):
            raise ValueError(f"generator model: {self._settings.model!r} can't write; its weights are damaged: train it again")

    async def draft(self, query: DraftQuery) -> Drafts:
        """n texts for each prompt, prompts in turn: the first of each, then the second. Raises vLLM's own errors: QueueOverflowError when
        too much waits, EngineDeadError when it is gone."""
        return await self._dealt(query)

    async def stream(self, query: DraftQuery) -> AsyncGenerator[str | Drafts, None]:
        """The first draft of the first prompt as it grows, a sentence at a time, then what `draft` returns. A cached draft does not grow.
        Closing the generator aborts all of the query's work in the engine."""
        grown: asyncio.Queue[str | None] = asyncio.Queue()
        task = asyncio.create_task(self._dealt(query, grown.put_nowait))
        task.add_done_callback(lambda _: grown.put_nowait(None))
        try:
            while (text := await grown.get()) is not None:
                yield text
            yield await task
        finally:
            task.cancel()

    async def _dealt(self, query: DraftQuery, tell: Callable[[str], None] | None = None) -> Drafts:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._drafts(prompt, number, query, tell if number == 0 else None))
                    for number, prompt in enumerate(query.prompts)
                ]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return Drafts.dealt([task.result() for task in tasks])

    async def _drafts(self, prompt: Prompt, number: int, query: DraftQuery, tell: Callable[[str], None] | None) -> Drafts:
        voice = query.adapter.path if query.adapter else None
        key = (repr(prompt), voice, query.grammar, query.n, query.max_tokens, query.seed, number if query.seed is not None else None)
        if not query.renew and (texts := self._cache.get(key)) is not None:
            return Drafts(texts, cached=True)
        output = await self.complete(self.prompt_text(prompt), query, offset=number * (query.n + query.more), tell=tell)
        drafts = Drafts(
            texts=tuple(candidate.text for candidate in output.outputs if self._is_whole(candidate)),
            prompt_tokens=len(output.prompt_token_ids),
            output_tokens=sum(len(candidate.token_ids) for candidate in output.outputs),
        )
        self._cache.put(key, drafts.texts)  # none, too: whether any of a query's drafts does is the pipeline's to say, which then renews
        return drafts

    def _is_whole(self, candidate: Any) -> bool:
        """Did it come to its own end, and was the model sure enough of it? A small model's low likelihood is a garbled sentence."""
        return candidate.finish_reason == "stop" and self._is_sure(candidate)

    def _is_sure(self, candidate: Any) -> bool:
        bound = self._settings.min_mean_logprob
        return bound is None or candidate.cumulative_logprob >= bound * len(candidate.token_ids)

    def prompt_text(self, prompt: Prompt) -> str:
        """The prompt as text; chat messages go through the model's own template."""
        if isinstance(prompt, str):
            return prompt
        return str(self._tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True))

    async def complete(self, prompt: str, query: DraftQuery, offset: int = 0, tell: Callable[[str], None] | None = None) -> Any:
        """vLLM's RequestOutput for a prompt. Cancelling the caller aborts the request in the engine. `offset` keeps the seeds of prompts
        of one request apart; `tell` is called with the first candidate's text whenever it has another sentence."""
        from vllm.renderers.inputs.preprocess import parse_model_prompt

        (rendered,) = await self._llm.renderer.render_cmpl_async([parse_model_prompt(self._llm.model_config, prompt)])
        sampling = self._sampling(query, offset, growing=tell is not None)
        adapter = await self._adapters.request(query.adapter) if query.adapter else None
        latest: dict[int, Any] = {}
        output, told = None, ""
        try:
            async for output in self._llm.generate(rendered, sampling, request_id=uuid4().hex, lora_request=adapter):
                latest |= {candidate.index: candidate for candidate in output.outputs}
                if tell is not None and 0 in latest and len(text := finished(latest[0].text)) > len(told) and self._is_sure(latest[0]):
                    told = text
                    tell(told)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if output is not None:
            output.outputs = [latest[index] for index in sorted(latest)]
        return output

    def _sampling(self, query: DraftQuery, offset: int, *, growing: bool) -> Any:
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

        settings = self._settings
        return SamplingParams(
            n=query.n + query.more,
            seed=query.seed * SEED_SPACING + offset if query.seed is not None else None,
            temperature=settings.temperature,
            top_p=settings.top_p,
            min_p=settings.min_p,
            logprobs=0 if settings.min_mean_logprob is not None else None,
            repetition_penalty=settings.repetition_penalty,
            max_tokens=query.max_tokens,
            output_kind=RequestOutputKind.CUMULATIVE if growing else RequestOutputKind.FINAL_ONLY,
            structured_outputs=StructuredOutputsParams(grammar=query.grammar) if settings.constrained else None,
        )

    async def check_health(self) -> None:
        """Raises EngineDeadError when the engine core is gone."""
        await self._llm.check_health()

    def shutdown(self) -> None:
        """Stop the engine's processes."""
        self._llm.shutdown(timeout=5)
        del self._adapters, self._llm  # its finaliser would fail at the end of the interpreter, when what it imports is gone


def _engine_arguments(model: str, settings: GeneratorSettings) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": model,
        "dtype": _dtype(settings.dtype),
        "max_model_len": settings.max_model_len,
        "max_num_seqs": settings.max_num_seqs,
        "max_num_queued_reqs": settings.max_queued,
        "enforce_eager": settings.enforce_eager,
        "block_size": 32,
        "seed": 0,
    }
    if settings.kv_cache_mib is not None:
        arguments["kv_cache_memory_bytes"] = settings.kv_cache_mib << 20
    if settings.voices is not None:
        arguments |= {"enable_lora": True, "max_loras": settings.voices_at_once, "max_lora_rank": settings.voice_rank}
    if _on_cpu():  # a seeded request whose prefill is split over two steps kills vLLM's CPU worker: a CPU generator can't be rewound
        arguments |= {"enable_chunked_prefill": False, "max_num_batched_tokens": max(CPU_BATCHED_TOKENS, settings.max_model_len)}
        if os.environ.get("VLLM_CPU_OMP_THREADS_BIND") == "nobind":  # else vLLM starts one more process, to bind the threads of
            from vllm.v1.executor.uniproc_executor import UniProcExecutor

            arguments["distributed_executor_backend"] = UniProcExecutor
    return arguments


def _on_cpu() -> bool:
    from vllm.platforms import current_platform

    return bool(current_platform.is_cpu())


def _dtype(wanted: str) -> str:
    """`auto` on a CPU is bf16 where the processor has instructions for it, else float32; on a GPU vLLM chooses."""
    import torch

    if wanted != "auto" or not _on_cpu():
        return wanted
    has = torch.cpu.get_capabilities()
    return "bfloat16" if has.get("avx512_bf16") or has.get("amx_bf16") else "float32"


def _stat_loggers(ray_metrics: bool) -> list[Any] | None:
    if not ray_metrics:
        return None
    from vllm.v1.metrics.ray_wrappers import RayPrometheusStatLogger

    return [RayPrometheusStatLogger]
