"""Two prompt styles for one brief: a chat for instruction-tuned models, compact tags for the small base that this project trains.

Both ask for the channel's parts, one per line, with facts as slots. The tags are single tokens of the small model's tokenizer; a
training pair is `compact(brief)` followed by the piece's template.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from copywriting.brief import Brief
from copywriting.channels import CHANNELS
from copywriting.lexicon import aspects
from copywriting.occasions import tag_of
from copywriting.principles import PRINCIPLES
from copywriting.slots import SLOTS
from copywriting.taxonomy import GENERAL, INTENTS, OCCASIONS, TONES, VERTICALS
from copywriting.variety import OPENINGS, STRUCTURES
from copywriting.voices import Manner

PromptStyle = Literal["chat", "compact"]
Messages = list[dict[str, str]]

COPY_TAG = "<|copy|>"
_ANY_KIND = "<|kind:any|>"
_NO_INTENT = "<|intent:none|>"
_ANY = "any"


_OPENINGS = {
    "question": "Begin with a question.",
    "product": "Begin with {name}.",
    "fact": "Begin with a slot that holds a number or a date.",
    "address": "Begin by speaking to the reader.",
    "scene": "Begin with a scene.",
}


def compact_tags() -> tuple[str, ...]:
    """Every tag that `compact` may write: the special tokens of the small model's tokenizer."""
    return (
        "<|zh|>",
        "<|en|>",
        *(f"<|channel:{name}|>" for name in CHANNELS),
        *(f"<|vertical:{name}|>" for name in (*VERTICALS, GENERAL)),
        _ANY_KIND,
        *(f"<|kind:{kind}|>" for kinds in VERTICALS.values() for kind in kinds),
        *(f"<|tone:{name}|>" for name in TONES),
        *(f"<|occasion:{name}|>" for name in OCCASIONS),
        _NO_INTENT,
        *(f"<|intent:{name}|>" for name in INTENTS),
        *(f"<|principle:{name}|>" for name in PRINCIPLES),
        *(f"<|opening:{name}|>" for name in (_ANY, *OPENINGS)),
        *(f"<|structure:{name}|>" for name in (_ANY, *STRUCTURES)),
        *(f"<|has:{slot}|>" for slot in SLOTS),
        COPY_TAG,
    )


def compact(brief: Brief) -> str:
    """The brief as tags; the model goes on with the copy. What no tag says (doubts, the market) works through the choice. The lists,
    which vary in length, come first: what every brief has is always at the same distance from the copy, which a small model finds more
    easily."""
    brief = writable(brief, "compact")
    return "".join(
        (
            *(f"<|has:{slot}|>" for slot in brief.slots),
            *(f"<|principle:{name}|>" for name in brief.principles),
            f"<|opening:{brief.opening or _ANY}|>",
            f"<|structure:{brief.structure or _ANY}|>",
            f"<|tone:{brief.tone}|>",
            f"<|occasion:{brief.occasion}|>",
            f"<|intent:{brief.intent}|>" if brief.intent else _NO_INTENT,
            f"<|{brief.language}|>",
            f"<|channel:{brief.channel.name}|>",
            f"<|vertical:{brief.vertical}|>",
            f"<|kind:{brief.kind}|>" if brief.kind in VERTICALS.get(brief.vertical, ()) else _ANY_KIND,
            COPY_TAG,
        )
    )


def chat(brief: Brief) -> Messages:
    """The brief as a chat for an instruction-tuned model; its own chat template turns this into tokens."""
    slots = "\n".join(f"- {{{slot}}}: {SLOTS[slot].holds}" for slot in brief.slots)
    system = (
        f"You write marketing copy in {'Simplified Chinese' if brief.language == 'zh' else 'English'}. "
        "Never write a product name, number, price, date or offer yourself: write the slot in braces and it is filled in later. "
        "Say only what the notes say of the product. No superlatives, no emoji, no explanations.\n"
        f"Slots you may use:\n{slots}"
    )
    if brief.manner:
        system += "\n" + _manner(brief.manner)
    return [{"role": "system", "content": system}, *_earlier(brief), {"role": "user", "content": _request(brief)}]


def _manner(manner: Manner) -> str:
    lines = [f"How the brand speaks: {manner.says}"]
    if manner.samples:
        lines.append("Lines that sound right: " + " | ".join(manner.samples))
    if manner.never:
        lines.append("Never write: " + ", ".join(manner.never))
    return "\n".join(lines)


def _earlier(brief: Brief) -> Messages:
    roles = {"shopper": "user", "shop": "assistant"}
    return [{"role": roles[turn.role], "content": turn.text} for turn in brief.conversation]


def _request(brief: Brief) -> str:
    lines = [
        f"Write one {brief.channel.name.replace('_', ' ')} of at most {brief.max_chars} characters: "
        f"{', then '.join(brief.channel.parts)}, one per line.",
        f"Tone: {brief.tone}. Occasion: {brief.occasion}. Persuade by: {', '.join(brief.principles) or 'plain description'}.",
        f"Product: {brief.vertical}{f' / {brief.kind}' if brief.kind else ''}. Use {{name}} once or more.",
        "Notes: " + " | ".join(brief.about),
    ]
    if brief.opening:
        lines.append(_OPENINGS[brief.opening])
    if brief.structure:
        lines.append("Be short." if brief.structure == "brief" else "Take the room that there is.")
    if brief.interests:
        lines.append(f"The reader is interested in: {', '.join(brief.interests)}.")
    if brief.doubts:
        lines.append(
            f"The reader has doubted: {_labels(brief.doubts)}. Answer it from the notes if they say something about it; else leave it."
        )
    if brief.likings:
        lines.append(f"The reader has liked in what they bought: {_labels(brief.likings)}. Begin there if the notes do.")
    if brief.market:
        lines.append(
            f"For your judgement only, never to be written: {'; '.join(brief.market)}. "
            "Give this product's own reasons; name no competitor and repeat none of their numbers."
        )
    if brief.must_include:
        lines.append(f"Include word for word: {'; '.join(brief.must_include)}.")
    if brief.intent:
        lines.append(f"It answers a shopper in a chat who wants: {brief.intent}.")
    return "\n".join(lines)


def _labels(names: Sequence[str]) -> str:
    return ", ".join(aspects()[name].label for name in names)


def writable(brief: Brief, style: PromptStyle) -> Brief:
    """The brief as a model of this style can know it. The small model has tags for the copybook's occasions only: another day is the
    nearest of them, and is not called by name."""
    tag = tag_of(brief.occasion)
    if style == "chat" or tag == brief.occasion:
        return brief
    return replace(brief, occasion=tag, slots=tuple(slot for slot in brief.slots if slot != "occasion"))


def render(brief: Brief, style: PromptStyle) -> str | Messages:
    """The prompt in the style that the model was trained for."""
    return compact(brief) if style == "compact" else chat(brief)
