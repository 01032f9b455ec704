"""Plausible values for slots, and flat catalogue statements: what copy looks like filled, and what it looks like with no appeal at all.

Everything is drawn with a seeded generator from short word lists, so that the persuasion scorer learns the words between the slots
rather than one shop's product names.
"""

from random import Random

from copywriting.channels import Language
from copywriting.occasions import NAMES

_WORDS: dict[Language, dict[str, tuple[str, ...]]] = {
    "zh": {
        "brand": ("青禾", "木白", "山野集", "北岸", "知夏", "拾光", "云上", "Lumo", "Arden", "星野"),
        "thing": (
            "羊毛大衣",
            "保温杯",
            "降噪耳机",
            "面霜",
            "四件套",
            "绿茶",
            "跑鞋",
            "台灯",
            "拼图",
            "背包",
            "猫粮",
            "理财计划",
            "绘本",
            "童车",
            "精华液",
            "机械键盘",
        ),
        "style": ("轻量", "经典", "加厚", "便携", "柔软", "简约", "复古", "透气"),
        "gift": ("旅行装面霜", "收纳袋", "明信片", "试用装", "帆布袋", "一对杯垫", "替换头"),
        "certificate": ("OEKO-TEX Standard 100", "有机产品认证", "红点设计奖", "中国质量认证", "IPX7防水认证"),
        "material": ("羊毛", "长绒棉", "亚麻", "头层牛皮", "榉木", "不锈钢", "玻尿酸", "再生尼龙"),
        "color": ("藏青色", "米白色", "墨绿色", "焦糖色", "浅灰色", "雾蓝色"),
        "origin": ("杭州", "景德镇", "内蒙古", "云南", "苏州", "安溪"),
        "feature": ("双层防风门襟", "静音按键", "可拆洗内胆", "加宽鞋楦", "三档色温", "隐藏口袋", "防滑底座", "快干面料", "一键收合"),
        "person": ("小林", "阿月", "陈先生", "晓雯", "老周"),
        "city": ("杭州", "成都", "广州", "青岛", "西安", "南京"),
    },
    "en": {
        "brand": ("Arden", "Northbank", "Lumo", "Hale & Fern", "Kestrel", "Juniper", "Oakline", "Marlow"),
        "thing": (
            "wool coat",
            "travel mug",
            "headphones",
            "face cream",
            "linen set",
            "green tea",
            "running shoes",
            "desk lamp",
            "puzzle",
            "backpack",
            "cat food",
            "savings plan",
            "picture book",
            "stroller",
            "serum",
            "keyboard",
        ),
        "style": ("lightweight", "classic", "padded", "portable", "soft", "plain", "everyday", "breathable"),
        "gift": ("a travel-size cream", "a storage pouch", "a postcard set", "a sample pack", "a canvas tote", "a pair of coasters"),
        "certificate": ("OEKO-TEX Standard 100", "the Red Dot award", "organic certification", "IPX7 rating", "the B Corp mark"),
        "material": ("wool", "long-staple cotton", "linen", "full-grain leather", "beech", "stainless steel", "recycled nylon"),
        "color": ("navy", "ivory", "forest green", "caramel", "light grey", "dusty blue"),
        "origin": ("Hangzhou", "Porto", "Scotland", "Kyoto", "Oregon", "Leeds"),
        "feature": (
            "a double storm placket",
            "silent keys",
            "a removable liner",
            "a wide toe box",
            "dimmable light",
            "a hidden pocket",
            "quick-dry fabric",
        ),
        "person": ("Maya", "Tom", "Priya", "Jordan", "Ellen"),
        "city": ("London", "Leeds", "Boston", "Chicago", "Austin", "Bristol"),
    },
}
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_CURRENCY: dict[Language, tuple[str, ...]] = {"zh": ("¥",), "en": ("$", "£")}
_FLAT: dict[Language, tuple[str, ...]] = {
    "zh": (
        "{name}，{brand}，{price}。",
        "品名：{name}。材质：{material}。颜色：{color}。",
        "{name}。产地：{origin}。材质：{material}。",
        "商品名称 {name}\n品牌 {brand}\n颜色 {color}",
        "{name}，颜色为{color}，材质为{material}，售价{price}。",
        "{name}现有库存。",
        "这是{name}。它的颜色是{color}。",
        "{brand}{name}，{feature}，{feature_2}，{color}。",
        "{name}\n{material}\n{origin}",
        "商品：{name}；价格：{price}；评分：{rating}。",
        "名称：{name}，价格：{price}。本页面介绍该商品。",
    ),
    "en": (
        "{name}, {brand}, {price}.",
        "Product: {name}. Material: {material}. Colour: {color}.",
        "{name}. Origin: {origin}. Material: {material}.",
        "Product name {name}\nBrand {brand}\nColour {color}",
        "{name} is {color} and is made of {material}. The price is {price}.",
        "{name} is in the catalogue.",
        "This is {name}. Its colour is {color}.",
        "{brand} {name}, {feature}, {feature_2}, {color}.",
        "{name}\n{material}\n{origin}",
        "Item: {name}; price: {price}; rating: {rating}.",
        "Name: {name}, price: {price}. This page describes the item.",
    ),
}
"""Statements that inform and do not appeal: the negative of every principle."""


_ANSWERS: dict[Language, tuple[str, ...]] = {
    "zh": ("下单后24小时内发出，一般2到4天送到。", "签收后7天内都可以退。", "材质是棉。", "满99元免运费。"),
    "en": (
        "Orders leave us within one working day.",
        "You can return it within 30 days.",
        "Material: cotton.",
        "Delivery is free over $49.",
    ),
}


def slot_values(language: Language, occasion: str, random: Random) -> dict[str, str]:
    """A value for every slot of the vocabulary."""
    words = _WORDS[language]
    pick = {key: random.choice(values) for key, values in words.items()}
    sign = random.choice(_CURRENCY[language])
    price, saving = random.randint(9, 999), random.randint(5, 200)
    percent, month, day = random.choice((5, 10, 15, 20, 25, 30, 40, 50)), random.randint(1, 12), random.randint(1, 28)
    return {
        "name": _name(language, pick),
        "recent": _name(language, {key: random.choice(values) for key, values in words.items()}),
        "brand": pick["brand"],
        "price": f"{sign}{price}",
        "list_price": f"{sign}{price + saving}",
        "saving": f"{sign}{saving}",
        "discount": f"{(100 - percent) / 10:g}折" if language == "zh" else f"{percent}% off",
        "offer.ends": f"{month}月{day}日" if language == "zh" else f"{day} {_MONTHS[month - 1]}",
        "offer": _terms(language, sign, random),
        "gift": pick["gift"],
        "stock": str(random.randint(1, 20)),
        "availability": "现货" if language == "zh" else "in stock",
        "rating": f"4.{random.randint(0, 9)}" + ("分" if language == "zh" else " out of 5"),
        "rating_count": f"{random.randint(20, 9000):,}",
        "certificate": pick["certificate"],
        "material": pick["material"],
        "color": pick["color"],
        "origin": pick["origin"],
        "feature": pick["feature"],
        "feature_2": random.choice(words["feature"]),
        "also": _name(language, {key: random.choice(values) for key, values in words.items()}),
        "also.price": f"{sign}{saving}",
        "total": f"{sign}{price + saving}",
        "answer": random.choice(_ANSWERS[language]),
        "occasion": NAMES.get(occasion, {}).get(language, "周末" if language == "zh" else "the weekend"),
        "shopper.name": pick["person"],
        "shopper.city": pick["city"],
    }


def _terms(language: Language, sign: str, random: Random) -> str:
    """Terms of an offer on a larger order."""
    if random.random() < 0.5:
        return "买2件送1件" if language == "zh" else "buy 2, get 1 free"
    save = random.choice((10, 20, 30, 50, 80))
    return f"满{save * 6}减{save}" if language == "zh" else f"{sign}{save} off when you spend {sign}{save * 6}"


def _name(language: Language, pick: dict[str, str]) -> str:
    return f"{pick['style']}{pick['thing']}" if language == "zh" else f"{pick['style'].capitalize()} {pick['thing']}"


def flat_statement(language: Language, random: Random) -> str:
    """A template that states catalogue facts and nothing else."""
    return random.choice(_FLAT[language])
