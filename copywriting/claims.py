"""Find what a reader could hold us to in the words between slots, and bind it to a fact or report it as ungrounded.

A first ledger: numbers in digits or words, discounts, prices, dates and deadlines, stock, ratings, gifts and a few absolutes, in
Chinese and English; and a slot in a place where its value would say something else. Text is folded first (NFKC, zero-width characters
removed), so full-width digits are seen. Materials, origins, comparisons and the law of each country are not here.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from copywriting.channels import Language

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
CURRENCY_SIGNS = "$€£¥₹₽₩"
_ZH_NUMBER = "[零〇一二两三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾佰仟半几数]"
_ZH_DIGIT = "[一二两三四五六七八九十百千万]"
_EN_UNIT = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|"
    "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
)
_EN_NUMBER = rf"(?:(?:{_EN_UNIT})(?:[- ](?:{_EN_UNIT}))?|hundreds?|thousands?|millions?|dozens?|half|double|triple|twice)"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of claim, how it looks in one language, and slots whose presence in the brief proves it (empty: nothing can)."""

    kind: str
    language: Language
    regex: re.Pattern[str]
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UngroundedClaim:
    """A claim with no fact behind it: what it says, where it stands in the folded text, and what would prove it."""

    kind: str
    text: str
    start: int
    needs: tuple[str, ...]

    def __str__(self) -> str:
        remedy = f"needs one of {list(self.needs)}" if self.needs else "no fact can prove it; it may only come from a slot"
        return f"ungrounded {self.kind} {self.text!r}: {remedy}"


def _zh(kind: str, regex: str, *evidence: str) -> Pattern:
    return Pattern(kind, "zh", re.compile(regex), evidence)


def _en(kind: str, regex: str, *evidence: str) -> Pattern:
    return Pattern(kind, "en", re.compile(rf"(?<![A-Za-z])(?:{regex})(?![A-Za-z])", re.IGNORECASE), evidence)


PATTERNS: tuple[Pattern, ...] = (
    _zh("discount", rf"{_ZH_NUMBER}+(?:点{_ZH_NUMBER}+)?折(?![叠页伞椅床刀扇痕线射机的]|起来)|骨折|腰斩|半价|(?<!可)对折(?![的起后])|(?:便宜|省|少|减)了?(?:一|大)半|一半的?价|减半"),
    _zh("discount", rf"买{_ZH_DIGIT}[件个份盒套瓶双]?[^，。！？]{{0,12}}[送赠]{_ZH_DIGIT}|第{_ZH_DIGIT}件.{{0,3}}(?:半价|免费|折)"),
    _zh("discount", rf"满{_ZH_NUMBER}+[元块]?[减送]|(?:省|减|便宜)了?{_ZH_NUMBER}*[百千万]|(?:省|减|便宜)了?{_ZH_DIGIT}+[块元](?!布|板|砖|石|地|糖|头)|(?:便宜|直降|立减)了?[三四五六七八九十]{_ZH_NUMBER}*(?![点些分])"),
    _zh("discount", r"打折|折扣|降价|特价|优惠|直降|立减|立省|满减|促销|大促|省下", "discount", "saving"),
    _zh("discount", r"秒杀|清仓|甩卖|史低|骨折价|跳楼价|亏本|特惠|白菜价|涨价|恢复原价"),
    _zh("price", rf"{_ZH_NUMBER}+(?:块钱|元|毛钱|分钱|美元|英镑)|[十百千万]{_ZH_NUMBER}*块(?!布|板|砖|石|地|糖|头)|{_ZH_DIGIT}+块{_ZH_DIGIT}+(?!块)"),
    _zh("price", r"免费|白送|零元|不要钱", "gift"),
    _zh("price", r"全网最低|最低价|底价"),
    _zh("number", rf"(?<![一半几数])(?:(?![一半几数]){_ZH_NUMBER})+(?:小时|分钟|个月)|{_ZH_NUMBER}+(?:倍|成(?![为长就员熟不])|周年|年(?:保修|质保|老店|老字号|历史)|公斤|斤|克|厘米|毫升|升|瓦|毫安)"),
    _zh("number", r"百分之|(?<![一二两])[两三四五六七八九十百千万]+(?:位|名|人|款|重|层|项|家|国)(?!都|之|人)|[二三四五六七八九十百][十百]?天(?:试|无忧|包|免|保|内|见效)|(?:已售|月销|销量|售出|卖出)[^，。！？]{0,3}[十百千万]+"),
    _zh("number", r"[百千万]+(?:多|余|来)?(?:人|位|名|条|件)(?!之|都)|双倍|翻倍"),
    _zh("date", r"今[天日晚]截止|明[天日]截止|今晚[^，。！]{0,4}(?:结束|恢复)|最后(?:一天|[一二两三四五六七八九十]+天|几天)|(?:仅限|只限)(?:今|本|明)[天日周晚]|今[天日](?:特惠|特价|专享价)"),
    _zh("date", r"最后(?:机会|一波)|限时|倒计时|即将结束|马上结束", "offer.ends"),
    _zh("date", rf"{_ZH_NUMBER}+月{_ZH_NUMBER}+[日号]|(?:周|星期|礼拜)[一二三四五六日天](?:截止|结束|恢复|前)"),
    _zh("stock", r"仅剩|只剩|所剩不多|库存(?:不多|告急|紧张|有限)|即将售罄|快卖完|抢完|断货|绝版|限量|手慢无|最后[几一][件份个盒套双只瓶]|数量有限|售完即止|先到先得|卖完为止", "stock"),
    _zh("rating", r"好评如潮|五星(?:好评|推荐)|口碑爆棚|回头客|热销|爆款|畅销|卖爆", "rating_count"),
    _zh("rating", r"零差评|好评率|人手一"),
    _zh("gift", r"赠送|附赠|加赠|随单送|送你一[份件]|有赠品", "gift"),
    _zh("certificate", r"权威认证|通过.{0,6}认证|官方认证", "certificate"),
    _zh("certificate", r"获奖|荣获|金奖|大奖|专利"),
    _zh("absolute", r"第一(?!次|眼|天|口|步|时间|反应|页|章|印象|句|个|杯|缕|晚|声|束|件|人称|站|课|本|双|场|件事|笔|张|位|顿|名字|趟|周|年)|唯一|顶级|极致|国家级|世界级|全球首|史上|绝无仅有|永不|百分百|万能|包治|根治|稳赚|保本|零风险|无风险|零添加|冠军|极品|首选"),
    _zh("absolute", r"最(?:好|佳|低|高|强|大|便宜|优|先进|顶|全|新款|畅销|受欢迎|暖|舒服|舒适|划算|实惠|轻薄|轻便|柔软|耐用|结实|安全|健康|有效|专业|实用|漂亮|时尚)"),
    _zh("promise", r"包邮|免邮|无理由退|假一赔|终身(?:保修|质保)|次日达|当日达|七天"),
    _en("discount", r"half[- ]price|half off|half (?:the|its|their|our) (?:usual |normal )?price|buy (?:one|two|three)[ ,]+get|bogo|(?:two|three|four) for (?:one|two|three)|(?:a |one )?(?:third|quarter|fifth|tenth) off"),
    _en("discount", rf"{_EN_NUMBER} off|save (?:an? )?{_EN_NUMBER}"),
    _en("discount", r"discount(?:s|ed)?|on sale|sale price|reduced price|price drop|marked down|bargain|save (?:big|now|today)", "discount", "saving"),
    _en("discount", r"clearance|(?:price|prices) (?:slashed|cut|cuts)|slashed prices?|rock[- ]bottom|cheaper than (?:ever|anywhere)|fire sale|today(?:'s)? only|prices? (?:goes|go|will go) up"),
    _en("price", r"for free|free of charge|free gift|at no cost", "gift"),
    _en("price", r"lowest price|cheapest|(?:dollars?|pounds?|euros?|bucks|cents|pence|quid)|(?:under|below|less than) (?:an? )?(?:ten|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand)"),
    _en("number", rf"{_EN_NUMBER}(?:[- ](?:and|hundred|thousand|million|dozen))*[- ](?:percent|per cent|times|x|hours?|minutes?|days?|weeks?|months?|years?|stars?|dollars?|pounds?|kilos?|grams?|litres?|liters?|inches|miles|people|customers|shoppers|buyers|reviews?|ratings?|colou?rs?)"),
    _en("number", r"(?:hundreds|thousands|millions|dozens) (?:of|sold)|(?:by|to) (?:hundreds|thousands|millions|dozens)"),
    _en("number", rf"(?:only|just) {_EN_NUMBER} (?:left|remain(?:ing)?)|last {_EN_NUMBER}(?! (?:of|minutes|hours|days|weeks|months|years))|(?:twice|{_EN_NUMBER} times) as"),
    _en("absolute", r"the (?:warmest|softest|lightest|fastest|strongest|safest|toughest|smartest|lowest|highest|healthiest) \w+|(?:best|lowest) prices?|one of a kind|(?:doctor|dentist|vet|dermatologist)[- ](?:recommended|approved)"),
    _en("date", r"(?:ends?|ending|closes?|until|till|by) (?:today|tonight|tomorrow|midnight|monday|tuesday|wednesday|thursday|friday|saturday|sunday|this week)|last day(?! of)|(?:tonight|tomorrow) only"),
    _en("date", r"(?:ends?|ending|closes?) soon|last (?:chance|call|few days|day of)|final (?:days?|hours?)|limited[- ]time|for a limited time|hurry up", "offer.ends"),
    _en("date", r"(?:january|february|march|april|may|june|july|august|september|october|november|december) (?:the )?(?:first|second|third|fourth|fifth|\w+th)"),
    _en("stock", r"(?:almost|nearly) (?:gone|sold out|out of stock)|selling (?:out|fast)|going fast|sells out|low stock|limited (?:stock|edition|supply|quantities)|while (?:stocks?|supplies) lasts?|(?:just|only) a (?:few|handful) (?:left|remain(?:ing)?)|last (?:few|ones?|pieces?|pair|pairs)(?: (?:left|in stock))?|running out|few left|first come", "stock"),
    _en("rating", r"best[- ]?sell(?:er|ers|ing)|top[- ]rated|highly rated|five[- ]star|rave reviews|most popular|customer favou?rite", "rating_count"),
    _en("rating", r"everyone(?:'s| is) (?:buying|talking)|everybody(?:'s| is) (?:buying|talking)"),
    _en("gift", r"(?<!-)free (?!of|from|to|up|hand|time|day|afternoon|evening|morning|weekend|as|yourself|your|and|for|in|on|kick|form|run|range|way)\w+|complimentary|gift with purchase", "gift"),
    _en("certificate", r"certified|accredited", "certificate"),
    _en("certificate", r"award[- ]winning|patented|prize[- ]winning"),
    _en("absolute", r"number one|no\. ?one|world[- ]class|world's (?:best|first|finest)|unbeatable|unrivalled|unrivaled|unmatched|the (?:best|finest|cheapest|greatest)(?! (?:part|thing|bit|of both|time|seat|way|kind|friend))|guaranteed?|risk[- ]free|never fails|miracle|cures?|clinically|perfect for everyone|once in a lifetime"),
    _en("promise", r"free (?:delivery|shipping|returns?|postage)|next[- ]day delivery|money[- ]back|lifetime warranty|no questions asked"),
)  # fmt: skip

_NUMERIC = ("price", "list_price", "saving", "discount", "stock", "rating", "rating_count")


def _not(*right: str) -> str:
    """A numeric slot other than these."""
    return r"\{(?:" + "|".join(name for name in _NUMERIC if name not in right) + r")\}"


def _other(*right: str) -> str:
    """Any slot other than these."""
    return r"\{(?!(?:" + "|".join(map(re.escape, right)) + r")\})[^}]*\}"


_MISUSES: tuple[tuple[Language, str], ...] = (
    ("en", _not("saving") + r" (?:off|less|cheaper)\b(?! \{saving\})"),
    ("en", r"\b(?:save|saves|saving|savings of|knock|takes?) (?:you )?" + _not("saving", "discount")),
    ("en", _not() + r" ?(?:percent|per cent)\b"),
    ("en", _not("rating") + r" (?:out of|stars?\b)"),
    ("en", r"\brated " + _not("rating")),
    ("en", _not("stock") + r" (?:are |is )?(?:left|remain|remaining|in stock)\b"),
    ("en", r"\b(?:only|just|last) " + _not("stock", "price") + r"(?! (?:shoppers|people|buyers|customers|reviews|ratings))"),
    ("en", _not("rating_count") + r" (?:shoppers|people|buyers|customers|reviews|ratings)\b"),
    (
        "en",
        r"\{saving\} (?:now|today)\b|\b(?:costs?|for only|for just|now|priced at|yours for|yours at) " + _not("price", "discount", "stock"),
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
    ("zh", r"(?:现价|售价|只要|只需|仅需|到手价?|现在(?:只要|是)?|卖)" + _not("price", "discount")),
    ("zh", _not("rating") + r" ?分"),
)
"""A real value in another value's place: `{price} off`, `打{stock}折`. Read on the line with its slots."""
_MISUSED = tuple((language, re.compile(regex, re.IGNORECASE)) for language, regex in _MISUSES)


def misused(line: str, language: Language) -> tuple[UngroundedClaim, ...]:
    """Slots whose value is said to be what it is not."""
    return tuple(
        UngroundedClaim("slot in a wrong role", match.group(), match.start(), ())
        for wanted, pattern in _MISUSED
        if wanted == language
        for match in pattern.finditer(line)
    )


def fold(text: str) -> str:
    """NFKC with invisible characters removed: what a reader sees, in plain characters."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def numbers_in(text: str) -> Iterator[re.Match[str]]:
    """Digits, percent and currency signs of folded text: what only a slot may bring."""
    return re.finditer(rf"\d[\d.,]*|[%‰{CURRENCY_SIGNS}]", text)


def ungrounded(literal: str, language: Language, available: Collection[str]) -> tuple[UngroundedClaim, ...]:
    """Claims in a run of text between slots that no available slot proves. Chinese copy is read for English claims too."""
    text = fold(literal)
    found = [UngroundedClaim("number", match.group(), match.start(), ()) for match in numbers_in(text)]
    for pattern in PATTERNS:
        if pattern.language == "zh" and language == "en":
            continue
        if pattern.evidence and not set(pattern.evidence).isdisjoint(available):
            continue
        found += [UngroundedClaim(pattern.kind, match.group(), match.start(), pattern.evidence) for match in pattern.regex.finditer(text)]
    return tuple(found)
