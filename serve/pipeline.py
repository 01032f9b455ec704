"""One request, from shopper to answer, in order. Read this file to follow it.

Stages are plain async callables given by `serve/app.py`; nothing here knows Ray, torch or vLLM. A stage that is slow or gone raises
`StageUnavailable` and costs quality, not the answer: template copy for the generator, no score for a scorer, no image for fusion,
each named in `degraded`; while the shopper state does not answer, whether a shopper consents is unknown, so they count as anybody. Only
retrieval is indispensable.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from copywriting.brief import Brief
from copywriting.concerns import answers_in
from copywriting.prompt import PromptStyle
from copywriting.shopper import Shopper, anonymous
from feedback.records import Profile
from serve.answer import build_answer
from serve.assignment import Assignment
from serve.briefing import briefed, question_of
from serve.errors import StageUnavailable, invalid, unavailable
from serve.exchange import Adapter, DraftQuery, Drafts, FindQuery, Found, ImageMatch, PersuasionScore, ResponseScore, Scored, SentimentScore
from serve.impressions import Impression, impressions
from serve.messages import CopyAnswer, CopyRequest
from serve.ranking import Judgement, judge, mood_fit, order
from serve.screen import Screen, Shown
from serve.shoppers import described, remembered
from serve.templates import Templates
from serve.trace import Candidate, Trace
from serve.voices import Voices

Value = TypeVar("Value")
Judged = TypeVar("Judged", PersuasionScore, SentimentScore, ImageMatch, ResponseScore)

SCORING_RESERVE_S = 0.25
"""What generation leaves of a deadline to checking, scoring and pairing."""
SHOPPER_SHARE, SHOPPER_MOST_S = 0.25, 1.0
"""How long the shopper state is waited for: this share of a deadline, and no longer than that."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The graph as the pipeline sees it. Each call raises StageUnavailable when its node does not answer."""

    shopper: Callable[[str, datetime], Awaitable[Profile | None]]
    """(shopper_id, now) → what the database knows; None for a shopper that it doesn't know."""
    find: Callable[[FindQuery], Awaitable[Found]]
    draft: Callable[[DraftQuery], Awaitable[Drafts]]
    stream: Callable[[DraftQuery], AsyncGenerator[str | Drafts, None]]
    """What `draft` returns comes last; before it, the first draft as it grows."""
    persuasion: Callable[[Sequence[str]], Awaitable[Scored[PersuasionScore]]]
    sentiment: Callable[[Sequence[str]], Awaitable[Scored[SentimentScore]]]
    images: Callable[[Sequence[str], Sequence[str]], Awaitable[Scored[ImageMatch]]]
    response: Callable[[Sequence[Impression]], Awaitable[Scored[ResponseScore]]] | None = None
    """None where no response model serves."""


class Pipeline:
    """Steps 1 to 9 of the design. One instance serves many requests at once and keeps nothing between them. `versions` are those of
    artefacts that can't change while the graph serves; each node tells its own with what it gives."""

    def __init__(
        self,
        stages: Stages,
        templates: Templates,
        *,
        prompt_style: PromptStyle,
        spare_drafts: int,
        versions: Mapping[str, str],
        voices: Voices | None = None,
    ) -> None:
        self._stages, self._templates, self._voices = stages, templates, voices or Voices(None)
        self._prompt_style, self._spare_drafts, self._versions = prompt_style, spare_drafts, dict(versions)

    async def stream(self, request: CopyRequest, request_id: str, now: datetime | None = None) -> AsyncGenerator[Shown | CopyAnswer, None]:
        """Answer one request while it is being written: text once it is checked, then the answer, whose chosen text is what was shown.
        Closing the generator ends the work. Raises Problem as `answer` does."""
        events: asyncio.Queue[Shown | None] = asyncio.Queue()
        screen = Screen(events.put_nowait)
        task = asyncio.create_task(self.answer(request, request_id, now, screen))
        task.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            yield await task
        finally:
            task.cancel()

    async def answer(self, request: CopyRequest, request_id: str, now: datetime | None = None, screen: Screen | None = None) -> CopyAnswer:
        """Answer one request. Raises Problem for input that can't be answered. A `screen` is shown the first draft as it grows."""
        now = now or datetime.now(UTC)
        trace = Trace(deadline=time.monotonic() + request.deadline_ms / 1000)
        voice = await asyncio.to_thread(self._voices.get, request.brand_voice) if request.brand_voice else None
        if voice and voice.fault:
            trace.degraded.append(voice.fault)
        event_id = uuid4().hex
        with trace.timed("total"):
            shopper = await self._shopper(request, now, trace)
            found = await self._find(request, shopper, trace)
            found, brief, facts = briefed(request, found, now, voice.guide if voice else None)
            seed = request.seed if request.seed is not None else int(event_id[:8], 16) % 2**31
            assignment = Assignment(request, brief, facts, seed, self._templates, trace)
            candidates = await self._candidates(assignment, voice.adapter if voice else None, screen)
            judgements = await self._judge(candidates, found, brief, now, trace)
            ranking = order([c.copy.text for c in candidates], [j.utility for j in judgements], request.n)
            ranking.sort(key=lambda i: candidates[i].origin == "template")  # what fills a place comes after what was written for it
        versions = self._versions | trace.versions | ({f"voice:{voice.guide.name}": voice.version} if voice else {})
        if screen is not None:
            screen.show(candidates[ranking[0]].copy.text)
        return build_answer(request, request_id, event_id, found, brief, [(candidates[i], judgements[i]) for i in ranking], trace, versions)

    async def _shopper(self, request: CopyRequest, now: datetime, trace: Trace) -> Shopper | None:
        """1: who is asking. None for a shopper whom the database does not know: the shop's own table may."""
        if request.shopper is not None:
            return described(request.shopper)
        if request.shopper_id is None:
            return anonymous()
        reserve_s = trace.remaining_s() - min(trace.remaining_s() * SHOPPER_SHARE, SHOPPER_MOST_S)
        with trace.timed("shopper"):
            try:
                profile = await self._within(trace, "state", self._stages.shopper(request.shopper_id, now), reserve_s)
            except StageUnavailable as error:
                trace.degraded.append(f"{error.stage}: {error.reason}")
                return anonymous()  # not even the shop's own table is asked: consent may have been withdrawn since it was written
        return remembered(profile, now) if profile is not None else None

    async def _find(self, request: CopyRequest, shopper: Shopper | None, trace: Trace) -> Found:
        """2: what to write about, and who is asking where only the shop's own table can tell."""
        looked_up = request.shopper_id if shopper is None else None
        question = question_of(request)
        query = FindQuery(shopper, looked_up, request.product_id, request.query, request.locale, request.partners, question)
        with trace.timed("retrieval"):
            try:
                found = await self._within(trace, "retrieval", self._stages.find(query))
                trace.timings_ms["retrieval_search"] = found.search_ms  # within the stage, without the call to it
            except StageUnavailable as error:
                raise unavailable(error.stage, error.reason) from error
        if not found.products:
            raise invalid(
                "query" if request.query else "shopper_id",
                request.query or request.shopper_id,
                "no product in stock fits",
                "name a product_id or another query",
            )
        return found

    async def _candidates(self, assignment: Assignment, adapter: Adapter | None, screen: Screen | None) -> list[Candidate]:
        """4 and 5: drafts from the model, filled and proved; the copybook's in the places that they leave empty."""
        trace = assignment.trace
        candidates = await self._drafted(assignment, adapter, screen)
        with trace.timed("check"):
            if len(candidates) < assignment.request.n:
                candidates += assignment.templated(candidates)
        if not candidates:
            raise assignment.no_copy()
        if screen is not None:
            screen.show(candidates[0].copy.text)  # whole, while it is being scored
        return candidates

    async def _drafted(self, assignment: Assignment, adapter: Adapter | None, screen: Screen | None) -> list[Candidate]:
        """Drafts that pass the check. Where none does, others are asked for once."""
        trace = assignment.trace
        for query in assignment.queries(self._prompt_style, self._spare_drafts, adapter):
            call = self._stages.draft(query) if screen is None else self._grown(query, assignment, screen)
            with trace.timed("generation"):
                drafted = await self._or_degrade(trace, "generator", call, reserve_s=SCORING_RESERVE_S)
            if drafted is None:
                return []
            trace.drafts = trace.drafts.and_then(drafted)
            trace.served("generator", drafted.version)
            for fault in drafted.faults:
                trace.did_without(fault)
            with trace.timed("check"):
                candidates = assignment.checked(drafted.texts)
            if candidates:
                return candidates
        trace.degraded.append("generator: no draft passed the check")
        return []

    async def _grown(self, query: DraftQuery, assignment: Assignment, screen: Screen) -> Drafts:
        """Drafts, of which the first is shown while it grows, as far as it may be read."""
        async with aclosing(self._stages.stream(query)) as events:
            async for event in events:
                if isinstance(event, Drafts):
                    return event
                if (text := assignment.readable(event)) is not None:
                    assignment.trace.reached("first_text")
                    screen.show(text)
        raise StageUnavailable("generator", "ended without drafts")

    async def _judge(self, candidates: Sequence[Candidate], found: Found, brief: Brief, now: datetime, trace: Trace) -> list[Judgement]:
        """6, 7 and 8: scores and images in parallel, what they foretell of the shopper's response, then one utility for each candidate."""
        texts, product = [candidate.copy.text for candidate in candidates], found.products[0][0]
        with trace.timed("scoring"):
            scored = await asyncio.gather(
                self._for_each(texts, trace, "persuasion", "persuasion", self._stages.persuasion(texts)),
                self._for_each(texts, trace, "sentiment", "sentiment", self._stages.sentiment(texts)),
                self._for_each(texts, trace, "fusion", "clip", self._stages.images(texts, product.images)),
            )
        none = [None] * len(texts)
        persuasion, sentiment, images = (scored[0] or none, scored[1] or none, scored[2] or none)
        for problem in dict.fromkeys(problem for match in images if match for problem in match.problems):
            trace.degraded.append(f"fusion: {problem}")
        moods = [mood_fit(score, brief.tone, brief.intent) if score else None for score in sentiment]
        rows = impressions(found, brief, now, candidates, persuasion, moods, images)
        responses: Sequence[ResponseScore | None] | None = None
        if self._stages.response is not None:
            with trace.timed("response"):
                responses = await self._for_each(texts, trace, "response", "response", self._stages.response(rows))
        return [
            judge(p, s, i, brief.tone, brief.intent, answers_in(candidate.copy, brief), r, row)
            for candidate, p, s, i, r, row in zip(candidates, persuasion, sentiment, images, responses or none, rows, strict=True)
        ]

    async def _for_each(
        self, texts: Sequence[str], trace: Trace, stage: str, kind: str, call: Awaitable[Scored[Judged]]
    ) -> Sequence[Judged] | None:
        """One value for each text, or none at all: which score belongs to which text would be a guess."""
        scored = await self._or_degrade(trace, stage, call)
        if scored is None:
            return None
        values = scored.values
        if len(values) != len(texts) or not all(value.is_sound() for value in values):
            trace.degraded.append(f"{stage}: {len(values)} answers for {len(texts)} texts, or values outside [0, 1]")
            return None
        trace.served(kind, scored.version)
        return values

    async def _or_degrade(self, trace: Trace, stage: str, call: Awaitable[Value], reserve_s: float = 0.0) -> Value | None:
        try:
            return await self._within(trace, stage, call, reserve_s)
        except StageUnavailable as error:
            trace.degraded.append(f"{error.stage}: {error.reason}")
            return None

    async def _within(self, trace: Trace, stage: str, call: Awaitable[Value], reserve_s: float = 0.0) -> Value:
        """Wait for a stage until the deadline; its task is cancelled then, which cancels the work behind it."""
        try:
            return await asyncio.wait_for(_as_coroutine(call), max(trace.remaining_s() - reserve_s, 0.001))
        except TimeoutError as error:
            raise StageUnavailable(stage, "no answer within the deadline") from error


async def _as_coroutine(call: Awaitable[Value]) -> Value:
    return await call
