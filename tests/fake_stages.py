"""Stages of the pipeline that answer, fail or dawdle as a test tells them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from copywriting.dialogue import Passage
from copywriting.product import Product
from copywriting.shopper import Shopper, anonymous
from feedback.records import Profile
from serve.errors import StageUnavailable
from serve.exchange import DraftQuery, Drafts, FindQuery, Found, ImageMatch, PersuasionScore, ResponseScore, Scored, SentimentScore
from serve.impressions import Impression
from serve.pipeline import Stages


class FakeStages:
    """The stages with answers that a test sets; the database knows nobody unless told otherwise, and no response model serves without
    `chance`, which says of an impression how likely a click is (0.1 usually).

    `delays` (seconds) and `failures` (reasons) are keyed by stage; calls are kept."""

    def __init__(
        self,
        product: Product,
        drafts: Sequence[str] = (),
        *,
        shopper: Shopper | None = None,
        recent: Product | None = None,
        new_shopper: bool = False,
        profile: Profile | None = None,
        persuasive: Mapping[str, float] | None = None,
        delays: Mapping[str, float] | None = None,
        failures: Mapping[str, str] | None = None,
        matches: Sequence[ImageMatch] | None = None,
        also: Sequence[Product] = (),
        passages: Sequence[Passage] = (),
        chance: Callable[[Impression], float] | None = None,
    ) -> None:
        self.found = Found(
            shopper or anonymous(),
            product.locale,
            ((product, 1.0, "named in the request"),),
            recent,
            new_shopper,
            also=tuple(also),
            passages=tuple(passages),
        )
        self.profile = profile
        self.drafts = Drafts(tuple(drafts), prompt_tokens=40, output_tokens=20 * len(drafts))
        self.persuasive = persuasive or {}
        self.delays, self.failures, self.matches, self.chance = delays or {}, failures or {}, matches, chance
        self.calls: dict[str, list[Any]] = {}
        self.cancelled: set[str] = set()
        self.versions: Mapping[str, str] = {}

    def stages(self) -> Stages:
        """The pipeline's view."""
        response = self.response if self.chance else None
        return Stages(self.shopper, self.find, self.draft, self.stream, self.persuasion, self.sentiment, self.images, response)

    async def shopper(self, shopper_id: str, now: datetime) -> Profile | None:
        await self._arrive("state", (shopper_id, now))
        return self.profile

    async def find(self, query: FindQuery) -> Found:
        await self._arrive("retrieval", query)
        return self.found

    async def draft(self, query: DraftQuery) -> Drafts:
        await self._arrive("generator", query)
        return self.drafts

    async def stream(self, query: DraftQuery) -> AsyncGenerator[str | Drafts, None]:
        """The first draft letter by letter, `delays["letter"]` seconds apart."""
        await self._arrive("generator", query)
        for end in range(1, len(self.drafts.texts[0]) + 1) if self.drafts.texts else ():
            try:
                await asyncio.sleep(self.delays.get("letter", 0))
            except asyncio.CancelledError:
                self.cancelled.add("generator")
                raise
            yield self.drafts.texts[0][:end]
        yield self.drafts

    async def persuasion(self, texts: Sequence[str]) -> Scored[PersuasionScore]:
        await self._arrive("persuasion", texts)
        scores = [PersuasionScore(self._persuasive(text), {"benefit": 0.9, "value": 0.1}) for text in texts]
        return Scored(scores, self._version("persuasion"))

    async def sentiment(self, texts: Sequence[str]) -> Scored[SentimentScore]:
        await self._arrive("sentiment", texts)
        return Scored([SentimentScore(0.1, 0.2, 0.7) for _ in texts], self._version("sentiment"))

    async def images(self, texts: Sequence[str], images: Sequence[str]) -> Scored[ImageMatch]:
        await self._arrive("fusion", (texts, images))
        matches = self.matches or [ImageMatch(images[0] if images else None, 0.6 if images else None) for _ in texts]
        return Scored(matches, self._version("fusion"))

    async def response(self, rows: Sequence[Impression]) -> Scored[ResponseScore]:
        await self._arrive("response", rows)
        assert self.chance
        return Scored([ResponseScore("click", self.chance(row), 0.1) for row in rows], self._version("response"))

    def _version(self, stage: str) -> str:
        return self.versions.get(stage, "")

    def _persuasive(self, text: str) -> float:
        return next((score for words, score in self.persuasive.items() if words in text), 0.5)

    async def _arrive(self, stage: str, what: Any) -> None:
        self.calls.setdefault(stage, []).append(what)
        try:
            await asyncio.sleep(self.delays.get(stage, 0))
        except asyncio.CancelledError:
            self.cancelled.add(stage)
            raise
        if stage in self.failures:
            raise StageUnavailable(stage, self.failures[stage])
