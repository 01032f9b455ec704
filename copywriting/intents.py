"""What a shopper in a chat wants, read from the last turn by keyword, zh and en. A learned classifier is not here."""

import re
from collections.abc import Sequence

from copywriting.brief import Turn

ANSWERS = {"price": ("price",), "stock": ("stock", "availability"), "question": ("answer",)}
"""Intent → the slots of which a reply must hold one, where the product has it: who asks for a price is told the price."""

_SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (intent, re.compile(pattern, re.IGNORECASE))
    for intent, pattern in (
        ("complaint", r"投诉|差评|坏了|破了|退款|退货|不满意|太差|生气|失望|没收到|complain|broken|refund|damaged|arrived late|never arrived|terrible|disappointed|wrong item"),
        ("stock", r"有货|还有吗|库存|缺货|断货|补货|现货|in stock|still available|sold out|left in|back in"),
        ("price", r"多少钱|价格|便宜|优惠|打折|折扣|贵|预算|how much|price|cheap|discount|deal|expensive|budget|cost"),
        ("quality", r"质量|质感|材质|面料|怎么样|好用吗|靠谱|正品|耐用|起球|quality|material|made of|durable|any good|reliable|genuine|last long|reviews"),
        ("hesitation", r"犹豫|考虑|再想想|纠结|不确定|怕|担心|适合我吗|要不要|not sure|hesitat|thinking about|worr|undecided|maybe later|on the fence|is it right"),
    )
)  # fmt: skip


def intent_of(conversation: Sequence[Turn]) -> str:
    """The intent of the shopper's last turn; `recommend` where nothing else is plain or nobody has spoken."""
    asked = next((turn.text for turn in reversed(conversation) if turn.role == "shopper"), "")
    return next((intent for intent, sign in _SIGNS if sign.search(asked)), "recommend")
