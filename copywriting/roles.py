"""A real value in another value's place: `{price} off`, `打{stock}折`. Read on the line with its slots."""

import re

from copywriting.channels import Language
from copywriting.claims import Finding

_NUMERIC = ("price", "list_price", "saving", "discount", "stock", "rating", "rating_count", "also.price", "total")


def _not(*right: str) -> str:
    """A numeric slot other than these."""
    return r"\{(?:" + "|".join(name for name in _NUMERIC if name not in right) + r")\}"


def _other(*right: str) -> str:
    """Any slot other than these."""
    return r"\{(?!(?:" + "|".join(map(re.escape, right)) + r")\})[^}]*\}"


_MISUSES: tuple[tuple[Language, str], ...] = (
    ("en", _not("saving") + r" (?:off|less|cheaper)\b(?! \{saving\})"),
    ("en", r"\b(?:save|saves|saving|savings of|knock|takes?) (?:you )?" + _not("saving", "discount")),
    ("en", r"\byou(?:'ll| can|'d)? save " + _other("saving", "discount")),
    ("en", r"\bends (?:on )?" + _other("offer.ends", "occasion")),
    ("en", r"\bof (?:us|you) with " + _other("name", "feature", "feature_2", "recent", "also", "material", "color")),
    ("en", _not() + r" ?(?:percent|per cent)\b"),
    ("en", _not("rating") + r" (?:out of|stars?\b)"),
    ("en", r"\brated " + _not("rating")),
    ("en", _not("stock") + r" (?:are |is )?(?:left|remain|remaining|in stock)\b"),
    (
        "en",
        r"\b(?:only|just|last) "
        + _not("stock", "price", "also.price", "total")
        + r"(?! (?:shoppers|people|buyers|customers|reviews|ratings))",
    ),
    ("en", _not("rating_count") + r" (?:shoppers|people|buyers|customers|reviews|ratings)\b"),
    (
        "en",
        r"\{saving\} (?:now|today)\b|\b(?:costs?|for only|for just|now|priced at|yours for|yours at) "
        + _not("price", "discount", "stock", "also.price", "total"),
    ),
    ("en", r"\bby " + _other("brand", "rating_count", "saving", "discount", "offer.ends", "name", "recent", "shopper.name")),
    ("en", r"\bin " + _not()),
    ("en", r"\bmade (?:of|from) " + _other("material", "feature", "feature_2", "name")),
    ("zh", r"打?" + _not() + r" ?折"),
    ("zh", r"来自" + _other("origin", "brand", "rating_count", "name", "shopper.city")),
    ("zh", r"产自" + _other("origin", "name")),
    ("zh", r"材质是" + _other("material")),
    ("zh", r"颜色是" + _other("color")),
    ("zh", r"打" + _not("discount")),
    ("zh", r"(?:省下?|立省|立减|直降|便宜|减免?|少花|少付)了?" + _not("saving")),
    ("zh", r"满\{[^}]*\}|\{[^}]*\}减\{"),
    ("zh", r"(?:只剩|仅剩|还剩|剩下|只有|库存)(?:下|有)?" + _not("stock")),
    ("zh", _not("stock") + r" ?(?:件|份|个|盒|套|双|台|把|条)(?:现货|库存|了|就|，|。|！)"),
    ("zh", _not("rating_count") + r" ?(?:位|名|人|条|个)(?:买家|顾客|用户|评价|评论|好评)"),
    ("zh", r"(?:现价|售价|只要|只需|仅需|到手价?|现在(?:只要|是)?|卖)" + _not("price", "discount", "also.price", "total")),
    ("zh", _not("rating") + r" ?分"),
    ("zh", r"(?:合计|总共|一共|一起|加起来|两件)(?:只要|是|共)?" + _not("total", "stock", "rating_count", "saving", "discount")),
    ("en", r"\b(?:together|both|the pair|the two)(?: for| at|,)? " + _not("total", "saving", "discount")),
)
"""A real value in another value's place: `{price} off`, `打{stock}折`. Read on the line with its slots."""
_MISUSED = tuple((language, re.compile(regex, re.IGNORECASE)) for language, regex in _MISUSES)


def misused(line: str, language: Language) -> tuple[Finding, ...]:
    """Slots whose value is said to be what it is not."""
    return tuple(
        Finding("slot in a wrong role", match.group(), match.start(), match.end())
        for wanted, pattern in _MISUSED
        if wanted == language
        for match in pattern.finditer(line)
    )


_PAIRED = ("also.price", "total")
_OF_A_PAIR = {
    "zh": re.compile(r"两|俩|一对|成对|成双|双双|二者|二人|搭档|另一"),
    "en": re.compile(r"\b(?:both|pair(?:s|ed)?|two|twos|twosome|couples?|duo|each other|either|neither)\b", re.IGNORECASE),
}


def of_a_pair(text: str, language: Language) -> tuple[str, ...]:
    """Words that speak of two things, as copy for a bundle of two does."""
    return tuple(match.group() for match in _OF_A_PAIR[language].finditer(text))


def unpaired(slots: frozenset[str]) -> tuple[str, ...]:
    """Slots that say something of a second product which the piece does not name."""
    return tuple(slot for slot in _PAIRED if slot in slots and "also" not in slots)
