"""Where copy appears: the parts a piece has there and how long each may be once its slots are filled.

To add a channel: one entry in `CHANNELS`. Limits are those of the platforms that carry the copy, in characters of the filled text; a
request may lower the whole with `max_chars`, never raise it.

| channel | whose limit |
|---|---|
| search_ad | zh: Baidu, title 50 and description 80 half-width columns; en: Google responsive search ad, headline 30, description 90 |
| sms | one message: 70 characters of UCS-2, or 160 of the GSM alphabet (3GPP TS 23.038) |
| push | what a lock screen shows of title and text; Huawei and Xiaomi cut titles at 40 and 50 |
| social | X: 280, where a Chinese character counts two; Weibo shows 140 before it folds |
| banner | a headline and a button: Google display ads take 30 to 90 and 25 |
| article_title, article_summary | WeChat: 64 and 120; search engines show about 60 and 160 of English |
| email_subject | none of its own; Gmail on a telephone shows about 40 of Chinese and 90 of English |
"""

import math
from dataclasses import dataclass
from typing import Literal

Part = Literal["headline", "body", "cta"]
Language = Literal["zh", "en"]
Limit = dict[Language, int]


@dataclass(frozen=True, slots=True)
class Channel:
    """One place where copy appears. `max_chars` bounds the whole, line breaks between parts not counted, `part_chars` single parts;
    both by language, because a Chinese character carries a word's weight. With `hashtags` a line of them follows where there is room."""

    name: str
    parts: tuple[Part, ...]
    max_chars: Limit
    part_chars: dict[Part, Limit]
    hashtags: bool = False

    def limit_of(self, part: Part, language: Language) -> int:
        """How long one part may be."""
        return self.part_chars.get(part, self.max_chars)[language]

    def room_for_a_name(self, language: Language, max_chars: int | None = None) -> int:
        """How long a product's name may be, so that words fit beside it: in each part of a channel that is tight as a whole, in the body of
        another. `max_chars` lowers the whole."""
        whole = min(self.max_chars[language], max_chars or self.max_chars[language])
        parts = [min(self.limit_of(part, language), whole) for part in self.parts if part != "cta"]
        room = min(parts) if whole <= _TIGHT[language] else max(parts)
        return max(room - _WORDS_BESIDE_A_NAME[language], _SHORTEST_NAME)


def _limit(zh: int, en: int) -> Limit:
    return {"zh": zh, "en": en}


_CTA = _limit(12, 30)
_WORDS_BESIDE_A_NAME = _limit(8, 6)
_TIGHT = _limit(80, 120)
"""A channel of no more characters has no part in which a long name could stand."""
_SHORTEST_NAME = 12

CHANNELS: dict[str, Channel] = {
    channel.name: channel
    for channel in (
        Channel("product_page", ("headline", "body", "cta"), _limit(200, 480), {"headline": _limit(32, 80), "cta": _CTA}),
        Channel("email", ("headline", "body", "cta"), _limit(220, 600), {"headline": _limit(32, 80), "cta": _CTA}),
        Channel("email_subject", ("headline",), _limit(40, 90), {}),
        Channel("push", ("headline", "body"), _limit(80, 178), {"headline": _limit(40, 65)}),
        Channel("sms", ("body",), _limit(70, 160), {}),
        Channel("search_ad", ("headline", "body"), _limit(65, 120), {"headline": _limit(25, 30), "body": _limit(40, 90)}),
        Channel("social", ("body",), _limit(140, 280), {}, hashtags=True),
        Channel("chat_reply", ("body",), _limit(150, 320), {}),
        Channel("banner", ("headline", "cta"), _limit(40, 90), {"headline": _limit(32, 75), "cta": _limit(12, 25)}),
        Channel("article_title", ("headline",), _limit(40, 100), {}),
        Channel("article_summary", ("body",), _limit(120, 160), {}),
    )
}

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[~]|€")
_UCS2_SHARE = 160 / 70
_TYPED = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " "})


def units_of(text: str, channel: Channel, language: Language) -> int:
    """The length that the channel's limit bounds: characters; for an English SMS septets of the GSM alphabet, of which one letter outside
    of it makes every character cost as much as one of 70."""
    if channel.name != "sms" or language == "zh":
        return len(text)
    if set(text) <= _GSM | _GSM_TWICE:
        return len(text) + sum(character in _GSM_TWICE for character in text)
    return math.ceil(len(text) * _UCS2_SHARE)


def typed_plainly(template: str, channel: Channel, language: Language) -> str:
    """An English SMS with the quotes and dashes of a typewriter, which the GSM alphabet has."""
    return template.translate(_TYPED) if channel.name == "sms" and language == "en" else template
