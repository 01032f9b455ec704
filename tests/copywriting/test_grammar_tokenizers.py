"""The grammar holds whatever the tokenizer: a random writer under it, with vocabularies of three kinds, writes no digit outside a slot."""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import xgrammar
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from copywriting.grammar import grammar
from copywriting.slots import literals, slots_in
from tests.fakes import write_brief

ROOT = Path(__file__).parents[2]
END = "</s>"
WORDS = [
    "Take {name} home for {price}, 20% off until 31 January! $5 £6 €7 {discount} 100 2026 {unknown} <b>bold</b>",
    "把{name}带回家，只要{price}，八折９折100元，满300减50，￥20 ¥30 {offer.ends}之前",
] * 20


def byte_level() -> PreTrainedTokenizerFast:
    """As GPT-2 and Qwen: tokens are runs of bytes, half characters included."""
    held = Tokenizer(models.BPE())
    held.pre_tokenizer, held.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    held.train_from_iterator(WORDS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=held, eos_token=END)


def metaspace() -> PreTrainedTokenizerFast:
    """As Llama 2 and Gemma: words begin with ▁, unknown characters fall back to bytes."""
    held = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    held.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    held.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>", END, *(f"<0x{byte:02X}>" for byte in range(256))])
    held.train_from_iterator(WORDS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=held, eos_token=END, unk_token="<unk>")


def shipped() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(ROOT / "models" / "tokenizer")


def walks(compiled: xgrammar.CompiledGrammar, info: xgrammar.TokenizerInfo, stop: int, chance: random.Random) -> Iterator[list[int]]:
    """What a writer that knows nothing writes: at each step any token that the grammar allows."""
    for _ in range(30):
        matcher, tokens = xgrammar.GrammarMatcher(compiled), []
        for _ in range(40):
            mask = xgrammar.allocate_token_bitmask(1, info.vocab_size)
            matcher.fill_next_token_bitmask(mask)
            allowed = np.flatnonzero(np.unpackbits(mask.view(torch.uint8).numpy(), bitorder="little")[: info.vocab_size])
            token = int(chance.choice(allowed))
            assert matcher.accept_token(token)
            if token == stop:
                break
            tokens.append(token)
        yield tokens


@pytest.mark.parametrize("tokenizer_of", [byte_level, metaspace, shipped])
@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_a_random_writer_writes_no_digit_and_no_slot_without_a_fact(tokenizer_of: Callable[[], PreTrainedTokenizerFast], locale: str):
    tokenizer = tokenizer_of()
    brief, _ = write_brief(locale)
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=len(tokenizer))
    compiled = xgrammar.GrammarCompiler(info, max_threads=1).compile_grammar(grammar(brief))
    written, slots = "", 0
    for tokens in walks(compiled, info, tokenizer.eos_token_id, random.Random(locale)):
        text = tokenizer.decode(tokens, clean_up_tokenization_spaces=False).replace("\ufffd", "")
        whole = re.sub(r"\{[^{}]*$", "", text)  # the last slot may not be finished
        assert set(slots_in(whole)) <= set(brief.slots)
        assert not re.search(r"[0-9０-９%％$€£¥￥{}<>]", "".join(literals(whole))), text
        written, slots = written + text, slots + len(slots_in(whole))
    assert len(written) > 300
    assert slots > 5
