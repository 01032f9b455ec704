"""Prompts and completions as tokens: the loss lies on what the assistant says, and its end, only.

A brief of the copybook and a plain prompt are followed by their completion and the end token. A chat goes through the tokenizer's own
template; the loss is on all turns of the assistant, or on its last one. Padding (train/writing/padding.py) and packing
(train/writing/packing.py) make batches of them. Without torch: what tokenises a folder all over a cluster imports this.
"""

from random import Random
from typing import Literal

from transformers import PreTrainedTokenizerFast

from copywriting.brief import Brief
from copywriting.prompt import Messages, PromptStyle, chat, compact
from train.texts.examples import Example
from train.writing.dialogues import Dialogue

IGNORED = -100
"""The label of a token that no loss is computed for."""
Encoded = tuple[list[int], list[int]]
"""(tokens, labels), of the same length."""
Answers = Literal["all", "last"]
TooLong = Literal["leave_out", "cut"]


def prompt_ids(brief: Brief, tokenizer: PreTrainedTokenizerFast, style: PromptStyle) -> list[int]:
    """The prompt as tokens, the same that serving makes."""
    if style == "compact":
        return list(tokenizer(compact(brief))["input_ids"])
    return templated(chat(brief), tokenizer, ask=True)


def encode_example(one: Example, *, tokenizer: PreTrainedTokenizerFast, style: PromptStyle) -> Encoded:
    """A brief and its copy, of whatever length."""
    return _completed(prompt_ids(one.brief, tokenizer, style), one.copy, tokenizer)


def dialogue_prompt_ids(one: Dialogue, tokenizer: PreTrainedTokenizerFast, style: PromptStyle) -> list[int]:
    """Everything before the last answer, as tokens: a chat, or any prompt in the style `chat`, by the tokenizer's template."""
    if one.chat or style == "chat":
        return templated([turn.message() for turn in one.turns[:-1]], tokenizer, ask=True)
    return list(tokenizer(one.turns[0].content)["input_ids"])


def encode_dialogue(one: Dialogue, tokenizer: PreTrainedTokenizerFast, style: PromptStyle, answers: Answers = "all") -> Encoded:
    """A dialogue of whatever length. Raises ValueError where the template writes earlier turns otherwise once later ones follow."""
    if one.chat or style == "chat":
        return _encode_chat([turn.message() for turn in one.turns], tokenizer, answers)
    return _completed(dialogue_prompt_ids(one, tokenizer, style), one.answer, tokenizer)


def _completed(prompt: list[int], answer: str, tokenizer: PreTrainedTokenizerFast) -> Encoded:
    learned = [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return [*prompt, *learned], [*([IGNORED] * len(prompt)), *learned]


def _encode_chat(messages: Messages, tokenizer: PreTrainedTokenizerFast, answers: Answers) -> Encoded:
    tokens = templated(messages, tokenizer)
    labels = [IGNORED] * len(tokens)
    said = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    for number in said if answers == "all" else said[-1:]:
        before, after = templated(messages[:number], tokenizer, ask=True), templated(messages[: number + 1], tokenizer)
        if tokens[: len(before)] != before or tokens[: len(after)] != after:
            raise ValueError(
                f"answers = {answers!r}: the chat template writes turn {number + 1} of a dialogue otherwise once it is over, so its tokens "
                "aren't known; pass --set answers=last, or give tables of prompt and completion with --set prompt_style=compact"
            )
        labels[len(before) : len(after)] = after[len(before) :]
    if tokenizer.eos_token_id not in labels:  # a template that ends no turn would never teach to stop
        tokens, labels = [*tokens, tokenizer.eos_token_id], [*labels, tokenizer.eos_token_id]
    return tokens, labels


def templated(messages: Messages, tokenizer: PreTrainedTokenizerFast, *, ask: bool = False) -> list[int]:
    """Messages by the tokenizer's chat template; with `ask`, up to where the assistant begins."""
    return list(tokenizer.apply_chat_template(messages, add_generation_prompt=ask, return_dict=True)["input_ids"])


def check_template(tokenizer: PreTrainedTokenizerFast, why: str) -> None:
    """Raises ValueError, beginning with `why` one is needed, for a tokenizer without a chat template."""
    if not tokenizer.chat_template:
        raise ValueError(
            f"{why}: the base's tokenizer has no chat template; start from an instruction-tuned base, "
            "or give prompts and completions with --set prompt_style=compact"
        )


def with_hidden_words(one: Encoded, share: float, hidden: int, random: Random) -> Encoded:
    """The example with a share of its answer hidden from the model that goes on from it (Bowman et al. 2016); the labels stay."""
    tokens, labels = one
    shown = [
        hidden if label != IGNORED and random.random() < share else token for token, label in zip(tokens[:-1], labels[:-1], strict=True)
    ]
    return [*shown, tokens[-1]], labels


def fitted(one: Encoded, limit: int, too_long: TooLong) -> Encoded | None:
    """The example where it has no more than `limit` tokens; else its beginning, or None where it is left out or nothing of it is left to
    learn."""
    tokens, labels = one
    if len(tokens) <= limit:
        return one
    return (tokens[:limit], labels[:limit]) if too_long == "cut" and any(label != IGNORED for label in labels[1:limit]) else None


def asked_and_answered(one: Encoded, tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], str]:
    """(what stands before the last answer, as tokens; that answer)."""
    tokens, labels = one
    start = len(labels)
    while labels[start - 1] == IGNORED:
        start -= 1
    while start and labels[start - 1] != IGNORED:
        start -= 1
    answer = [label for label in labels[start:] if label != IGNORED]
    return tokens[:start], tokenizer.decode(answer, skip_special_tokens=True)
