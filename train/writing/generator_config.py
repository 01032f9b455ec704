"""Settings of a run that trains the generator: `train/configs/generator.yaml` for the copybook, `generator_table.yaml` for texts of
yours."""

from typing import Self

from pydantic import Field, model_validator

from copywriting.prompt import PromptStyle
from train.run.settings import InputPath
from train.writing.completions import Answers, TooLong
from train.writing.dialogues import DialogueColumns
from train.writing.language_model import LanguageModelConfig


class GeneratorConfig(LanguageModelConfig):
    """What the generator needs besides the settings of every language model."""

    copybook: InputPath | None = None
    verticals: tuple[str, ...] = ()
    """Train on pieces of these verticals only; empty means all."""
    data: InputPath | None = None
    """A table of prompts and completions, or of chats, instead of the copybook or besides it. A folder of Parquet files is read as a
    stream, and its tokens are kept on disk (`train/writing/stream.py`): for more than memory holds."""
    validation: InputPath | None = None
    """A table of its own to be held out; none means a share of `data`. What stands in both is left out of the training."""
    columns: DialogueColumns = DialogueColumns()
    prompt_style: PromptStyle = "compact"
    """How briefs are written. Of a table: `compact` takes prompts as they stand, `chat` puts them into the tokenizer's chat template."""
    answers: Answers = "all"
    """Of a chat, which of the assistant's turns are learned."""
    too_long: TooLong = "leave_out"
    """What happens to a row of more tokens than `max_position`; either is counted and told."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the answers' tokens that the model doesn't see while it learns what follows: for a model from scratch on few texts."""
    packing: bool = False
    """Several examples in one row, without seeing each other: no padding where lengths differ much."""
    held_out: float = Field(default=0.05, gt=0, lt=0.5)

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        if self.copybook is None and self.data is None:
            raise ValueError("neither copybook nor data is given; name a directory of pieces, a table of prompts and completions, or both")
        if self.packing and self.method == "prefix":
            raise ValueError("packing = True: packed examples can't share a prefix; pass --set packing=false")
        return self

    @property
    def streamed(self) -> bool:
        """Whether `data` is read as a stream."""
        return self.data is not None and self.data.is_dir()
