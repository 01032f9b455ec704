"""Find what a reader could hold us to in the words between slots, and bind it to a fact or report it as ungrounded.

A first ledger: numbers in digits or words, discounts, prices, dates and deadlines, stock, ratings, gifts and a few absolutes, in
Chinese and English. Text is folded first (NFKC, zero-width characters removed), so full-width digits are seen. Materials, origins,
comparisons and the law of each country are not here.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from copywriting.channels import Language

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_ZH_NUMBER = "[零〇一二两三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾佰仟半几数]"
_EN_NUMBER = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|"
    r"hundreds?|thousands?|millions?|dozens?|half|double|triple|twice)"
)


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
    _zh("discount", rf"{_ZH_NUMBER}+(?:点{_ZH_NUMBER}+)?折|骨折|腰斩|半价|对折|买[一二两三四五]+[送赠]|(?:便宜|省|少|减)了?(?:一|大)半|一半的?价|减半"),
    _zh("discount", rf"满{_ZH_NUMBER}+[元块]?[减送]|(?:省|减|便宜)了?{_ZH_NUMBER}*[百千万]"),
    _zh("discount", r"打折|折扣|降价|特价|优惠|直降|立减|立省|满减|促销|大促|省下", "discount", "saving", "gift"),
    _zh("price", rf"{_ZH_NUMBER}+(?:块钱|元|毛钱|分钱|美元|英镑)|[十百千万]块(?!布|板|砖|石|地|糖|头)"),
    _zh("price", r"免费|白送|零元|不要钱|全网最低|最低价|底价", "gift"),
    _zh("number", rf"(?<![一半几数])(?:(?![一半几数]){_ZH_NUMBER})+(?:小时|分钟|个月)|{_ZH_NUMBER}+(?:倍|成(?![为长就员熟不])|周年|年(?:保修|质保|老店|历史)|公斤|斤|克|厘米|毫升|升|瓦|毫安)"),
    _zh("number", r"百分之|(?<![一二两])[两三四五六七八九十百千万]+(?:位|名|人|款|重|层|项|家|国)(?!都|之|人)"),
    _zh("number", r"[百千万]+(?:多|余|来)?(?:人|位|名)|双倍|翻倍"),
    _zh("date", r"今[天日晚]截止|明[天日]截止|今晚[^，。！]{0,4}(?:结束|恢复)|最后(?:一天|[一二两三四五六七八九十]+天|几天|机会|一波)|限时|倒计时|即将结束|马上结束", "offer.ends"),
    _zh("date", rf"{_ZH_NUMBER}+月{_ZH_NUMBER}+[日号]|(?:周|星期|礼拜)[一二三四五六日天](?:截止|结束|恢复|前)"),
    _zh("stock", r"仅剩|只剩|所剩不多|库存(?:不多|告急|紧张|有限)|即将售罄|快卖完|抢完|断货|绝版|限量|手慢无|最后几[件份个]", "stock"),
    _zh("rating", r"好评如潮|零差评|好评率|五星(?:好评|推荐)|口碑爆棚|回头客|热销|爆款|畅销|卖爆|人手一", "rating_count"),
    _zh("gift", r"赠送|附赠|加赠|随单送|送你一[份件]|有赠品", "gift"),
    _zh("certificate", r"获奖|荣获|金奖|权威认证|通过.{0,6}认证|官方认证|专利", "certificate"),
    _zh("absolute", r"第一(?!次|眼|天|口|步|时间|反应|页|章|印象|句|个|杯|缕|晚|声|束|件|人称|站|课|本|双|场|件事|笔|张|位|顿|名字|趟|周|年)|唯一|顶级|极致|国家级|世界级|全球首|史上|绝无仅有|永不|百分百|万能|包治|根治|稳赚|保本|零风险|无风险|零添加|冠军|极品|首选"),
    _zh("absolute", r"最(?:好|佳|低|高|强|大|便宜|优|先进|顶|全|新款|畅销|受欢迎|暖|舒服|舒适|划算|实惠|轻薄|轻便|柔软|耐用|结实|安全|健康|有效|专业|实用|漂亮|时尚)"),
    _zh("promise", r"包邮|免邮|无理由退|假一赔|终身(?:保修|质保)|次日达|当日达|七天"),
    _en("discount", r"half[- ]price|half off|half (?:the|its|their|our) (?:usual |normal )?price|buy (?:one|two|three),? get|bogo"),
    _en("discount", rf"{_EN_NUMBER} off|save (?:an? )?{_EN_NUMBER}"),
    _en("discount", r"discount(?:s|ed)?|on sale|sale price|reduced price|price drop|marked down|bargain|save (?:big|now|today)", "discount", "saving", "offer.ends"),
    _en("price", r"for free|free of charge|free gift|at no cost|lowest price|cheapest|(?:dollars?|pounds?|euros?|bucks|cents|pence|quid)", "gift"),
    _en("number", rf"{_EN_NUMBER}(?:[- ](?:and|hundred|thousand|million|dozen))*[- ](?:percent|per cent|times|x|hours?|minutes?|days?|weeks?|months?|years?|stars?|dollars?|pounds?|kilos?|grams?|litres?|liters?|inches|miles|people|customers|shoppers|buyers|reviews?|ratings?|colou?rs?)"),
    _en("number", r"(?:hundreds|thousands|millions|dozens) (?:of|sold)"),
    _en("number", rf"(?:only|just) {_EN_NUMBER} (?:left|remain(?:ing)?)|last {_EN_NUMBER}(?! (?:of|minutes|hours|days|weeks|months|years))|(?:twice|{_EN_NUMBER} times) as"),
    _en("absolute", r"the (?:warmest|softest|lightest|fastest|strongest|safest|toughest|smartest|lowest|highest|healthiest) \w+|(?:best|lowest) prices?|one of a kind|(?:doctor|dentist|vet|dermatologist)[- ](?:recommended|approved)"),
    _en("date", r"(?:ends?|ending|closes?|until|till|by) (?:today|tonight|tomorrow|midnight|soon|monday|tuesday|wednesday|thursday|friday|saturday|sunday|this week)|last (?:chance|day|call|few days)|final (?:days?|hours?)|limited[- ]time|for a limited time|hurry up", "offer.ends"),
    _en("date", r"(?:january|february|march|april|june|july|august|september|october|november|december) (?:the )?(?:first|second|third|fourth|fifth|\w+th)"),
    _en("stock", r"(?:almost|nearly) (?:gone|sold out)|selling (?:out|fast)|sells out|low stock|limited (?:stock|edition|supply|quantities)|while (?:stocks?|supplies) lasts?|(?:just|only) a (?:few|handful) (?:left|remain(?:ing)?)|last (?:few|ones?|pieces?)(?: left)?|running out|few left", "stock"),
    _en("rating", r"best[- ]?sell(?:er|ers|ing)|top[- ]rated|highly rated|five[- ]star|rave reviews|most popular|customer favou?rite|everyone(?:'s| is) (?:buying|talking)", "rating_count"),
    _en("gift", r"free (?!of|from|to|up|hand|time|day|afternoon|evening|morning|weekend|as|yourself|your|and|for|in|on|kick|form|run|range|way)\w+|complimentary|gift with purchase", "gift"),
    _en("certificate", r"award[- ]winning|certified|accredited|patented|prize[- ]winning", "certificate"),
    _en("absolute", r"number one|no\. ?one|world[- ]class|world's (?:best|first|finest)|unbeatable|unrivalled|unrivaled|unmatched|the (?:best|finest|cheapest|greatest)(?! (?:part|thing|bit|of both|time|seat|way|kind|friend))|guaranteed?|risk[- ]free|never fails|miracle|cures?|clinically|perfect for everyone|once in a lifetime"),
    _en("promise", r"free (?:delivery|shipping|returns?|postage)|next[- ]day delivery|money[- ]back|lifetime warranty|no questions asked"),
)  # fmt: skip


def fold(text: str) -> str:
    """NFKC with invisible characters removed: what a reader sees, in plain characters."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def numbers_in(text: str) -> Iterator[re.Match[str]]:
    """Digits, percent and currency signs of folded text: what only a slot may bring."""
    return re.finditer(r"\d[\d.,]*|[%‰$€£¥₹₽₩]", text)


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
