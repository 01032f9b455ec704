"""Six requests that show what Suasion does, three in Chinese and three in English, and how their answers look on a terminal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow.compute as pc
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from retrieval import tables

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One request and why it is asked."""

    title: str
    body: dict[str, Any]


def scenes(shop: Path) -> list[Scene]:
    """Requests about this shop's own shoppers and products."""
    shoppers = tables.read(shop, "shoppers")
    events = tables.read(shop, "events")
    buyers = set(events.filter(pc.equal(events["kind"], "purchase"))["shopper_id"].to_pylist())
    rows = [row for row in shoppers.to_pylist() if row["shopper_id"] in buyers]
    named = next(
        r for r in rows if r["consent"] and r["consent_until"] is None and r["locale"] == "zh-CN" and dict(r["attributes"]).get("name")
    )
    without = next(r for r in rows if not r["consent"] and r["locale"] == "en-GB")
    return [
        Scene(f"a product recommended to {named['shopper_id']}, who agreed to it", {"shopper_id": named["shopper_id"], "channel": "push"}),
        Scene(
            "a given product", {"product_id": "electronics-headphones-1", "channel": "product_page", "locale": "en-US", "tone": "expert"}
        ),
        Scene("a search", {"query": "适合冬天的羽绒服", "channel": "sms", "locale": "zh-CN", "tone": "urgent"}),
        Scene(
            f"{without['shopper_id']}, who withdrew consent", {"shopper_id": without["shopper_id"], "channel": "email", "locale": "en-GB"}
        ),
        Scene("a shopper never seen before", {"shopper_id": "nobody-knows-me", "channel": "social", "locale": "en-US", "tone": "playful"}),
        Scene(
            "a reply in a chat",
            {
                "query": "送爸爸的茶",
                "channel": "chat_reply",
                "locale": "zh-CN",
                "conversation": [{"role": "shopper", "text": "想给爸爸买点茶，预算不高，有优惠吗？"}],
            },
        ),
    ]


def ask(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST one request. Raises httpx.HTTPStatusError with the problem's text for anything but 200."""
    response = httpx.post(f"{url}/v1/copy", json={"deadline_ms": 30_000, **body}, timeout=TIMEOUT_S)
    if response.status_code != 200:
        raise httpx.HTTPStatusError(f"{response.status_code}: {response.text}", request=response.request, response=response)
    answer: dict[str, Any] = response.json()
    return answer


def show(console: Console, number: int, scene: Scene, answer: dict[str, Any]) -> None:
    """One answer: the chosen copy large, the facts that prove it, the other choices small."""
    best = answer["choices"][0]
    product = answer["products"][0]
    text = Text(best["text"], style="bold")
    for claim in best["claims"]:
        text.stylize("bold green", claim["start"], claim["end"])
    proofs = ", ".join(f"{claim['slot']} ← {claim['source']}" for claim in best["claims"])
    facts = Table.grid(padding=(0, 2))
    facts.add_row("product", f"{product['name']} ({product['product_id']}, {product['reason']})")
    facts.add_row("proved by", proofs)
    facts.add_row("scores", _scores(best["scores"]))
    facts.add_row("picture", str(best["image"]))
    facts.add_row("others", "\n".join(f"· {choice['text']}".replace("\n", " / ") for choice in answer["choices"][1:]))
    facts.add_row("time", f"{answer['timings_ms']['total']:.0f} ms, {answer['usage']['output_tokens']} tokens, origin {best['origin']}")
    if answer["degraded"] or answer["notices"]:
        notices = [f"{notice['field']} {notice['value']!r}: {notice['detail']}" for notice in answer["notices"]]
        facts.add_row("note", "; ".join([*answer["degraded"], *notices]))
    title = f"{number}. {scene.title} · {answer['locale']} · {answer['channel']}"
    console.print(Panel(Group(text, "", facts), title=title, title_align="left"))


def _scores(scores: dict[str, Any]) -> str:
    names = ("utility", "persuasion", "sentiment", "image_fit")
    shown = [f"{name} {scores[name]:.2f}" for name in names if scores[name] is not None]
    return " ".join([*shown, *([f"response {scores['response']:.1%}"] if scores["response"] is not None else [])])
