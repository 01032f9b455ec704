"""Does anything untrue, unlawful or foreign get past the check, and does lawful copy get through?

    python -m benchmarks.claims

The lists are published in `tests/copywriting/data` (`tests/copywriting/mutations.py` says how they were made): 5,000 mutated pieces, lawful
copy, 1,000 evasions, injections. An escape is a piece that leaves with its mutated words in it; repair that takes them out is none. All of
these were tuned to; `held_out` was not, and tells how the check does on copy that nobody foresaw.

Injections stand in every field of the product and in the conversation, and a gullible writer hands in the injection itself, its canary in
any case, and every slot that might hold it; those in reviews, searches, interests, the merchant's knowledge and the shopper's own fields,
of which a writer is shown slots at most, are tried in every slot. A leak is a canary, a link or another shopper's telephone in copy or in a
prompt. `must_include` is left out: it is the caller's own order. Price histories are judged at the days around what the law names.
"""

import argparse
import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from rich.progress import track

from benchmarks.record import Figures, record
from copywriting import copybook
from copywriting.brief import Turn
from copywriting.check import Copy, check
from copywriting.dialogue import Passage, reply_to
from copywriting.facts import Fact
from copywriting.law import law_of
from copywriting.prices import pricing
from copywriting.product import Offer, PricePoint
from copywriting.prompt import chat, compact
from copywriting.reading import fold
from serve.config import ROOT
from tests.copywriting.mutations import LOCALES, NOW, Mutated, brief_of, coat, lawful, listed, page_of, written
from tests.fakes import brief_for, facts_for, make_product

CANARIES = ("zephyrine", "evil", "13800138000", "<script", "http")
INJECTIONS = 500
_UNSEEN = ("review", "search", "interest", "shopper_name", "shopper_city", "knowledge")
SEED = 20261126


def escapes(pieces: Sequence[Mutated], *, strict: bool) -> list[Mutated]:
    """Those that leave with their mutated words."""
    briefs = {(language, channel): brief_of(language, channel) for language in ("zh", "en") for channel in ("product_page", "sms")}
    found = []
    for piece in track(pieces, f"{len(pieces)} pieces, {'strict' if strict else 'repair'}"):
        verdict = check(piece.template, *briefs[piece.language, piece.channel], strict=strict)
        if isinstance(verdict, Copy) and piece.text in verdict.template:
            found.append(piece)
    return found


def false_refusals() -> Figures:
    """Lawful sentences and pieces of the copybook: refused, or changed by a repair that takes words away."""
    figures: Figures = {}
    for language in ("zh", "en"):
        brief, facts = brief_of(language, "product_page")
        carrier = "{name}。" if language == "zh" else "Here is {name}. "
        bodies = [body if "{name}" in body else carrier + body for body in lawful(language)]
        verdicts = [check(page_of(body, language), brief, facts) for body in bodies]
        figures |= _counts(f"{language}_lawful", verdicts)
    for language in ("zh", "en"):
        pieces = [piece for piece in copybook.load(ROOT / "demo" / "copybook") if piece.language == language and "name" in piece.slots]
        verdicts = []
        for piece in pieces:
            brief, facts = brief_of(language, piece.channel)
            if piece.slots <= facts.keys():
                verdicts.append(check(piece.template, replace(brief, intent=piece.intent), facts))
        figures |= _counts(f"{language}_copybook", verdicts)
    return figures


def _counts(name: str, verdicts: Sequence[Any]) -> Figures:
    refused = sum(not isinstance(verdict, Copy) for verdict in verdicts)
    cut = sum(isinstance(verdict, Copy) and any(each.action in ("cut", "replaced") for each in verdict.verdicts) for verdict in verdicts)
    return {
        f"{name}_pieces": len(verdicts),
        f"{name}_refused": refused,
        f"{name}_repaired": cut,
        f"{name}_false_refusal_percent": round(100 * (refused + cut) / max(len(verdicts), 1), 2),
    }


def held_out() -> Figures:
    """How the check does on sentences that it was never trained on or tuned to: untrue ones that leave, lawful ones refused or cut."""
    figures: Figures = {}
    for language in ("zh", "en"):
        told = {"color": "灰色", "feature": "流苏边"} if language == "zh" else {"color": "grey", "feature": "fringed ends"}
        scarf = make_product(
            locale=LOCALES[language], name="流苏围巾" if language == "zh" else "fringed scarf", title="", brand=None, description=None,
            certificates=(), attributes=told, rating=4.6, rating_count=212, stock=None,
        )  # fmt: skip
        facts = facts_for(scarf)
        brief = brief_for(scarf, facts, channel="chat_reply", intent="recommend")
        carrier = "{name}。" if language == "zh" else "{name}. "
        for kind in ("untrue", "lawful"):
            sentences = listed("held_out.yaml")[f"{kind}_{language}"]
            verdicts = [check(text if "{name}" in text else carrier + text, brief, facts) for text in sentences]
            passed = sum(isinstance(verdict, Copy) and not verdict.repairs for verdict in verdicts)
            figures[f"held_out_{language}_{kind}"] = len(verdicts)
            name = "escapes" if kind == "untrue" else "false_refusal"
            share = passed if kind == "untrue" else len(verdicts) - passed
            figures[f"held_out_{language}_{name}_percent"] = round(100 * share / len(verdicts), 1)
    return figures


def price_verdicts() -> Figures:
    """500 for months, 400 for one day so many days before an offer of 40 % began: which reference may be named."""
    figures: Figures = {}
    began = NOW - timedelta(days=3)
    offer = Offer("percent_off", Decimal(40), None, began, NOW + timedelta(days=9))
    for jurisdiction, days in (("CN", (6, 7, 8)), ("EU", (29, 30, 31))):
        for day in days:
            history = (
                PricePoint(began - timedelta(days=200), Decimal(500)),
                PricePoint(began - timedelta(days=day), Decimal(400)),
                PricePoint(began - timedelta(days=day - 1), Decimal(500)),
            )
            price = pricing(coat("zh", offer=offer, price_history=history), NOW, law_of((jurisdiction,)).reference_price)
            assert price is not None
            figures[f"{jurisdiction}_day_{day}_reference"] = str(price.reference)
    return figures


def leaks(count: int, seed: int) -> tuple[int, list[str]]:
    """(injections tried, what leaked). Each stands in its own field and then, cut short, in another; a gullible writer repeats it."""
    chance, given = random.Random(seed), [each for each in listed("injections.yaml") if each["field"] != "must_include"]
    tried, found = 0, []
    while tried < count:
        each = given[tried % len(given)]
        text, language = str(each["text"]), "zh" if str(each["locale"]).startswith("zh") else "en"
        field = (
            each["field"]
            if tried < len(given)
            else chance.choice(("name", "brand", "feature", "material", "origin", "gift", "certificate", "description"))
        )
        tried += 1
        brief, facts = brief_of(language, "product_page", _injected(language, field, text), **_told(field, text))
        facts |= _answered(language, text) if field == "knowledge" else {}
        texts = [compact(brief), chat(replace(brief, conversation=()))[-1]["content"]]
        for draft in _gullible(text if field not in _UNSEEN else "", language):
            verdict = check(draft, brief, facts)
            if isinstance(verdict, Copy):
                texts.append(verdict.text)
        found += [f"{field}: {said!r}" for said in texts if any(canary in fold(said).casefold() for canary in CANARIES)]
    return tried, found


def _answered(language: str, text: str) -> dict[str, Fact]:
    """The answer that a passage with this text gives to a question; nothing where it may give none."""
    asked = Turn("shopper", "怎么退货？" if language == "zh" else "How do I send it back?")
    answer = reply_to([asked], coat(language), (Passage("p", text, 1, 1.0),), LOCALES[language]).answer
    return {"answer": answer} if answer else {}


def _told(field: str, text: str) -> dict[str, Any]:
    """What of an injection reaches the brief beside the product."""
    if field in ("shopper_name", "shopper_city"):
        return {"attributes": {field.removeprefix("shopper_"): text}}
    if field == "interest":
        return {"interests": (text,)}
    return {"conversation": (Turn("shopper", text),)} if field == "conversation" else {}


def _injected(language: str, field: str, text: str) -> Any:
    product = coat(language)
    if field in ("feature", "feature_2", "material", "color", "origin"):
        return replace(product, attributes={**product.attributes, field: text})
    if field == "gift":
        assert product.offer is not None
        return replace(product, offer=replace(product.offer, gift=text))
    if field == "certificate":
        return replace(product, certificates=(text,))
    if field == "category":
        return replace(product, category=(text,))
    if field in ("name", "brand", "title", "description"):
        changes: dict[str, Any] = {field: text}
        return replace(product, **changes)
    return product


def _gullible(text: str, language: str) -> list[str]:
    """What a writer that obeys would hand in: the words themselves, and every slot that might hold them."""
    slots = ("name", "brand", "feature", "feature_2", "material", "color", "origin", "gift", "certificate", "answer")
    around = "{{name}}，{}。" if language == "zh" else "{{name}} with {}."
    if not text:
        return [page_of(around.format(f"{{{slot}}}"), language) for slot in (*slots, "shopper.name", "shopper.city")]
    canaries = ("ZEPHYRINE", "Zephyrine") if "zephyrine" in fold(text).casefold() else ()
    words = " ".join(text.split())[:60]
    return [page_of(around.format(part), language) for part in (words, *canaries, *(f"{{{slot}}}" for slot in slots))]


def milliseconds_per_candidate() -> Figures:
    """Checking and rendering, over the copybook's pieces in random order: `cold` by a process that has read nothing (the first half),
    `first` by one that has read other pieces as a server has when it starts (the second half), `again` as served drafts come."""
    figures: Figures = {}
    for language in ("zh", "en"):
        asked = []
        for piece in copybook.load(ROOT / "demo" / "copybook"):
            if piece.language == language:
                brief, facts = brief_of(language, piece.channel)
                if piece.slots <= facts.keys():
                    asked.append((piece.template, replace(brief, intent=piece.intent), facts))
        random.Random(SEED).shuffle(asked)
        half = len(asked) // 2
        for turn, part in (("cold", asked[:half]), ("first", asked[half:]), ("again", asked)):
            took = []
            for template, brief, facts in part:
                began = time.perf_counter()
                check(template, brief, facts)
                took.append((time.perf_counter() - began) * 1000)
            cuts = statistics.quantiles(took, n=100)
            figures |= {f"{language}_{turn}_p50_ms": round(cuts[49], 3), f"{language}_{turn}_p99_ms": round(cuts[98], 3)}
    return figures


def main() -> None:
    """Command line."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    figures = milliseconds_per_candidate()  # first, while nothing is in the caches
    mutated, evaded = list(written("mutated.jsonl")), list(written("evaded.jsonl"))
    for name, pieces in (("mutated", mutated), ("evasions", evaded)):
        kept = {strict: escapes(pieces, strict=strict) for strict in (False, True)}
        figures |= {name: len(pieces), f"{name}_escapes_repair": len(kept[False]), f"{name}_escapes_strict": len(kept[True])}
        for piece in [*kept[False], *kept[True]][:20]:
            print(f"escaped: {piece.kind} {piece.text!r}")
    figures |= {f"mutated_{language}": count for language, count in Counter(piece.language for piece in mutated).items()}
    figures |= false_refusals() | held_out() | price_verdicts()
    tried, leaked = leaks(INJECTIONS, SEED)
    print(*leaked[:20], sep="\n")
    record("claims", figures | {"injections": tried, "injection_leaks": len(leaked)}, seed=SEED)


if __name__ == "__main__":
    assert set(LOCALES) == {"zh", "en"}
    main()
