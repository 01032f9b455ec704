"""Step 3 of a request: from what was found to what a writer may know and a checker must prove. Which product, whose law, which facts.

Pure: nothing here waits for a stage.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from copywriting.brief import Brief, Turn, case_of, make_brief
from copywriting.channels import CHANNELS, Language
from copywriting.concerns import concerns_of
from copywriting.dialogue import Reply, question_in, reply_to
from copywriting.facts import Fact, bundled, day_in, facts_of, grounds_of
from copywriting.law import Case, Law, Verdict, audience_of, jurisdictions_of, law_of
from copywriting.market import Market, market_on, notes_of, unnamable
from copywriting.plain import MAX_PLAIN, plain_text
from copywriting.principles import APPEALS, PRINCIPLES
from copywriting.product import Product
from copywriting.reading import HAN
from copywriting.rulebook import HOUSE
from copywriting.voices import Guide
from retrieval.names import short_name
from serve.errors import Problem, invalid
from serve.exchange import Found
from serve.messages import CopyRequest


def briefed(request: CopyRequest, found: Found, now: datetime, guide: Guide | None = None) -> tuple[Found, Brief, dict[str, Fact]]:
    """The product, its brief and its facts. The product is the first that the law allows copy for and that has a name which copy can say;
    those before it are left out. Raises Problem where there is none."""
    wanted = () if request.jurisdiction == "auto" else (request.jurisdiction,)
    law = law_of(jurisdictions_of(found.locale, wanted))
    barred: Problem | None = None
    for place, (product, _, _) in enumerate(found.products):
        market = market_on(found.market, day_in(now, found.locale), found.locale, product)
        occasion = market.occasion if request.occasion == "auto" else request.occasion
        reply = _reply(request, found, product)
        case = _case(request, found, product, reply)
        if (verdict := law.barred(case)) is not None:
            barred = barred or _barred(product, verdict)
            continue
        also = bundled(product, [each for each in found.also if law.barred(_case(request, found, each, None)) is None])
        facts = facts_of(
            product, locale=found.locale, now=now, occasion=occasion, shopper=found.shopper, recent=found.recent, also=also,
            law=law, case=case, strict=request.strict,
        )  # fmt: skip
        if reply is not None and reply.answer is not None:
            facts["answer"] = reply.answer
        if "name" in facts:
            facts |= _names_in_room(facts, request, case.language, several=len(also) > 1)
            brief = _informed(_brief_of(request, found, product, facts, occasion, law, case, guide), found, product, market, facts, now)
            return replace(found, products=found.products[place:], also=also), replace(brief, together=1 + len(also)), facts
    raise barred or _nameless(found)


def question_of(request: CopyRequest) -> str | None:
    """What a shopper in a chat said last, for retrieval to look up; None in other channels."""
    return question_in(_turns(request)) if request.channel == "chat_reply" else None


def _reply(request: CopyRequest, found: Found, product: Product) -> Reply | None:
    return reply_to(_turns(request), product, found.passages, found.locale) if request.channel == "chat_reply" else None


def _case(request: CopyRequest, found: Found, product: Product, reply: Reply | None) -> Case:
    """What the law looks at. How old somebody is counts whether or not they consent to being served by it: it only takes away."""
    audience = audience_of(found.shopper.attributes.get("age_band"))
    intent = reply.intent if reply else None
    return case_of(product, locale=found.locale, channel=request.channel, intent=intent, audience=audience)


def _turns(request: CopyRequest) -> tuple[Turn, ...]:
    return tuple(Turn(turn.role, turn.text) for turn in request.conversation)


def _principles(request: CopyRequest) -> tuple[str, ...]:
    """What was asked for by name and by appeal; empty for whatever the facts prove."""
    named = PRINCIPLES if request.principles == "auto" else tuple(request.principles)
    own = PRINCIPLES if request.appeal == "auto" else APPEALS[request.appeal]
    wanted = tuple(each for each in named if each in own)
    return () if wanted == PRINCIPLES else wanted


def _names_in_room(facts: Mapping[str, Fact], request: CopyRequest, language: Language, *, several: bool) -> dict[str, Fact]:
    """Names of products that are too long for the channel, in fewer of their own words. A Chinese name is not taken apart, nor a list of
    several."""
    room = CHANNELS[request.channel].room_for_a_name(language, request.max_chars)
    shortened = {}
    for slot in ("name", "recent") if several else ("name", "recent", "also"):
        if (fact := facts.get(slot)) and len(fact.text) > room and not re.search(f"[{HAN}]", fact.text):
            brand = facts["brand"].text if slot == "name" and "brand" in facts else None
            text = short_name(fact.text, brand, room)
            if plain_text(text):
                shortened[slot] = replace(fact, text=text, derivation=f"shortened from {fact.text!r}")
    return shortened


def _barred(product: Product, verdict: Verdict) -> Problem:
    return invalid("product_id", product.product_id, f"the law forbids copy for it: {verdict}", verdict.remedy)


def _brief_of(
    request: CopyRequest,
    found: Found,
    product: Product,
    facts: Mapping[str, Fact],
    occasion: str,
    law: Law,
    case: Case,
    guide: Guide | None,
) -> Brief:
    turns = _turns(request)
    manner = guide.in_language(case.language) if guide else None
    return make_brief(
        product,
        facts,
        locale=found.locale,
        channel=request.channel,
        tone=guide.tone if guide and guide.tone and "tone" not in request.model_fields_set else request.tone,
        occasion=occasion,
        principles=_principles(request),
        max_chars=request.max_chars,
        intent=case.intent,
        interests=found.shopper.interests if found.shopper.personalise else (),
        conversation=turns,
        must_include=(*request.must_include, *(manner.always if manner else ())),
        jurisdictions=[each.jurisdiction for each in law.packs if each.jurisdiction != HOUSE],
        audience=case.audience,
        grounds=grounds_of(product, found.locale),
        manner=manner,
    )


def _informed(brief: Brief, found: Found, product: Product, market: Market, facts: Mapping[str, Fact], now: datetime) -> Brief:
    """The brief with what the shopper's own reviews say, where they consent, and with what competitors do."""
    events = found.shopper.events if found.shopper.personalise else ()
    concerns = concerns_of(events, product, now, found.shelves)
    return replace(
        brief,
        doubts=tuple(concern.aspect for concern in concerns.doubts),
        likings=tuple(concern.aspect for concern in concerns.likings),
        market=notes_of(market.promotions),
        unnamable=unnamable(market, facts),
    )


def _nameless(found: Found) -> Problem:
    """No product that was found has a name which copy can say."""
    names = [product.name for product, _, _ in found.products]
    return invalid(
        "product_id",
        found.products[0][0].product_id,
        f"its name can't stand in copy: {names[:3]}",
        f"give the product a short plain name: one line, no braces, at most {MAX_PLAIN} characters",
    )
