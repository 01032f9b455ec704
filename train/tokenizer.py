"""The small models' tokenizer: byte-level BPE, one token for every tag of a prompt and every slot, Chinese characters kept whole.

    python -m train.tokenizer [--config train/configs/tokenizer.yaml] [--out models/tokenizer] [--set key=value]

How it is made: `train/texts/vocabulary.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from artifacts.card import Card, check_output, write_card
from copywriting import copybook
from copywriting.slots import literals
from train.job import run_command
from train.run.settings import InputPath, OutputPath, command_line, data_hash, read_plain_command_line
from train.texts.vocabulary import CHINESE, save_tokenizer, train_tokenizer


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


def make(config: TokenizerConfig) -> Card:
    """Train and write the tokenizer directory, card last. Raises ArtifactError for an `out` that holds anything else."""
    check_output(config.out, "tokenizer")
    templates = [piece.template for piece in copybook.load(config.copybook)]
    texts = [text for path in config.texts for text in texts_of(path)]
    tokenizer = train_tokenizer(templates, texts, config.vocabulary)
    save_tokenizer(tokenizer, config.out)
    chinese = "".join(literal for template in templates for literal in literals(template) if CHINESE.search(literal))
    english = " ".join(literal for template in templates for literal in literals(template) if not CHINESE.search(literal))
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
