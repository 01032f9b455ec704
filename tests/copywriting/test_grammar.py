"""The grammar under the engine that decodes with it: xgrammar, over a real byte-level vocabulary."""

import pytest
import xgrammar
from tokenizers import pre_tokenizers

from copywriting.brief import Brief
from copywriting.copybook import Piece, load
from copywriting.grammar import grammar
from copywriting.slots import SLOTS
from tests.fakes import COPYBOOK, brief_for, facts_for, make_piece, make_product, write_brief

EOS = 0
BYTES = ["<|eos|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]


@pytest.fixture(scope="module")
def compiler() -> xgrammar.GrammarCompiler:
    vocabulary = xgrammar.TokenizerInfo(BYTES, vocab_type=xgrammar.VocabType.BYTE_LEVEL, stop_token_ids=[EOS])
    return xgrammar.GrammarCompiler(vocabulary, max_threads=1)


def accepts(compiler: xgrammar.GrammarCompiler, brief: Brief, text: str) -> bool:
    """May the decoder write this text and stop?"""
    matcher = xgrammar.GrammarMatcher(compiler.compile_grammar(grammar(brief)))
    return matcher.accept_string(text) and matcher.accept_token(EOS)


def brief_of(piece: Piece) -> Brief:
    """The piece's own brief, but with every slot: its grammar then serves all pieces of a channel, and is compiled once."""
    product = make_product(locale="zh-CN" if piece.language == "zh" else "en-US", vertical=piece.vertical)
    return brief_for(product, SLOTS, channel=piece.channel, tone=piece.tone, occasion=piece.occasion, intent=piece.intent)


@pytest.mark.parametrize(
    "text", ["Take {name} home.", "It's {discount}—until {offer.ends}!", "{name}{price}", "Café “notes” (new); a-b, c: d?"]
)
def test_plain_words_and_slots_may_be_written(compiler, text):
    assert accepts(compiler, write_brief("en-US")[0], text)


@pytest.mark.parametrize(
    "sign",
    [
        *"0123456789",
        *"０９％￥＄",
        *"①⑳➊㉑㊱⒈⑴",
        *"%‰$€£¥₹₽₩฿¢",
        *"٣",
        *"½Ⅷ",
        *"<>@#",
        "\t",
        "\r",
        "\u200b",
        "\u202e",
        "\ufeff",
        "\ufe0f",
        "\u2028",
    ],
)
@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_digits_money_and_disguises_cannot_be_written(compiler, locale, sign):
    words = "带上{name}去" if locale == "zh-CN" else "Take {name} home "
    assert accepts(compiler, write_brief(locale)[0], words)
    assert not accepts(compiler, write_brief(locale)[0], words + sign)


@pytest.mark.parametrize("text", ["a {", "a }", "a {}", "a { name }", "a {nam}", "a {unknown}", "a {{name}}", "a {name", "{name!r} a"])
def test_braces_open_slots_of_the_vocabulary_and_nothing_else(compiler, text):
    assert not accepts(compiler, write_brief("en-US")[0], text)


def test_only_slots_that_have_values_can_be_written(compiler):
    product = make_product(locale="en-US", stock=500)
    brief = brief_for(product, facts_for(product), channel="sms")
    assert accepts(compiler, brief, "{name} for {price}")
    for slot in SLOTS.keys() - facts_for(product).keys():
        assert not accepts(compiler, brief, f"{{name}} for {{{slot}}}"), slot


def test_chinese_cannot_be_written_in_english_copy(compiler):
    for text in ("Take {name} 回家", "Take {name}，home", "Take {name}。"):
        assert not accepts(compiler, write_brief("en-US")[0], text)
    assert accepts(compiler, write_brief("zh-CN")[0], "带{name}回家，慢慢走。")


@pytest.mark.parametrize(
    ("channel", "text", "yes"),
    [
        ("product_page", "{name}\nfor the walk\nGo", True),
        ("product_page", "{name}\nfor the walk", False),
        ("product_page", "{name}\nfor the walk\nGo\nnow", False),
        ("product_page", "{name}\n\nGo", False),
        ("banner", "{name} today\nGo", True),
        ("banner", "{name} today", False),
        ("sms", "{name} today", True),
        ("sms", "{name}\ntoday", False),
        ("sms", "", False),
    ],
)
def test_each_part_of_the_channel_has_one_line(compiler, channel, text, yes):
    assert accepts(compiler, write_brief("en-US", channel=channel)[0], text) is yes


def test_the_decoder_is_never_offered_a_digit(compiler):
    """What the engine really uses: the mask of tokens that may come next."""
    matcher = xgrammar.GrammarMatcher(compiler.compile_grammar(grammar(write_brief("en-US")[0])))
    mask = xgrammar.allocate_token_bitmask(1, len(BYTES))
    for token in (BYTES.index("T"), BYTES.index("o"), None):
        matcher.fill_next_token_bitmask(mask)
        offered = {BYTES[i] for i in range(len(BYTES)) if int(mask[0, i // 32]) >> (i % 32) & 1}
        assert "a" in offered and "{" in offered
        assert not offered & set("0123456789$%}")
        if token is not None:
            assert matcher.accept_token(token)


def test_every_piece_of_the_copybook_can_be_written(compiler):
    assert [piece.piece_id for piece in load(COPYBOOK) if not accepts(compiler, brief_of(piece), piece.template)] == []


def test_the_slots_of_a_piece_are_all_that_it_needs(compiler):
    piece = make_piece("{name} is {discount} today", "en")
    product = make_product(locale="en-US")
    assert accepts(compiler, brief_for(product, piece.slots, channel="sms"), piece.template)
    assert not accepts(compiler, brief_for(product, piece.slots - {"discount"}, channel="sms"), piece.template)
