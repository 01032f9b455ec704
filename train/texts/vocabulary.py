"""The tokenizers of small models, byte-pair encodings both: one for models that write, one for classifiers, which only read.

Slots are ordinary added tokens, not special ones: a detokeniser that drops special tokens must keep them.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from copywriting.prompt import compact_tags
from copywriting.slots import SLOTS, literals

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
UNKNOWN = "<|unknown|>"
CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]")
HANZI = re.compile(r"[\u3400-\u9fff]+")
# Words keep their leading space; Chinese runs stay apart from Latin ones; punctuation and line breaks stand alone.
_SPLIT = r"\n| ?[a-zA-ZÀ-ÿ]+(?:['’][a-zA-Z]+)?| ?[\u3400-\u9fff]+| ?\d| ?[^\s\w]|\s+|\w+"
_READ = r" ?[a-zà-ÿ]+(?:['’][a-z]+)?|[\u3400-\u9fff]+|\d|[^\s\w]|\s+|\w+"  # as above, lower-cased
_READ_LENGTH = 12  # characters: English words whole
_SEEN_AT_LEAST = 60  # every Chinese character counts this often, so that its bytes merge before rarer words do
_MERGED_LENGTH = 12  # bytes: four Chinese characters, so that no token is a whole sentence of the copybook


def train_tokenizer(templates: Sequence[str], texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Learn merges from the literal text of templates and from texts. Returns a tokenizer of exactly `vocabulary` entries or fewer."""
    specials = [PAD, BOS, EOS, *compact_tags()]
    slots = [f"{{{slot}}}" for slot in SLOTS]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    written = [literal for template in templates for literal in literals(template)]
    characters = {character for text in (*written, *texts) for character in CHINESE.findall(text)}
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(slots),
        min_frequency=2,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=_MERGED_LENGTH,
        show_progress=False,
    )
    tokenizer.train_from_iterator([*written, *texts, *("\n".join(sorted(characters)) for _ in range(_SEEN_AT_LEAST))], trainer)
    tokenizer.add_tokens([AddedToken(slot, normalized=False, special=False) for slot in slots])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=BOS, eos_token=EOS, clean_up_tokenization_spaces=False
    )


def train_reader(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A tokenizer for a classifier that only reads: Chinese characters, English words or their parts; width and case put aside. Returns one
    of at most `vocabulary` entries; a character that the texts hold too seldom is unknown. Raises ValueError without a text."""
    if not texts:
        raise ValueError("no text to learn a tokenizer from; name a tokenizer directory instead")
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_READ), behavior="isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=3,
        special_tokens=[PAD, BOS, EOS, UNKNOWN],
        limit_alphabet=vocabulary // 2,
        max_token_length=_READ_LENGTH,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    ids = [(token, tokenizer.token_to_id(token)) for token in (BOS, EOS)]
    tokenizer.post_processor = TemplateProcessing(single=f"{BOS} $A {EOS}", special_tokens=ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=BOS, eos_token=EOS, unk_token=UNKNOWN, clean_up_tokenization_spaces=False
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    """Write the tokenizer's files, the big one without its indentation, which is most of it."""
    tokenizer.save_pretrained(directory)
    path = directory / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
