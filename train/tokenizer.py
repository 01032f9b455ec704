"""The small models' tokenizer: byte-level BPE, one token for every tag of a prompt and every slot, Chinese characters kept whole.

    python -m train.tokenizer [--config train/configs/tokenizer.yaml] [--out models/tokenizer] [--set key=value]

Slots are ordinary added tokens, not special ones: a detokeniser that drops special tokens must keep them.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from artifacts.card import Card, check_output, write_card
from copywriting import copybook
from copywriting.prompt import compact_tags
from copywriting.slots import SLOTS, literals
from train.job import run_command
from train.settings import InputPath, OutputPath, command_line, data_hash, read_plain_command_line

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
UNKNOWN = "<|unknown|>"
_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]")
HANZI = re.compile(r"[\u3400-\u9fff]+")
# Words keep their leading space; Chinese runs stay apart from Latin ones; punctuation and line breaks stand alone.
_SPLIT = r"\n| ?[a-zA-ZÀ-ÿ]+(?:['’][a-zA-Z]+)?| ?[\u3400-\u9fff]+| ?\d| ?[^\s\w]|\s+|\w+"
_READ = r" ?[a-zà-ÿ]+(?:['’][a-z]+)?|[\u3400-\u9fff]+|\d|[^\s\w]|\s+|\w+"  # as above, lower-cased
_READ_LENGTH = 12  # characters: English words whole
_SEEN_AT_LEAST = 60  # every Chinese character counts this often, so that its bytes merge before rarer words do
_MERGED_LENGTH = 12  # bytes: four Chinese characters, so that no token is a whole sentence of the copybook


class TokenizerConfig(BaseModel):
    """Settings of the tokenizer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    out: OutputPath
    copybook: InputPath
    texts: tuple[InputPath, ...] = ()
    """Files or directories whose text should be covered."""
    vocabulary: int = Field(default=6144, ge=1024)
    seed: int = 0
    """For the card only: training a tokenizer uses no random numbers."""


def texts_of(path: Path) -> Iterator[str]:
    """Every text in a file or directory: text columns of parquet tables, lines of anything else."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.suffix == ".parquet":
            table = pq.read_table(file)
            for column in table.column_names:
                yield from (value for value in table[column].to_pylist() if isinstance(value, str))
        elif file.suffix in {".yaml", ".yml", ".txt", ".md", ".jsonl", ".json", ".csv", ".tsv", ".py"}:
            yield from file.read_text(encoding="utf-8").splitlines()


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
    characters = {character for text in (*written, *texts) for character in _CHINESE.findall(text)}
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


def make(config: TokenizerConfig) -> Card:
    """Train and write the tokenizer directory, card last. Raises ArtifactError for an `out` that holds anything else."""
    check_output(config.out, "tokenizer")
    templates = [piece.template for piece in copybook.load(config.copybook)]
    texts = [text for path in config.texts for text in texts_of(path)]
    tokenizer = train_tokenizer(templates, texts, config.vocabulary)
    save_tokenizer(tokenizer, config.out)
    chinese = "".join(literal for template in templates for literal in literals(template) if _CHINESE.search(literal))
    english = " ".join(literal for template in templates for literal in literals(template) if not _CHINESE.search(literal))
    metrics = {
        "vocabulary": float(len(tokenizer)),
        "characters_per_token_zh": len(chinese) / max(1, len(tokenizer(chinese)["input_ids"])),
        "characters_per_token_en": len(english) / max(1, len(tokenizer(english)["input_ids"])),
    }
    hashed = data_hash([config.copybook, *config.texts])
    described = {"vocabulary": config.vocabulary, "copybook": config.copybook.name, "texts": [path.name for path in config.texts]}
    return write_card(
        config.out,
        kind="tokenizer",
        name="tokenizer",
        command=command_line(),
        seed=config.seed,
        config=described,
        data_hash=hashed,
        metrics=metrics,
    )


def main() -> None:
    """The command line."""
    card = make(read_plain_command_line(TokenizerConfig, Path("train/configs/tokenizer.yaml")))
    print({key: round(value, 2) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
