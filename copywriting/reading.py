"""Text as a reader sees it: full-width forms, invisible characters, lookalikes, traditional forms and spaced-out letters seen through.

`fold` is for comparing plain text. `unmask` undoes disguises, so that a forbidden word is found however it is written; `disguises` says
which it found, for honest copy has none. Pictures of words and rot-13 are not here.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

import opencc
from confusable_homoglyphs import confusables
from pypinyin import Style, lazy_pinyin

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\uffa0\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]"
)
HAN = "\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PLAIN = re.compile(
    "[ -~\n\u00b7\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u3001\u3002\u3008-\u3011\u4e00-\u9fff\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff5c\uff5e\ue000]*"
)
"""What keyboards for Chinese and English write: where a text has nothing else, folding changes little."""
_LETTER = re.compile(
    r"LATIN (?:LETTER )?(?:SMALL |CAPITAL |LETTER |TURNED |MODIFIER )*(?:LETTER )?(?:SMALL |CAPITAL )*([A-Z])(?: WITH .*)?$"
)
_SPELLED = re.compile(r"(?<![A-Za-z])(?:[A-Za-z][ .\-_*·•|/+~]){2,}[A-Za-z](?![A-Za-z])")
_BETWEEN_HAN = re.compile(rf"(?<=[{HAN}])[^\w\n{HAN}，。！？、；：“”‘’（）《》〈〉【】「」『』…—～·｜\ue000{{}}]+(?=[{HAN}])")
_STOP_IN_WORD = re.compile(rf"(?<=[{HAN}])[!·．.~～*_\-]+(?=[{HAN}])")
_INSIDE_WORD = re.compile(
    r"(?<=[A-Za-z])[0-9@$€£¥!|*+](?=[A-Za-z])|(?<![A-Za-z0-9])[0-9@$€](?=[A-Za-z]{2})|(?<=[A-Za-z]{2})[0-9@$€](?![A-Za-z0-9])"
)
_LEET = {"0": "o", "1": "l", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "€": "e", "£": "l", "!": "i", "|": "l"}
_LOOKALIKES = {
    "蕞": "最", "朂": "最", "冣": "最", "嘬": "最", "笫": "第", "苐": "第", "弟一": "第一", "第壹": "第一", "隹": "佳", "汏": "大", "唯壹": "唯一",
    "峨": "级", "极z": "极致", "丁页": "顶", "木及": "极", "亻呆": "保", "讠正": "证", "佂": "征", "咭": "吉", "玍": "全",
    "巛": "川", "囯": "国", "囻": "国", "仝网": "全网", "荃网": "全网", "泉网": "全网", "醉低": "最低", "醉好": "最好", "醉佳": "最佳", "醉优": "最优", "醉美": "最美",
    "醉大": "最大", "醉强": "最强", "醉便宜": "最便宜", "醉划算": "最划算", "醉新": "最新", "醉高": "最高", "罪低": "最低", "罪好": "最好", "嘴低": "最低",
    "嘴好": "最好", "罪佳": "最佳", "帝一": "第一", "首選": "首选", "绝怼": "绝对", "絶": "绝", "僅": "仅", "兔费": "免费", "兔单": "免单", "勉费": "免费", "纂好": "最好", "㝡": "最", "嘴便": "最便", "惟一": "唯一", "及致": "极致", "饱邮": "包邮", "宝本": "保本", "宝息": "保息", "砖家": "专家", "手曼无": "手慢无", "扌折": "折",
    "月巴": "肥", "国加级": "国家级", "国镓级": "国家级", "壹": "一", "贰": "二", "叁": "三", "佰": "百", "拾": "十", "〇": "零", "第—名": "第一名", "第-名": "第一名",
}  # fmt: skip
"""What advertisers write in a forbidden character's place: rare twins, characters taken apart, and words that sound the same."""
_NUMERALS = "壹贰叁佰拾〇"
"""Numerals of banknotes: read as the plain ones, and no disguise by themselves."""
_BOXED = re.compile(rf"(?:[【\[（(「『<]([{HAN}A-Za-z0-9])[】\])）」』>]){{2,}}")
_RADICALS = "扌亻氵讠钅饣丶丿亅乛冫刂忄灬艹辶"
_STRETCHED = re.compile(r"(?!\b(?:b+r+|m+|h+m+|s+h+|a+h+|z+|o+h+|a+w+)\b)(?<![A-Za-z])(?=[A-Za-z]*([A-Za-z])\1{2})[A-Za-z]+", re.IGNORECASE)
_SMALL_L = re.compile(r"(?<=[a-z])I(?=[a-z])|\bI(?=[il][a-z])|\bl(?=[tn][a-z])")
_MIXED = re.compile(rf"(?<=[{HAN}])[a-zü]+|[a-zü]+(?=[{HAN}])")
_TONES = re.compile("[āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜ]", re.IGNORECASE)
_FOREIGN_WORDS = frozenset(
    [
        "app",
        "wifi",
        "vlog",
        "logo",
        "ins",
        "emo",
        "hi",
        "ok",
        "pose",
        "get",
        "bug",
        "cos",
        "plog",
        "ta",
        "tea",
        "yoga",
        "book",
        "email",
        "blog",
        "feel",
        "offer",
        "cake",
        "nice",
        "pick",
        "vibe",
        "chill",
        "mini",
        "pro",
        "plus",
        "max",
        "go",
    ]
)
"""Words of English and of the net that Chinese copy may write among its characters."""
_ODD_SIGNS = re.compile(r"[#†‡§¶•◆●■★☆✓✔✗✘♥♡❤_=\\^~|]")
_SYLLABLE = re.compile(
    "(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?(?:iang|iong|uang|ang|eng|ing|ong|ian|iao|uan|uai|ai|ei|ao|ou|an|en|in|un|ia|ie|iu|ua|uo|ui|ue|er|a|o|e|i|u|ü|v)"
)
_LOOKALIKE = re.compile("|".join(sorted(map(re.escape, _LOOKALIKES), key=len, reverse=True)))


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """NFKC with invisible characters removed: what a reader sees, in plain characters."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


@cache
def _simplifier() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def simplified(text: str) -> str:
    """Traditional characters as simplified ones."""
    return str(_simplifier().convert(text))


@lru_cache(maxsize=4096)
def latin_twin(character: str) -> str:
    """The basic Latin letter that this character looks like, else the character: а (Cyrillic) → a, ᴇ → e, é → é."""
    if character.isascii() or not character.isalpha() or re.match(f"[{HAN}]", character):
        return character
    if found := _LETTER.match(unicodedata.name(character, "")):
        letter = found.group(1)
        plain = letter if "CAPITAL LETTER" in unicodedata.name(character) else letter.lower()
        return plain if unicodedata.decomposition(character) == "" else character  # é is a letter of its own
    twins = confusables.is_confusable(character, greedy=True, preferred_aliases=[])
    for twin in (each["c"] for entry in twins or () for each in entry["homoglyphs"]):
        if len(twin) == 1 and twin.isascii() and twin.isalpha():
            return str(twin)
    return character


@lru_cache(maxsize=8192)
def unmask(text: str) -> str:
    """The text in lower case with every disguise undone that we know of. Lengths change: compare words, not offsets."""
    text = fold(text)
    if not _PLAIN.fullmatch(text):
        text = "".join(map(latin_twin, text))
    text = _LOOKALIKE.sub(lambda match: _LOOKALIKES[match.group()], simplified(text))
    text = _STOP_IN_WORD.sub("", _BETWEEN_HAN.sub("", text))
    text = _BOXED.sub(lambda match: re.sub(r"[^\w]", "", match.group()), text)
    text = _SMALL_L.sub(lambda match: "l" if match.group() == "I" else "i", text)
    text = _STRETCHED.sub(lambda match: re.sub(r"(.)\1{2,}", r"\1", match.group()), _without_accents(text))
    text = _SPELLED.sub(lambda match: re.sub(r"[^A-Za-z]", "", match.group()), text)
    return _INSIDE_WORD.sub(lambda match: _LEET.get(match.group(), match.group()), text).casefold()


@lru_cache(maxsize=8192)
def disguises(text: str, language: str) -> tuple[str, ...]:
    """Every way in which this run of words hides what it says, each with the characters that do it; () for plain writing."""
    found = list(_strange_characters(text, language))
    found += [f"letters apart: {match.group()!r}" for match in _SPELLED.finditer(text)]
    found += [f"a sign inside a word: {match.group()!r}" for match in _INSIDE_WORD.finditer(text)]
    if language == "zh":
        found += [
            f"signs between characters: {match.group()!r}"
            for match in _BETWEEN_HAN.finditer(text)
            if match.group().strip(" ") or len(match.group()) == 1
        ]
        found += [f"written for another character: {m.group()!r}" for m in _LOOKALIKE.finditer(text) if m.group() not in _NUMERALS]
        found += [f"part of a character: {character!r}" for character in _RADICALS if character in text]
        found += [
            f"a character in letters: {m.group()!r}"
            for m in _MIXED.finditer(text)
            if m.group() not in _FOREIGN_WORDS and _is_pinyin(m.group())
        ]
        found += [f"letters with tones: {m.group()!r}" for m in _TONES.finditer(text)]
    else:
        found += [f"a capital inside a word: {m.group()!r}" for m in _SMALL_L.finditer(text)]
        found += [f"a stretched word: {m.group()!r}" for m in _STRETCHED.finditer(text)]
    found += [f"boxed characters: {match.group()!r}" for match in _BOXED.finditer(text)]
    found += [f"a sign that is no writing: {match.group()!r}" for match in _ODD_SIGNS.finditer(text)]
    return tuple(dict.fromkeys(found))


def _without_accents(text: str) -> str:
    return unicodedata.normalize("NFC", "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn"))


def unhyphenated(text: str) -> str:
    """The text with hyphens and dots inside words taken out: cash-mere, water.proof."""
    return re.sub(r"(?<=[a-z])[-.·](?=[a-z])", "", text)


def _is_pinyin(letters: str) -> bool:
    return re.fullmatch(f"(?:{_SYLLABLE.pattern})+", letters) is not None


def _strange_characters(text: str, language: str) -> Iterator[str]:
    if language == "zh" and simplified(text) != text:
        changed = "".join(sorted({a for a, b in zip(text, simplified(text), strict=False) if a != b}))
        yield f"traditional characters: {changed!r}"
    if _PLAIN.fullmatch(text):
        return
    for character in dict.fromkeys(text):
        if _INVISIBLE.match(character):
            yield f"an invisible character: U+{ord(character):04X}"
        elif latin_twin(character) != character:
            yield f"a twin of a letter: {character!r}"
        elif unicodedata.category(character) in ("So", "No", "Nl"):
            yield f"a sign that is no writing: {character!r}"
        elif unicodedata.normalize("NFKC", character) != character and not _PLAIN.fullmatch(character) and character not in "　…‥":
            yield f"another form of a character: {character!r}"


def syllables(text: str) -> list[str]:
    """The pinyin of each character, without tones; what is no Han character stays as it is."""
    return [str(each) for each in lazy_pinyin(text, style=Style.NORMAL)]


@cache
def in_pinyin(word: str) -> re.Pattern[str]:
    """A Chinese word with any of its characters in pinyin or as its first letter, spaces and signs between: zui低, ding级, d 级."""
    each = [f"(?:{character}|{sound}|{sound[0]})" for character, sound in zip(word, syllables(word), strict=True)]
    return re.compile(r"(?<![a-z])" + r"[\s.·*_\-]*".join(each) + r"(?![a-z])")


def spelt(text: str, words: tuple[str, ...]) -> Iterator[str]:
    """Where unmasked Chinese text writes one of these words partly or wholly in pinyin. Bare initials alone are no word."""
    if not re.search("[a-z]", text):
        return
    for word in words:
        for match in in_pinyin(word).finditer(text):
            letters = re.sub("[^a-z]", "", match.group())
            if letters and (len(letters) > len(word) or re.search(f"[{HAN}]", match.group())):
                yield match.group()
