"""The lists that judge the claim checker, and the programs that made the long ones from the short ones by hand.

    python -m tests.copywriting.mutations      writes data/mutated.jsonl and data/evaded.jsonl anew

`data/untrue_claims.yaml`, `lawful_copy.yaml`, `evasions.yaml` and `injections.yaml` were written by hand, by somebody who had not seen the
checker. All are about one coat, `coat()`. A mutated piece is a lawful one with a value in a slot's place, or an untrue sentence more.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pypinyin import Style, lazy_pinyin

from copywriting.brief import Brief, make_brief
from copywriting.facts import Fact, facts_of, grounds_of
from copywriting.law import jurisdictions_of, law_of
from copywriting.product import Offer, PricePoint, Product
from copywriting.shopper import Shopper

DATA = Path(__file__).with_name("data")
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
SEED = 20261126
COUNT, EVASIONS = 5000, 1000
_TRIES = 40
"""For each piece: the lists don't hold endless combinations."""
LOCALES = {"zh": "zh-CN", "en": "en-US"}
_OFFER = Offer("percent_off", Decimal(20), None, NOW - timedelta(days=5), NOW + timedelta(days=16))
_SHARED: dict[str, Any] = {
    "vertical": "fashion", "kind": "outerwear", "brand": "Adler", "price": Decimal("500.00"), "stock": 7, "version": 3, "rating": 4.8,
    "rating_count": 1284, "certificates": ("OEKO-TEX Standard 100",),
}  # fmt: skip
_TEXTS: dict[str, dict[str, Any]] = {
    "zh": {
        "title": "云杉女士羊毛大衣 秋冬", "name": "云杉羊毛大衣", "currency": "CNY", "category": ("女装", "外套"), "description": "羊毛面料，藏青色，立领，双层防风门襟，可拆卸兜帽。",
        "attributes": {"material": "羊毛", "color": "藏青色", "origin": "浙江杭州", "feature": "双层防风门襟", "feature_2": "可拆卸兜帽"},
    },
    "en": {
        "title": "Spruce women's wool coat", "name": "Spruce wool coat", "currency": "USD", "category": ("Women", "Outerwear"),
        "description": "A navy wool coat with a stand collar, a double storm placket and a detachable hood.",
        "attributes": {"material": "wool", "color": "navy", "origin": "Hangzhou", "feature": "a double storm placket", "feature_2": "a detachable hood"},
    },
}  # fmt: skip
_GIFTS = {"zh": "羊毛护理刷", "en": "a wool care brush"}

WRONG: dict[str, dict[str, tuple[str, ...]]] = {
    "zh": {
        "price": ("¥399", "399元", "３９９元", "三百九十九元", "叁佰玖拾玖元", "四百块", "不到四百", "①99元", "￥1", "几十块", "九块九", "399块", "3百元", "人民币三百九十九圆"),
        "list_price": ("¥999", "九百九十九元", "999块", "上千元", "¥1,299", "一千二百元"),
        "discount": ("七折", "7折", "7.5折", "６折", "对折", "半价", "五折", "打骨折", "八五折", "88折", "一折", "三点五折", "捌折", "⑦折", "30%优惠", "百分之三十的优惠", "折上折"),
        "saving": ("¥200", "两百元", "200块", "二百", "一半的钱", "贰佰元", "三百块"),
        "offer.ends": ("2月14日", "二月十四日", "周日", "本周日", "今晚", "月底", "除夕", "明天", "下周一", "３月１日", "年底", "正月十五"),
        "stock": ("3", "两", "三", "最后一", "几", "１"),
        "rating": ("4.9分", "五星", "满分", "5.0分", "九点八分", "99分", "四点九分"),
        "rating_count": ("十万", "99999", "上万", "3,000", "百万", "五千多"),
        "material": ("羊绒", "真丝", "鹅绒", "纯棉", "貂毛", "山羊绒", "桑蚕丝", "莫代尔", "真皮", "涤纶", "驼绒", "美利奴羊毛", "阿尔巴卡羊驼绒", "亚麻", "醋酸"),
        "origin": ("意大利", "法国", "苏格兰", "日本", "澳大利亚", "新西兰", "内蒙古"),
        "certificate": ("国家权威机构认证", "红点大奖", "ISO认证", "专利技术", "欧盟环保认证"),
        "gift": ("免费围巾一条", "三件套礼盒", "手套一双免费"),
        "feature": ("防水拉链", "防水涂层", "抗静电处理", "自发热内里", "三层防水面料"),
    },
    "en": {
        "price": ("$399", "399 dollars", "three hundred dollars", "under forty dollars", "$1", "£39", "３９９ dollars", "a fiver", "three hundred and ninety-nine dollars", "less than a hundred", "$399.00", "USD 399", "39 bucks"),
        "list_price": ("$999", "a thousand dollars", "$1,299", "twelve hundred dollars"),
        "discount": ("30% off", "half price", "a third off", "thirty percent off", "fifty off", "half off", "70 % off", "two for one", "buy one get one free", "a quarter off", "３０% off", "thirty per cent less"),
        "saving": ("$200", "two hundred dollars", "half the price", "a fortune", "fifty bucks"),
        "offer.ends": ("14 February", "February the fourteenth", "Sunday", "midnight tonight", "tomorrow", "the end of the month", "this Friday", "Valentine's Day", "1 March"),
        "stock": ("3", "two", "three", "only a handful", "2"),
        "rating": ("4.9 out of 5", "five stars", "ten out of ten", "4.95 stars", "5/5"),
        "rating_count": ("10,000", "thousands of", "two million", "99,999", "hundreds of"),
        "material": ("cashmere", "pure silk", "goose down", "merino", "alpaca", "mohair", "real leather", "Egyptian cotton", "polyester", "camel hair", "vicuna", "linen", "faux fur", "lambswool"),
        "origin": ("Italy", "Scotland", "France", "Japan", "Australia", "New Zealand", "Switzerland"),
        "certificate": ("an award-winning design", "a patented weave", "ISO certification", "a Red Dot award", "dermatologist approval"),
        "gift": ("a free scarf", "complimentary gloves", "a bonus handbag"),
        "feature": ("a waterproof shell", "a fully waterproof hood", "anti-static lining", "heated pockets", "a wind- and waterproof membrane"),
    },
}  # fmt: skip
"""What stands in a slot's place although no fact says so."""


@dataclass(frozen=True, slots=True)
class Mutated:
    """A piece of copy with one untrue claim: `text` is the claim as it stands in the template, `kind` what was mutated."""

    language: str
    channel: str
    kind: str
    text: str
    template: str


def coat(language: str, **changes: Any) -> Product:
    """The product that every list is about: 500 less 20 %, seven left, rated 4.8 by 1,284."""
    offer = Offer(**{**{field: getattr(_OFFER, field) for field in ("kind", "value", "starts", "ends")}, "gift": _GIFTS[language]})
    history = (PricePoint(NOW - timedelta(days=90), Decimal("500.00")),)
    fields = {"product_id": "coat", "locale": LOCALES[language], "offer": offer, "price_history": history, **_SHARED, **_TEXTS[language]}
    return Product(**{**fields, **changes})


def brief_of(
    language: str, channel: str, product: Product | None = None, *, attributes: dict[str, str] | None = None, **options: Any
) -> tuple[Brief, dict[str, Fact]]:
    """A brief for the coat in a channel, under the law of the language's market, and its facts."""
    product = product or coat(language)
    locale = LOCALES[language]
    shopper = Shopper("s", locale, True, {"name": "林", "city": "苏州"} if language == "zh" else {"name": "Ann", "city": "Leeds"})
    shopper = replace(shopper, attributes={**shopper.attributes, **(attributes or {})})
    law = law_of(jurisdictions_of(locale))
    facts = facts_of(product, locale=locale, now=NOW, occasion="winter", shopper=shopper, law=law)
    brief = make_brief(
        product, facts, locale=locale, channel=channel, tone="warm", occasion="winter", intent="recommend" if channel == "chat_reply" else None,
        jurisdictions=jurisdictions_of(locale), grounds=grounds_of(product, locale), **options,
    )  # fmt: skip
    return brief, facts


@cache
def listed(name: str) -> Any:
    """One of the lists written by hand."""
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


@cache
def lawful(language: str) -> list[str]:
    """Lawful pieces and sentences about the coat, as a body may hold them."""
    return [str(each) for each in listed("lawful_copy.yaml")[language]]


def mutations(count: int = COUNT, seed: int = SEED) -> list[Mutated]:
    """Half of them have a wrong value in a slot's place, half an untrue sentence more; zh and en evenly. Same seed, same list."""
    chance = random.Random(seed)
    made: dict[str, Mutated] = {}
    makers = [(language, make) for language in ("zh", "en") for make in (_in_a_slot, _a_sentence_more)]
    for turn in range(_TRIES * count):
        if len(made) == count:
            break
        language, make = makers[turn % len(makers)]
        if mutated := make(language, chance):
            made.setdefault(mutated.template, mutated)
    return list(made.values())


@cache
def _carriers(language: str) -> list[str]:
    return [each for each in lawful(language) if "{name}" in each]


def _in_a_slot(language: str, chance: random.Random) -> Mutated | None:
    slot = chance.choice(sorted(WRONG[language]))
    fitting = [each for each in _carriers(language) if f"{{{slot}}}" in each]
    if not fitting:
        return None
    template, wrong = chance.choice(fitting), chance.choice(WRONG[language][slot])
    return Mutated(language, "product_page", slot, wrong, _as_page(template.replace(f"{{{slot}}}", wrong, 1), language))


def _a_sentence_more(language: str, chance: random.Random) -> Mutated:
    kind, sentences = chance.choice(sorted(listed_untrue(language).items()))
    sentence, template = chance.choice(sentences), chance.choice(_carriers(language))
    stop, blank = ("。", "") if language == "zh" else (".", " ")
    body = template if template.endswith(tuple("。！？!?.…")) else template + stop
    said = sentence if sentence.endswith(tuple("。！？!?.…")) else sentence + stop
    return Mutated(language, "product_page", kind, sentence, _as_page(body + blank + said, language))


_UNTRUE: dict[str, Any] = {}


def listed_untrue(language: str) -> dict[str, list[str]]:
    """kind → sentences that no fact of the coat proves."""
    if not _UNTRUE:
        _UNTRUE.update(listed("untrue_claims.yaml"))
    return {kind: [str(each) for each in sentences] for kind, sentences in _UNTRUE[language].items()}


def _as_page(body: str, language: str) -> str:
    """A body with a plain headline and a plain button around it."""
    headline, cta = ("{name}", "看详情") if language == "zh" else ("{name}", "See the details")
    return "\n".join((headline, body.replace("\n", "" if language == "zh" else " "), cta))


def page_of(body: str, language: str) -> str:
    """A lawful body as a product page."""
    return _as_page(body, language)


# Disguises of a forbidden phrase.

_TWINS = str.maketrans("aeopcxyivBEHKMOPTX", "аеорсхуіѵВЕНКМОРТХ")
_TRADITIONAL = str.maketrans(
    "国级无极独权绝对质证价优铁标准赚领个广为处疗单销万网门顶双货实体验专业责",
    "國級無極獨權絕對質證價優鐵標準賺領個廣為處療單銷萬網門頂雙貨實體驗專業責",
)
_LEETS = str.maketrans("oeiast", "0319$7")


def _full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _mathematical(text: str) -> str:
    return "".join(chr(0x1D41A + ord(c) - ord("a")) if "a" <= c <= "z" else c for c in text.lower())


def _between(mark: str, text: str) -> str:
    return mark.join(text)


def _one_in_pinyin(text: str, place: int) -> str:
    return text[:place] + lazy_pinyin(text[place], style=Style.NORMAL)[0] + text[place + 1 :]


def _disguised(phrase: str, language: str, chance: random.Random) -> str:
    ways = {
        "zh": (
            lambda: _between(chance.choice("\u200b\u200d\u2060\ufeff\u00ad"), phrase), lambda: _between(" ", phrase), lambda: _between(chance.choice(".*·-_/|~"), phrase),
            lambda: phrase.translate(_TRADITIONAL) if phrase.translate(_TRADITIONAL) != phrase else _between("\u200b", phrase),
            lambda: _one_in_pinyin(phrase, 0), lambda: _one_in_pinyin(phrase, len(phrase) - 1), lambda: phrase[:1] + "\u3000" + phrase[1:],
            lambda: _between("\u034f", phrase), lambda: phrase[:1] + "(" + phrase[1:2] + ")" + phrase[2:] if len(phrase) > 2 else _between("+", phrase),
        ),
        "en": (
            lambda: _between(chance.choice("\u200b\u200d\u2060\ufeff\u00ad"), phrase), lambda: _full_width(phrase), lambda: _mathematical(phrase), lambda: phrase.translate(_TWINS),
            lambda: _between(" ", phrase.replace(" ", "")), lambda: _between(".", phrase.replace(" ", "")), lambda: phrase.translate(_LEETS),
            lambda: "".join(c + ("\u0336" if c.isalpha() else "") for c in phrase), lambda: phrase.replace(" ", "\u00a0\u200b"),
        ),
    }[language]  # fmt: skip
    return chance.choice(ways)()


def evasions(count: int = EVASIONS, seed: int = SEED) -> list[Mutated]:
    """The ones written out by hand, then forbidden phrases under a program's disguises."""
    chance, held = random.Random(seed), listed("evasions.yaml")
    written = [(_language(each["text"]), str(each["text"]), str(each["text"])) for each in held["written_out"]]
    made = {text: Mutated(language, "sms", "written out", text, _carried(text, language)) for language, text, _ in written}
    while len(made) < count:
        language = chance.choice(("zh", "en"))
        phrase = str(chance.choice(held["phrases"][language]))
        text = _disguised(phrase, language, chance)
        if text != phrase:
            made.setdefault(text, Mutated(language, "sms", phrase, text, _carried(text, language)))
    return list(made.values())


def _language(text: str) -> str:
    return "zh" if any("\u3400" <= c <= "\u9fff" for c in text) else "en"


def _carried(text: str, language: str) -> str:
    return f"{{name}}，{text}，来看看。" if language == "zh" else f"{{name}}: {text}, come and see."


def _write(name: str, rows: Sequence[Mutated]) -> None:
    lines = [json.dumps(asdict(row), ensure_ascii=False) for row in rows]
    (DATA / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def written(name: str) -> Iterator[Mutated]:
    """A list as it was published."""
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        yield Mutated(**json.loads(line))


if __name__ == "__main__":
    _write("mutated.jsonl", mutations())
    _write("evaded.jsonl", evasions())
