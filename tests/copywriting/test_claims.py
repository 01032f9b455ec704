"""What `copywriting/claims.py` promises, one behaviour a test."""

import pytest

from copywriting.claim_patterns import PATTERNS
from copywriting.claims import ungrounded
from copywriting.reading import fold
from copywriting.roles import misused
from copywriting.slots import SLOTS

UNGROUNDED = {
    "zh": {
        "discount": ["全场半价", "打三折", "一折起", "八点五折", "立减优惠",
            "买一送一", "买二送一", "便宜了一半", "价格减半", "满三百减五十", "省一百"],
        "price": ["只要九十九元", "免费送", "全网最低", "十块钱带走"],
        "number": ["续航二十四小时", "百分之九十的人", "卖了三百件，三成是老客", "每天8小时", "保暖两倍", "三百家店"],
        "date": ["今晚截止", "最后一天", "限时抢购", "一月三十一日结束", "周日截止"],
        "stock": ["仅剩几件", "手慢无", "库存告急"],
        "rating": ["好评如潮", "畅销爆款", "五星推荐"],
        "gift": ["随单送一条围巾", "附赠围巾"],
        "certificate": ["获奖之作", "通过权威认证", "专利工艺"],
        "superlative": ["销量第一", "唯一的选择", "顶级面料", "国家级", "最好的大衣", "稳赚不赔", "永不起球"],
        "guarantee": ["包邮到家", "七天无理由退", "终身质保", "次日达"],
    },
    "en": {
        "discount": ["Half price today", "half the price", "Buy one get one", "buy two, get one", "fifty off", "save fifty", "On sale now"],
        "price": ["yours for free", "only five dollars", "the lowest price", "at no cost"],
        "number": ["twenty percent off", "5 left", "three times warmer",
            "two hundred reviews", "thousands of shoppers", "hundreds sold", "only three left"],
        "date": ["ends tonight", "last chance", "limited time", "until Sunday it is yours", "January the fifth"],
        "stock": ["selling fast", "almost gone", "only a few left", "while stocks last"],
        "rating": ["our best-selling coat", "top rated", "five-star comfort", "rave reviews"],
        "gift": ["a free scarf", "a complimentary scarf"],
        "certificate": ["award-winning wool", "certified organic", "a patented zip"],
        "superlative": ["the best coat", "world-class", "guaranteed warmth", "risk-free", "clinically proven", "number one"],
        "guarantee": ["free delivery", "next-day delivery", "money-back"],
    },
}  # fmt: skip
LAWFUL = {
    "zh": [
        "一件大衣，一个冬天。", "第一次见面就喜欢", "第一口茶", "半天时间",
        "十分舒服", "一年四季都能穿", "万一下雨", "千里之外", "三三两两的朋友", "五颜六色",
        "两个人的晚餐", "半杯咖啡", "百搭的颜色", "四季如春", "最近降温了",
        "最后一班地铁", "最初的样子", "最喜欢的位置", "一家三口", "千万别错过", "送给妈妈",
        "免去烦恼", "一日三餐", "成年人的一天",
    ],
    "en": [
        "the one coat you reach for", "two friends, one table", "a free afternoon",
        "feel free to try", "one cup, then another", "the best part of the day",
        "the best seat by the window", "last winter's coat", "twice round the park",
        "for the days ahead", "on a Sunday morning", "in March winds",
        "may your day be calm", "guarded against the wind", "a number of pockets", "your last train home", "free as a bird", "off you go",
    ],
}  # fmt: skip
CLAIMS = [(language, kind, text) for language, kinds in UNGROUNDED.items() for kind, texts in kinds.items() for text in texts]
PLAIN = [(language, text) for language, texts in LAWFUL.items() for text in texts]


@pytest.mark.parametrize(("language", "kind", "text"), CLAIMS)
def test_a_claim_without_a_fact_is_found(language, kind, text):
    assert kind in {claim.kind for claim in ungrounded(text, language, ())}


@pytest.mark.parametrize(("language", "text"), PLAIN)
def test_a_lawful_sentence_is_left_alone(language, text):
    assert ungrounded(text, language, ()) == ()


@pytest.mark.parametrize(
    ("language", "text", "evidence"),
    [
        ("zh", "优惠还在", "discount"), ("zh", "限时抢购", "offer.ends"), ("zh", "所剩不多", "stock"), ("zh", "好评如潮", "rating_count"),
        ("zh", "附赠围巾", "gift"), ("zh", "权威认证", "certificate"), ("en", "on sale", "saving"), ("en", "last chance", "offer.ends"),
        ("en", "selling fast", "stock"), ("en", "top rated", "rating_count"),
        ("en", "a free scarf", "gift"), ("en", "certified", "certificate"),
    ],
)  # fmt: skip
def test_evidence_makes_a_claim_pass(language, text, evidence):
    assert ungrounded(text, language, (evidence,)) == ()
    (claim, *_) = ungrounded(text, language, set(SLOTS) - set(next(iter(ungrounded(text, language, ()))).needs))
    assert evidence in claim.needs


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "打三折"),
        ("zh", "最好的大衣"),
        ("zh", "买一送一"),
        ("zh", "包邮"),
        ("zh", "降价百分之九"),
        ("en", "half price"),
        ("en", "the best coat"),
    ],
)
def test_no_fact_proves_a_number_a_promise_or_an_absolute(language, text):
    assert ungrounded(text, language, SLOTS)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "打８８折"), ("zh", "⑧折"), ("zh", "半\u200b价"), ("zh", "最\ufeff好"),
        ("zh", "１００％"), ("zh", "只要￥９"), ("zh", "½的价"), ("zh", "五⼗元"),
        ("en", "ｈａｌｆ ｐｒｉｃｅ"), ("en", "h\u200balf price"), ("en",
            "ha\u00adlf price"), ("en", "best\u2060-selling"), ("en", "HALF PRICE"), ("en", "²⁰ left"),
        ("en", "𝟓 left"), ("en", "𝐡𝐚𝐥𝐟 𝐩𝐫𝐢𝐜𝐞"), ("en", "\u0665 left"),
    ],
)  # fmt: skip
def test_disguised_characters_are_seen_through(language, text):
    assert ungrounded(text, language, ())


@pytest.mark.parametrize("text", ["9", "1,284", "50%", "‰", "$", "€", "£", "¥", "￥", "₹", "９", "٣", "①", "㊿"])
def test_no_digit_and_no_sign_of_money_stands_outside_a_slot(text):
    assert ungrounded(f"ab {text}", "en", SLOTS)


def test_chinese_copy_is_read_for_english_claims_too():
    assert ungrounded("大衣 half price", "zh", ())


def test_a_claim_says_what_it_is_and_what_would_prove_it():
    (claim,) = ungrounded("It is selling fast", "en", ())
    assert str(claim) == "ungrounded stock 'selling fast': needs one of ['stock']"
    assert claim.start == 6
    (absolute,) = ungrounded("the best coat", "en", ())
    assert "no fact can prove it" in str(absolute)


MISSED = {
    "zh": [
        "九块九带走", "九十九块", "一百零五块", "便宜五十块", "秒杀价", "清仓甩卖", "今日特惠", "史低", "最后一件", "数量有限", "售完即止",
        "先到先得", "仅限今天", "明天就涨价", "已售十万件", "上千条好评", "月销过万", "百年老字号", "三十天试穿", "第二件半价", "零差评",
        "人手一件", "荣获金奖",
    ],
    "en": [
        "a third off", "a quarter off", "two for one", "clearance", "price slashed", "rock-bottom prices", "cheaper than ever",
        "now under fifty", "sixteen hours", "eighteen colours", "Only nineteen left", "nearly out of stock", "going fast",
        "last pair in stock", "Today only", "prices go up tomorrow", "loved by thousands", "forty-five minutes", "everyone is buying it",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("language", "text"), [(language, text) for language, texts in MISSED.items() for text in texts])
def test_a_claim_in_everyday_words_is_found(language, text):
    assert ungrounded(text, language, ())


@pytest.mark.parametrize(
    ("language", "text", "evidence"),
    [
        ("en", "on sale", ("gift", "offer.ends")), ("en", "only nineteen dollars", ("gift",)), ("en", "ends tonight", ("offer.ends",)),
        ("en", "last day", ("offer.ends",)), ("en", "award-winning", ("certificate",)), ("zh", "打折促销", ("gift",)),
        ("zh", "今晚截止", ("offer.ends",)), ("zh", "最后一天", ("offer.ends",)), ("zh", "零差评", ("rating_count",)),
        ("zh", "专利", ("certificate",)),
    ],
)  # fmt: skip
def test_a_fact_proves_no_more_than_it_says(language, text, evidence):
    assert ungrounded(text, language, evidence)


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "{name} is {price} off"), ("en", "Save {price} on {name}"), ("en", "{name} is {stock} percent off"),
        ("en", "{name} is {saving} now"), ("en", "{name} has {rating_count} stars"), ("en", "Rated {price} by all"),
        ("en", "{name} by {price}"), ("en", "{name} in {price}"), ("en", "{name}, made of {color}"), ("en", "a coat by {material}"),
        ("zh", "{name}来自{price}"), ("zh", "产自{brand}"), ("zh", "材质是{color}"), ("zh", "颜色是{material}"),
        ("en", "Only {rating_count} left"), ("en", "{name}, now {saving}"), ("en", "{stock} shoppers love it"),
        ("zh", "{name}打{stock}折"), ("zh", "{name}省{price}"), ("zh", "满{price}减{list_price}"), ("zh", "只剩{rating_count}件"),
        ("zh", "现价{saving}"), ("zh", "{stock}位买家"), ("zh", "评分{rating_count}分"),
    ],
)  # fmt: skip
def test_a_value_in_another_values_place_is_found(language, line):
    assert misused(line, language)


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "{name} is {discount}: save {saving}, pay {price}"), ("en", "{stock} left, rated {rating} by {rating_count} shoppers"),
        ("en", "{name} by {brand} in {color}, made of {material}, from {origin}"), ("en", "down by {saving}, by {offer.ends}"),
        ("zh", "来自{origin}，材质是{material}，颜色是{color}"), ("zh", "来自{rating_count}位买家"),
        ("en", "Was {list_price}, now {price}"), ("en", "{list_price} less {saving}"), ("en", "Only {price}"),
        ("zh", "{name}{discount}，现价{price}，省{saving}"), ("zh", "只剩{stock}件，{rating_count}位买家评分{rating}"),
        ("zh", "原价{list_price}，到手{price}"),
    ],
)  # fmt: skip
def test_a_value_in_its_own_place_is_left_alone(language, line):
    assert misused(line, language) == ()


def test_evidence_is_a_slot_that_exists():
    assert {slot for pattern in PATTERNS for slot in pattern.evidence} <= SLOTS.keys()


def test_folding_gives_plain_characters():
    assert fold("ｆｕｌｌ\u200b　１２") == "full 12"
