"""200 answers of the real graph over the sample shop, 100 zh and 100 en, every channel: are they lawful, and are they varied?

    python -m benchmarks.answers [--answers 200] [--page 20]

Checked from outside, on every choice of every answer: language, channel limit, no slot left open, product named, and every digit inside
a span whose text is made again here from the product's row in the catalogue. Variety of the chosen texts: distinct-2 (Li et al. 2016) and
self-BLEU (Zhu et al. 2018, 4-grams by sacrebleu; 0 to 100, lower is more varied). `verbatim` is the share of the model's choices that are,
slots aside, a piece of the copybook word for word. The page of answers goes to var/answers.md.
"""

import argparse
import random
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.record import Figures, record
from benchmarks.shop import prepared_shop
from copywriting.brief import language_of
from copywriting.channels import CHANNELS, Language
from copywriting.copybook import Piece, load
from copywriting.diversity import distinct, self_bleu
from copywriting.facts import facts_of, grounds_of
from copywriting.faults import length_of
from copywriting.occasions import name_of
from copywriting.product import Product
from demo.showcase import ask
from demo.stage import VAR
from retrieval import tables
from retrieval.catalogue import Catalogue
from serve.config import ROOT
from serve.launch import running

SEED = 11
TONES = ("warm", "playful", "elegant", "urgent", "plain", "expert")
LOCALES = ("zh-CN", "en-US", "zh-CN", "en-GB")
_PROOF = ("value", "source", "version")
_DIGITS = re.compile(r"\d(?:[\d.,]*\d)?|[%$€£¥￥]")


def requests(shop: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """A spread over channels, locales, tones and the ways to name a product."""
    chance = random.Random(seed)
    products = sorted(set(tables.read(shop, "products")["product_id"].to_pylist()))
    shoppers = tables.read(shop, "shoppers").to_pylist()
    bodies = []
    for number in range(count):
        locale = LOCALES[number % len(LOCALES)]
        channel = list(CHANNELS)[number // 2 % len(CHANNELS)]
        body: dict[str, Any] = {"channel": channel, "locale": locale, "tone": TONES[number % len(TONES)], "seed": number}
        if number % 3 == 0:
            body["product_id"] = chance.choice(products)
        else:
            body["shopper_id"] = chance.choice([s["shopper_id"] for s in shoppers if s["locale"] == locale])
            body |= {"query": chance.choice(("礼物", "gift"))} if number % 3 == 2 else {}
        bodies.append(body)
    return bodies


def faults_of(answer: dict[str, Any], choice: dict[str, Any], catalogue: Catalogue) -> list[str]:
    """What is wrong with one choice, judged from outside: nothing that the server says of it is believed."""
    text, language = choice["text"], answer["locale"].split("-")[0]
    product = catalogue.product(answer["products"][0]["product_id"], answer["locale"])
    proved = [claim for claim in choice["claims"] if _is_proved(claim, text, answer, product, catalogue)]
    covered = {i for claim in proved for i in range(claim["start"], claim["end"])}
    faults = []
    if length_of(text) > CHANNELS[answer["channel"]].max_chars[language]:
        faults.append("over_limit")
    if set("{}") & set(text):
        faults.append("unfilled_slot")
    if any(not set(range(match.start(), match.end())) <= covered for match in _DIGITS.finditer(text)):
        faults.append("ungrounded_number")
    names = (text[claim["start"] : claim["end"]] for claim in choice["claims"] if claim["slot"] == "name")
    if product.name not in text and not any(_is_short_for(name, product.name) for name in names):
        faults.append("product_not_named")
    words = "".join(character for i, character in enumerate(text) if i not in covered)
    han = len(re.findall(r"[\u3400-\u9fff]", words))
    if (language == "en" and han) or (language == "zh" and han * 2 <= len(re.findall("[A-Za-z]", words))):
        faults.append("wrong_language")
    return faults


def _is_proved(claim: dict[str, Any], text: str, answer: dict[str, Any], product: Product, catalogue: Catalogue) -> bool:
    """Does the span say what the catalogue, read here, makes of its slot?"""
    said, slot = text[claim["start"] : claim["end"]], claim["slot"]
    if slot is None:  # a word that a text of the product says too
        return any(said.casefold() in ground.text.casefold() for ground in grounds_of(product, answer["locale"]))
    if said.startswith("#") or claim.get("kind") == "disclosure" or slot.startswith("shopper."):
        return not _DIGITS.search(said)
    if slot == "occasion":
        return said == name_of(claim["value"], language_of(answer["locale"]))
    shortened = claim.get("derivation", "").startswith("shortened from ")
    if slot == "recent":
        whole = catalogue.product(claim["value"], answer["locale"]).name if claim["value"] in catalogue else ""
        return said == whole or (shortened and _is_short_for(said, whole))
    if slot == "name" and shortened:
        return _is_short_for(said, product.name)
    fact = facts_of(product, locale=answer["locale"], now=datetime.now(UTC)).get(slot)
    return fact is not None and (fact.text, fact.value, fact.source, fact.version) == (said, *(claim[key] for key in _PROOF))


def _is_short_for(name: str, whole: str) -> bool:
    """Is it some of the words of the whole name, in their order, with its noun?"""
    words = iter(whole.replace(",", " ").split())
    return bool(name.strip()) and all(word in words for word in name.replace(",", " ").split())


def template_of(choice: dict[str, Any]) -> str:
    """The copy with its slots open again."""
    text = choice["text"]
    slots = [claim for claim in choice["claims"] if claim["slot"] and not text[claim["start"]].startswith("#")]
    text = text.removesuffix("\n" + choice.get("parts", {}).get("hashtags", "\0"))
    for claim in sorted(slots, key=lambda claim: -claim["start"]):
        text = f"{text[: claim['start']]}{{{claim['slot']}}}{text[claim['end'] :]}"
    return str(text)


def figures_of(answers: Sequence[dict[str, Any]], catalogue: Catalogue, pieces: Sequence[Piece]) -> Figures:
    """Counts of answers with a fault in any choice, variety by language, and how the answers came about."""
    faults = [{fault for choice in answer["choices"] for fault in faults_of(answer, choice, catalogue)} for answer in answers]
    choices = [choice for answer in answers for choice in answer["choices"]]
    figures: Figures = {"answers": len(answers), "choices": len(choices)}
    for kind in ("over_limit", "unfilled_slot", "ungrounded_number", "product_not_named", "wrong_language"):
        figures[f"{kind}_answers"] = sum(kind in found for found in faults)
    languages: tuple[Language, ...] = ("zh", "en")
    for language in languages:
        texts = [answer["choices"][0]["text"] for answer in answers if answer["locale"].startswith(language)]
        figures[f"{language}_distinct_2"] = round(distinct(texts, language), 4)
        figures[f"{language}_self_bleu"] = round(self_bleu(texts, language), 2)
        figures[f"{language}_different_texts"] = len(set(texts))
    figures["model_origin_percent"] = _percent(answer["choices"][0]["origin"] == "model" for answer in answers)
    written, templates = [choice for choice in choices if choice["origin"] == "model"], {piece.template for piece in pieces}
    figures["verbatim_percent"] = _percent(template_of(choice) in templates for choice in written)
    drafts, refused = sum(a["usage"]["drafts"] for a in answers), sum(a["usage"]["refused"] for a in answers)
    figures |= {"drafts": drafts, "refused_drafts_percent": round(100 * refused / max(drafts, 1), 2)}
    figures["choices_per_answer"] = round(len(choices) / len(answers), 2)
    figures["model_choices_per_answer"] = round(len(written) / len(answers), 2)
    figures["repaired_choices"] = sum("left out" in reason for choice in choices for reason in choice["reasons"])
    figures["degraded_answers"] = sum(bool(a["degraded"]) for a in answers)
    return figures


def _percent(found: Iterable[bool]) -> float:
    flags = list(found)
    return round(100 * sum(flags) / max(len(flags), 1), 1)


def page(answers: Sequence[dict[str, Any]], count: int) -> str:
    """Markdown of `count` answers spread over all of them."""
    chosen = random.Random(SEED).sample(list(answers), min(count, len(answers)))  # a stride would always meet the same channels
    return "".join(f"- **{a['locale']} · {a['channel']}** · {a['products'][0]['name']}: {_one_line(a)}\n" for a in chosen)


def _one_line(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["text"]).replace("\n", " ⏎ ")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--page", type=int, default=20)
    options = parser.parse_args()
    shop = prepared_shop()
    with running(ROOT / "serve" / "config" / "laptop.yaml", log=VAR / "logs" / "answers.log") as server:
        bodies = requests(shop, options.answers, SEED)
        answers = [ask(server.url, body) for body in track(bodies, "Answers")]
    (VAR / "answers.md").write_text(page(answers, options.page), encoding="utf-8")
    print(page(answers, options.page))
    record("answers", figures_of(answers, Catalogue.read(shop), load(ROOT / "demo" / "copybook")), seed=SEED)


if __name__ == "__main__":
    main()
