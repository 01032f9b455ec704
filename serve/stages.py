"""Each node of the graph as a Ray Serve deployment: it loads, batches and threads. What it computes is in the module it wraps.

`calls.py` turns the handles of these deployments into the pipeline's `Stages`. A node's libraries are imported where it loads, so that a
replica holds only its own in memory. Every node with a model or an index follows its registry where it was given one: a version that is
published or rolled back takes over between two requests, and what a node gives names the version that made it.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import serve

from copywriting.concerns import Shelf
from copywriting.facts import day_in
from copywriting.product import Product
from copywriting.shopper import Shopper
from feedback.records import Behaviour, Profile, Receipt
from serve.config import ClipSettings, GeneratorSettings, GraphSettings, ScorerSettings
from serve.errors import unknown
from serve.exchange import DraftQuery, Drafts, FindQuery, Found, ImageMatch, Scored, Serving

if TYPE_CHECKING:
    from multimodal.clip import ClipModel
    from multimodal.fusion import ImageMatcher
    from retrieval.recommend import Recommender

DEFAULT_LOCALE = "en-US"
LONG_WORK_NICENESS = 10
"""How far nodes whose work takes tens of milliseconds stand back, on cores that they share, behind those who need one or two."""


def stand_back() -> None:
    """Called where a node with long work loads. The kernel counts for each thread; threads and processes that this one starts inherit."""
    os.nice(LONG_WORK_NICENESS)


@serve.deployment(name="Retrieval", max_ongoing_requests=64, max_queued_requests=512, ray_actor_options={"num_cpus": 0.2})
class RetrievalStage:
    """Shopper and products from the verified, memory-mapped index.

    One request is searched for at a time, with one thread: threads of Python that take a millisecond or two make each other wait for five.
    More at once is what replicas are for; all of a node share the index's pages."""

    def __init__(self, settings: GraphSettings) -> None:
        from artifacts.live import Live
        from retrieval.market import MarketCalendar
        from retrieval.recommend import Recommender
        from retrieval.together import Together

        self._live = Live(settings.index, lambda directory: Recommender(settings.shop, directory), Recommender.refresh).follow()
        self._market = MarketCalendar.read(settings.shop)
        self._together = Together(settings.shop)
        self._k = settings.products_per_answer
        self._turn = threading.Lock()

    def find(self, query: FindQuery) -> Found:
        """What to write about, and for whom. Raises Problem (404) for a product that is not in the catalogue."""
        began = time.perf_counter()
        recommender = self._recommender
        with self._turn:
            return self._searched(query, recommender, began)

    def _searched(self, query: FindQuery, recommender: "Recommender", began: float) -> Found:
        from retrieval.catalogue import Filters
        from retrieval.recommend import Ranked

        shopper = self._indexed(query.shopper, recommender) if query.shopper else recommender.shopper(query.shopper_id or "")
        locale = query.locale or shopper.locale or DEFAULT_LOCALE
        if query.product_id is not None:
            if query.product_id not in recommender.catalogue:
                raise unknown("product_id", query.product_id, "name a product of the catalogue, or leave it out to have one recommended")
            ranked = [Ranked(recommender.catalogue.product(query.product_id, locale), 1.0, "named in the request")]
        elif query.query is not None:
            ranked = recommender.for_query(query.query, locale, self._k, Filters(exclude=shopper.bought))
        else:
            ranked = recommender.for_shopper(shopper, locale, self._k)
        passages = recommender.knowledge.answers(query.question, locale) if query.question else ()
        also = self._also(query, [r.product for r in ranked], locale, recommender, shopper)
        recent = (
            recommender.catalogue.product(shopper.recent, locale) if shopper.recent and shopper.recent in recommender.catalogue else None
        )
        new = query.shopper_id is not None and not recommender.knows(query.shopper_id)
        products = tuple((r.product, r.score, r.reason) for r in ranked)
        market = self._market.near(day_in(datetime.now(UTC), locale), locale)
        shelves = self._shelves(shopper, recommender)
        levels = {product.product_id: recommender.catalogue.price_level(product) for product, _, _ in products}
        leanings = self._leanings(shopper, recommender)
        took_ms = round((time.perf_counter() - began) * 1000, 3)
        return Found(
            shopper, locale, products, recent, new, shelves, market, leanings, levels, recommender.card.version, took_ms, also, passages
        )

    def _also(
        self, query: FindQuery, products: Sequence[Product], locale: str, recommender: "Recommender", shopper: Shopper
    ) -> tuple[Product, ...]:
        """The other products of a bundle: the named ones, or the one that goes with the first."""
        if not query.bundle_with or not products:
            return ()
        if query.bundle_with == ("auto",):
            other = self._together.other(products[0], locale, recommender, shopper.bought)
            return (other,) if other else ()
        for product_id in query.bundle_with:
            if product_id not in recommender.catalogue:
                raise unknown("bundle_with", product_id, "name products of the catalogue, or `auto`")
        return tuple(recommender.catalogue.product(product_id, locale) for product_id in query.bundle_with)

    @property
    def _recommender(self) -> "Recommender":
        return self._live.get()

    def known(self, product_ids: Sequence[str]) -> set[str]:
        """Those of the ids that are in the catalogue."""
        return {product_id for product_id in product_ids if product_id in self._recommender.catalogue}

    def _shelves(self, shopper: Shopper, recommender: "Recommender") -> dict[str, Shelf]:
        """Where the products stand that the shopper reviewed."""
        reviewed = {event.product_id for event in shopper.events if event.kind == "review" and event.product_id is not None}
        known = (product_id for product_id in sorted(reviewed) if product_id in recommender.catalogue)
        products = (recommender.catalogue.product(product_id, DEFAULT_LOCALE) for product_id in known)
        return {product.product_id: (product.vertical, product.kind) for product in products}

    def _leanings(self, shopper: Shopper, recommender: "Recommender") -> dict[str, float]:
        """The verticals of what the shopper did lately; nothing of those who don't consent, for they carry no events."""
        from retrieval.leanings import leanings

        catalogue = recommender.catalogue
        known = (
            (event.kind, event.product_id) for event in shopper.events if event.product_id is not None and event.product_id in catalogue
        )
        return leanings((kind, catalogue.vertical_of(product_id)) for kind, product_id in known)

    def _indexed(self, shopper: Shopper, recommender: "Recommender") -> Shopper:
        """A shopper of the database with what the index knows from before their last events. What they sent back since is not theirs."""
        if not shopper.personalise or shopper.shopper_id is None:
            return shopper
        before = recommender.shopper(shopper.shopper_id)
        returned = {event.product_id for event in shopper.events if event.kind == "cancellation"} - shopper.bought
        recent = before.recent if before.recent not in returned else None
        return replace(
            shopper, interests=before.interests, bought=shopper.bought | (before.bought - returned), recent=shopper.recent or recent
        )

    def ready(self) -> Serving:
        """Answers once loaded."""
        return Serving(self._recommender.card.version, self._live.refused)


@serve.deployment(name="State", max_ongoing_requests=64, max_queued_requests=512, ray_actor_options={"num_cpus": 0.1})
class StateStage:
    """Profiles and events of shoppers, in threads: a slow database holds up nobody who can be answered. It is connected to when first
    asked, and again after it was away."""

    def __init__(self, url: str) -> None:
        from feedback.database import Database
        from feedback.state import ShopperState

        self._database = Database(url)
        self._state = ShopperState(self._database)

    async def read(self, shopper_id: str, now: datetime) -> Profile | None:
        """What is known of a shopper; attributes and events only where consent holds at `now`."""
        return await asyncio.to_thread(self._state.read, shopper_id, now)

    async def record(self, batch: Sequence[Behaviour]) -> list[Receipt]:
        """Store events, durably once this returns. One receipt for each, in order."""
        return await asyncio.to_thread(self._state.record, batch)

    async def ready(self) -> Serving:
        """Answers while the database does."""
        await asyncio.to_thread(self._database.ping)
        return Serving()


@serve.deployment(
    name="Generator", max_ongoing_requests=128, max_queued_requests=256, health_check_timeout_s=60, graceful_shutdown_timeout_s=30,
    ray_actor_options={"num_cpus": 0.5},
)  # fmt: skip
class GeneratorStage:
    """The vLLM engine, in a process of its own behind this replica, and its successor while that one starts."""

    async def __init__(self, settings: GeneratorSettings) -> None:  # type: ignore[misc]  # Serve awaits it; the replica is ready after
        from serve.engine import Engine
        from serve.succession import LiveEngine

        def start(model: str) -> Engine:
            return Engine(settings.model_copy(update={"model": model}), ray_metrics=True)

        stand_back()
        self._engine = await LiveEngine.opened(settings.model, start)

    async def draft(self, query: DraftQuery) -> Drafts:
        """n drafts with unfilled slots."""
        return await self._engine.draft(query)

    async def stream(self, query: DraftQuery) -> AsyncGenerator[str | Drafts, None]:
        """The first draft as it grows, then all of them."""
        async with aclosing(self._engine.stream(query)) as events:
            async for event in events:
                yield event

    def given_up(self) -> int:
        """How many prompts this replica aborted because nobody waited for them any more."""
        return self._engine.given_up

    async def check_health(self) -> None:
        """Unhealthy once the core of the engine that serves is gone, so that Serve replaces the replica."""
        await self._engine.check_health()

    async def ready(self) -> Serving:
        """Answers while the engine runs."""
        await self._engine.check_health()
        return self._engine.serving()

    def __del__(self) -> None:
        if engine := self.__dict__.pop("_engine", None):  # Serve calls this, and the interpreter once more
            engine.shutdown()


class ScorerStage:
    """A scorer with dynamic batching: texts of different requests are scored together. Bound once for each entry of SCORERS."""

    def __init__(self, name: str, settings: ScorerSettings) -> None:
        from artifacts.live import Live
        from serve.scorers import opened

        stand_back()
        self._live = Live(Path(settings.model), lambda directory: opened(name, str(directory), settings.threads)).follow()
        self._score.set_max_batch_size(settings.max_batch_size)
        self._score.set_batch_wait_timeout_s(settings.batch_wait_s)

    async def score(self, texts: Sequence[str]) -> Scored[Any]:
        """(n,) texts → n scores, all of one version."""
        return await self._score(list(texts))  # type: ignore[no-any-return]

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.002, batch_size_fn=lambda requests: sum(map(len, requests)))
    async def _score(self, requests: list[list[str]]) -> list[Scored[Any]]:
        flat = [text for texts in requests for text in texts]
        scorer = self._live.get()  # one for the whole batch, whatever is published meanwhile
        scores = iter(await asyncio.to_thread(scorer.score, flat))
        return [Scored([next(scores) for _ in texts], scorer.version) for texts in requests]

    def ready(self) -> Serving:
        """Answers once loaded."""
        return Serving(self._live.get().version, self._live.refused)


@serve.deployment(name="Fusion", max_ongoing_requests=64, max_queued_requests=512, ray_actor_options={"num_cpus": 0.2})
class FusionStage:
    """CLIP: each piece of copy with the picture of its product that suits it best."""

    def __init__(self, settings: ClipSettings, media_root: str) -> None:
        import torch

        from artifacts.live import Live
        from multimodal.clip import ClipModel
        from multimodal.fusion import ImageMatcher

        def opened(directory: Path) -> tuple[ClipModel, ImageMatcher]:
            model = ClipModel(str(directory), "cuda" if torch.cuda.is_available() else "cpu")
            return model, ImageMatcher(model.encode_images, model.calibration)  # which keeps the model's vectors of pictures

        stand_back()
        torch.set_num_threads(settings.threads)
        self._live = Live(Path(settings.model), opened).follow()
        self._root = Path(media_root)

    def match(self, texts: Sequence[str], images: Sequence[str]) -> Scored[ImageMatch]:
        """(n,) texts and the product's picture paths → n matches."""
        model, matcher = self._live.get()
        return Scored(self._matches(texts, images, model, matcher), model.version)

    def _matches(self, texts: Sequence[str], images: Sequence[str], model: "ClipModel", matcher: "ImageMatcher") -> list[ImageMatch]:
        from multimodal.media import MediaError

        if not images:
            return [ImageMatch(None, None)] * len(texts)
        try:
            fusion = matcher.match(model.encode_texts(list(texts)), [self._root / image for image in images])
        except MediaError as error:
            return [ImageMatch(None, None, (self._from_root(str(error)),))] * len(texts)
        problems = tuple(map(self._from_root, fusion.unreadable))
        return [ImageMatch(self._from_root(match.image), match.fit, problems) for match in fusion.fits]

    def _from_root(self, text: str) -> str:
        """Paths as the catalogue has them: callers learn nothing of this machine's folders."""
        return text.replace(f"{self._root}/", "")

    def ready(self) -> Serving:
        """Answers once loaded."""
        return Serving(self._live.get()[0].version, self._live.refused)
