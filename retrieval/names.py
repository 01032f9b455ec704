"""Titles and short names: a shouted title in title case, and from a search-engine title the few words that name the product.

Pure functions of text, for English and Chinese alike. They only ever leave words out or change their case: no word is made up.
"""

import re
from collections.abc import Callable

MAX_CHARS = 40
MAX_CHARS_CHINESE = 20
"""A Chinese character carries about as much as an English word's half."""

_SMALL = frozenset(["a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "into", "of", "on", "or", "per", "the", "to", "with"])
_ACRONYMS = frozenset(
    ["CD", "DIY", "DVD", "EU", "GPS", "HD", "LCD", "LED", "MP3", "PC", "PVC", "RGB", "TV", "UK", "US", "USA", "USB", "UV"]
)
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|（[^（）]*）|「[^「」]*」")
_LENGTH = r"\d+(?:\.\d+)?\s*(?:cm|mm|m|in|inch(?:es)?)?"
_STUFFING = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^\s*(?:buy|shop|order)\s+(?=.*\bonline\b)",
        r"\s*(?:[|:–—-]\s*)?(?:buy|shop|order)?\s*\bonline\b(?:\s+(?:at|in|for|from)\b.*)?$",
        r"\s*[|｜].*$",
        r"\s*\b(?:at|for)\s+(?:the\s+)?(?:best|lowest|low|great)\s+prices?\b.*$",
        r"\bfree\s+(?:shipping|delivery)\b",
        r"\s+[-–—]\s+for\s+(?:men|women|boys|girls|kids|couple|unisex|adults)\b.*$",
        r"[,\s]*\b(?:(?:pack|set|box|pair)\s+of\s+\d+|\d+\s*(?:-?\s*pack|pcs|pieces|count))\s*$",
        r"[,\s]*\bpack\s*/\s*\d+\s*$",
        rf"\s*[-–,]?\s*\b{_LENGTH}(?:\s*[x×*]\s*{_LENGTH}){{1,2}}\s*$",
        r"\s*[-–,]?\s*\b\d+(?:\.\d+)?\s*(?:cm|mm|inch(?:es)?|ml|cl|kg|g|oz|lb|litres?|liters?)\s*$",
        r"(?:包邮|正品(?:保证)?|官方(?:旗舰店|正品|授权)?|旗舰店|(?:20\d\d年?)?新款|爆款|热卖|特价|现货|清仓|促销)",
    )
)
_LEADING_PACK = re.compile(r"^\s*(?:(?:pack|set|box|pair)\s+of\s+\d+\s+(?:x\s+)?|\d+\s*(?:pcs|pieces|pack)\s+)", re.IGNORECASE)
_DANGLING = re.compile(r"(?:[\s,;:/&+|–—，、·-]+(?:(?:and|with|for|of|the|a|an|or|from)\b)?)+$", re.IGNORECASE)
_HANGING_FIRST = re.compile(r"^(?:[\s,;:/&+|–—-]|(?:and|with|for|of|in|by|or|from|to|at|on|free)\s)+", re.IGNORECASE)
"""Also `free`: what is left of "Cotton Free Bath Mat" must not promise a free bath mat."""
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def title_case(text: str) -> str:
    """A shouted text in title case ("T-LIGHT HOLDER" → "T-Light Holder"); one with small letters of its own is left as it is.

    Single shouted words in a mixed-case text stay too: they are as likely a brand (ADIDAS) as a shout.
    """
    words = text.split()
    sizes = re.compile(r"\d")  # 40x40cm is written small in a shout too
    letters = [letter for word in words if not sizes.search(word) for letter in word if letter.isalpha() and letter.isascii()]
    if not letters or sum(letter.isupper() for letter in letters) < 0.8 * len(letters):
        return " ".join(words)
    return " ".join(_cased(word, first=i == 0) for i, word in enumerate(words))


def _cased(word: str, *, first: bool) -> str:
    """One word of a shouted text in title case: small words and sizes small, acronyms as they are, each part of a hyphenation."""
    core = word.strip(".,;:!?()[]'\"")
    if core in _ACRONYMS or not any(letter.isupper() for letter in word):
        return word
    if not first and core.lower() in _SMALL:
        return word.lower()
    if re.fullmatch(r"[\d.]+(?:[xX][\d.]+)*(?:CM|MM|ML|KG|G|M|OZ|CMX[\d.]+CM)", core, re.IGNORECASE):
        return word.lower()
    # a letter after an apostrophe stays small (Men's), after any other mark it starts a word (T-Light, Salt/Pepper)
    return re.sub(r"[A-Za-z]+(?:['’][A-Za-z]+)?", lambda match: match[0][0].upper() + match[0][1:].lower(), word)


def short_name(title: str, brand: str | None = None, max_chars: int | None = None) -> str:
    """The product's short name, at most `max_chars` (40; 20 where the title is Chinese), made from its title.

    Brackets, sizes and pack counts at the end, "buy online" and its kin, and repeats of the brand go; what is still too long
    loses qualifiers first and the noun last. Never empty for a title with a letter in it.
    """
    chinese = bool(_CHINESE.search(title))
    limit = max_chars or (MAX_CHARS_CHINESE if chinese else MAX_CHARS)
    text = title_case(_BRACKETED.sub(" ", title))
    previous = None
    while previous != text:  # one size may hide behind another
        previous = text
        for pattern in _STUFFING:
            text = pattern.sub("", text).strip()
    text = _trimmed(_once(text, brand) if brand else text)
    fallback = " ".join(title.split())  # a title that is nothing but stuffing names itself
    return _first_words(text or fallback, limit) if chinese else _fitted(text or fallback, limit, brand)


def _trimmed(text: str) -> str:
    """Single blanks, and no conjunction or mark hanging at the end."""
    return _DANGLING.sub("", " ".join(text.split()))


def _once(text: str, brand: str) -> str:
    """`text` with the first mention of the brand only."""
    first = _mention(brand).search(text)
    return text[: first.end()] + _mention(brand).sub("", text[first.end() :]) if first else text


def _mention(brand: str) -> re.Pattern[str]:
    """The brand as whole words, possessive or not."""
    return re.compile(rf"(?<!\w){re.escape(brand)}(?!\w)(?:['’]s)?", re.IGNORECASE)


def _fitted(text: str, limit: int, brand: str | None) -> str:
    """An English name in `limit` characters. English ends on its noun ("Women Solid Black Handbags"), so after the qualifiers that
    follow the noun it is the first words that go, and the brand (which has a slot of its own) before them."""
    shorteners: tuple[Callable[[str], str], ...] = (
        lambda name: _LEADING_PACK.sub("", name),
        lambda name: re.split(r"\s+[-–—]\s+", name, maxsplit=1)[0],
        _first_synonym,
        _unqualified,
        lambda name: _mention(brand).sub("", name) if brand else name,
        lambda name: _last_words(name, limit),
    )
    for shorten in shorteners:
        if len(text) <= limit:
            break
        text = _trimmed(shorten(text).strip()) or text
    return text if len(text) <= limit else _first_words(text, limit)


def _first_synonym(text: str) -> str:
    """The first of a list of search words for one thing: "Cycling Shorts, Gym Shorts, Swim Shorts" → "Cycling Shorts"."""
    first, *others = text.split(", ")
    return first if others and first.split()[-1:] == text.split()[-1:] else text


def _unqualified(text: str) -> str:
    """What stands before "with", "for", "in" …, where that is at least two words."""
    head = re.split(r"\s+(?:with|for|in|by|from)\s+", text, maxsplit=1, flags=re.IGNORECASE)[0]
    return head if len(head.split()) > 1 else text


def _last_words(text: str, limit: int) -> str:
    """As many words of the end as fit, from after a comma where the cut falls in a list."""
    words = text.split()
    while words and len(" ".join(words)) > limit:
        words.pop(0)
    kept = _HANGING_FIRST.sub("", " ".join(words))
    after_list = kept.rpartition(", ")[2]
    return after_list if len(after_list.split()) > 1 else kept


def _first_words(text: str, limit: int) -> str:
    """As much of the beginning as fits, cut at a blank or mark in its second half where there is one, else hard."""
    if len(text) <= limit:
        return text
    at = max((match.start() for match in re.finditer(r"[\s,;，；、·]", text[: limit + 1]) if match.start() >= limit // 2), default=limit)
    return _trimmed(text[:at]) or text[:limit]
