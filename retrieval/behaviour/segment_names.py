"""Readable, unique names of segments in English and Chinese, from what sets each segment's mean shopper apart.

A name says what is strongest of: how they buy, when, what of, and at which prices; where two segments would be called the same, more is
said of each until they differ. What is told is a tendency of the group, never of one person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CLEAR = 0.35
"""Standard deviations from the mean shopper that are worth a word."""

_IN_CHINESE = """
outerwear=外套 dresses=连衣裙 knitwear=针织衫 shoes=鞋靴 bags=箱包 skincare=护肤 makeup=彩妆
haircare=护发 fragrance=香氛 suncare=防晒 bedding=床品 kitchenware=厨具 lighting=灯具 storage=收纳
decor=家饰 tea=茶 coffee=咖啡 snacks=零食 pantry=粮油 fruit=水果 headphones=耳机 keyboards=键盘
speakers=音箱 smartwatches=智能手表 chargers=充电器 running=跑步 yoga=瑜伽 cycling=骑行 camping=露营
swimming=游泳 novels=小说 picture_books=绘本 cookbooks=菜谱 history=历史书 self_growth=成长书
building_blocks=积木 puzzles=拼图 plush=毛绒玩具 board_games=桌游 ride_ons=童车 savings=储蓄
funds=基金 insurance=保险 credit_cards=信用卡 pensions=养老金 luggage=行李箱 city_breaks=城市游
hotels=酒店 rail_passes=铁路通票 travel_accessories=旅行用品 cat_food=猫粮 dog_food=狗粮
pet_beds=宠物窝 pet_toys=宠物玩具 grooming=宠物美容 feeding=喂养 strollers=婴儿车 baby_clothing=婴儿服
bath=沐浴 nursery=婴儿房 fashion=服饰 beauty=美妆 home=家居 food=食品 electronics=数码 sport=运动
books=图书 toys=玩具 finance=理财 travel=旅行 pet=宠物 baby=母婴 general=综合
"""
KINDS_ZH = dict(pair.split("=") for pair in _IN_CHINESE.split())
"""Kind or vertical → what it is called in Chinese."""


@dataclass(frozen=True, slots=True)
class Name:
    """One segment's name in both languages."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Word:
    """What is said of one direction of a trait. `place`: who (with room for when), when (`evening`), or a remark
    after them (`budget-minded`)."""

    place: str
    en: str
    zh: str


WORDS: dict[tuple[str, bool], Word] = {
    ("frequency", True): Word("who", "loyal {when}buyers", "老顾客"),
    ("frequency", False): Word("who", "occasional {when}buyers", "偶尔下单的顾客"),
    ("orders_per_visit", True): Word("who", "decided {when}buyers", "果断买家"),
    ("orders_per_visit", False): Word("who", "{when}browsers", "逛客"),
    ("sessions", True): Word("who", "frequent {when}visitors", "常客"),
    ("sessions", False): Word("who", "occasional {when}visitors", "稀客"),
    ("monetary", True): Word("after", "big spenders", "消费高"),
    ("monetary", False): Word("after", "small spenders", "消费低"),
    ("recency_days", True): Word("after", "not seen lately", "近期未到访"),
    ("recency_days", False): Word("after", "seen lately", "近期到访"),
    ("price_quantile", True): Word("after", "premium-minded", "偏爱高价"),
    ("price_quantile", False): Word("after", "budget-minded", "看重实惠"),
    ("night", True): Word("when", "night", "深夜"),
    ("morning", True): Word("when", "morning", "上午"),
    ("afternoon", True): Word("when", "afternoon", "下午"),
    ("evening", True): Word("when", "evening", "晚间"),
    ("weekend", True): Word("after", "mostly at weekends", "多在周末"),
    ("weekend", False): Word("after", "mostly on weekdays", "多在工作日"),
}


@dataclass(frozen=True, slots=True)
class _Said:
    """What may be said of one segment, strongest first."""

    who: Word
    when: Word | None
    kinds: list[str]
    after: list[Word]

    def name(self, remarks: int, kinds: int) -> Name:
        """With so many remarks and kinds."""
        said, loved = self.after[:remarks], self.kinds[:kinds]
        of = " of " + " and ".join(kind.replace("_", " ") for kind in loved) if loved else ""
        english = self.who.en.format(when=f"{self.when.en} " if self.when else "") + of
        love = "、".join(KINDS_ZH.get(kind, kind) for kind in loved)
        chinese = (self.when.zh if self.when else "") + (f"爱{love}的" if love else "") + self.who.zh
        return Name(", ".join([english, *(word.en for word in said)]).capitalize(), ",".join([chinese, *(word.zh for word in said)]))


def names(traits: Sequence[Mapping[str, float]]) -> list[Name]:
    """A different name for each segment, from trait → deviations from the mean shopper."""
    said = [_said(mine) for mine in traits]
    detail = [(1, 1)] * len(said)
    for more in ((2, 1), (2, 2), (3, 2), (4, 3), (6, 4)):
        made = [one.name(*how) for one, how in zip(said, detail, strict=True)]
        repeated = [number for number in range(len(made)) if not _single(made, number)]
        if not repeated:
            return made
        for number in repeated:
            detail[number] = more
    made = [one.name(*how) for one, how in zip(said, detail, strict=True)]
    return [
        name if _single(made, number) else Name(f"{name.en} ({number + 1})", f"{name.zh}({number + 1})") for number, name in enumerate(made)
    ]


def _single(made: Sequence[Name], number: int) -> bool:
    """Is a name the only one of its kind in both languages."""
    return all(other.en != made[number].en and other.zh != made[number].zh for at, other in enumerate(made) if at != number)


def _said(traits: Mapping[str, float]) -> _Said:
    ordered = sorted(traits, key=lambda trait: (-abs(traits[trait]), trait))
    clear = [trait for trait in ordered if abs(traits[trait]) >= CLEAR]
    words = [word for trait in clear if (word := WORDS.get((trait, traits[trait] > 0)))]
    who = next((word for word in words if word.place == "who"), Word("who", "{when}shoppers", "顾客"))
    when = next((word for word in words if word.place == "when"), None)
    plain = {trait for trait, _ in WORDS}
    kinds = [trait for trait in clear if trait not in plain and traits[trait] > 0]
    return _Said(who, when, kinds, [word for word in words if word.place == "after"])
