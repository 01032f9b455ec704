"""Prompts and their completions, or whole chats, out of a table: which columns hold them, what is repeated, what is held out.

A row is a prompt with its completion, or `messages`: a list of {role, content} (in CSV and TSV as JSON), of which the assistant's are
learned. Columns are found by their usual names where the settings don't name them. A row that stands twice is taken once. Rows are held
out as a column `held_out` says, else by a draw of whole prompts and whole answers, so that neither stands on both sides. Knows no tokens.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from train.run.settings import ConfigError
from train.run.tables import flags_of, read_table

Role = Literal["system", "user", "assistant"]
PROMPTS = ("prompt", "instruction", "question", "input", "query", "content", "brief", "提示", "指令", "输入")
_COMPLETIONS = ("completion", "response", "output", "answer", "reference", "summary", "copy", "回答", "输出", "文案")
OWN = 20  # characters from which an answer is its prompt's own; "Yes." answers many
HELD_OUT = "held_out"
"""The column that may say which rows are held out."""
_MESSAGES = ("messages", "conversation", "conversations", "对话")


class DialogueColumns(BaseModel):
    """Which columns of a table hold what. An empty name is found by what columns are usually called; `messages` is looked for first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = ""
    completion: str = ""
    messages: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side of a dialogue says."""

    role: Role
    content: str

    def message(self) -> dict[str, str]:
        """As chat templates want it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Turns of which the last is the assistant's. One that is no `chat` is a prompt with its completion."""

    turns: tuple[Turn, ...]
    chat: bool = False
    held_out: bool = False

    @property
    def answer(self) -> str:
        """What the assistant says last."""
        return self.turns[-1].content

    @property
    def asked(self) -> str:
        """What two dialogues have in common that differ in the last answer, or in width, case and white space, alone."""
        return key("\0".join(f"{turn.role}: {turn.content}" for turn in self.turns[:-1]))


@dataclass(frozen=True, slots=True)
class Dialogues:
    """Distinct dialogues, the files that they came from, and how many were left out, by reason."""

    training: tuple[Dialogue, ...] = ()
    held_out: tuple[Dialogue, ...] = ()
    files: tuple[Path, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def key(text: str) -> str:
    """What texts have in common that differ in width, case and white space only."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def parts(data: Path, validation: Path | None, columns: DialogueColumns, share: float, seed: int) -> Dialogues:
    """The dialogues of `data`, of which those in `validation`, or a share of the prompts, are held out. What stands in both is left out of
    the training. Raises ConfigError for a table that can't be used."""
    rows, left_out = read_dialogues(data, columns)
    if validation is None:
        training, held_out = hold_out(rows, share, seed)
        files: tuple[Path, ...] = (data,)
    else:
        held_out, of_validation = read_dialogues(validation, columns)
        training = rows
        files = (data, validation)
        left_out = {reason: count + of_validation[reason] for reason, count in left_out.items()}
    kept = without_leaks(training, held_out)
    if not kept or not held_out:
        raise ConfigError(f"data = {str(data)!r}: has {len(rows)} dialogues with different prompts; give at least two, better a thousand")
    return Dialogues(tuple(kept), tuple(held_out), files, {**left_out, "held out as well": len(training) - len(kept)})


def read_dialogues(path: Path, columns: DialogueColumns) -> tuple[list[Dialogue], dict[str, int]]:
    """(distinct dialogues in the order of the table, how many were left out by reason). Raises ConfigError naming what is missing."""
    table = read_table(path)
    whole = [row for row in dialogues_of(table, path, columns) if row]
    distinct = list({(one.asked, key(one.answer)): one for one in reversed(whole)}.values())[::-1]
    return distinct, {"without an answer": table.num_rows - len(whole), "repeated": len(whole) - len(distinct)}


def dialogues_of(table: pa.Table, path: Path, columns: DialogueColumns, first: int = 1) -> list[Dialogue | None]:
    """Each row's dialogue, None where nothing is answered. `first` is the number that the first row has in `path`, for messages. Raises
    ConfigError as `read_dialogues` does."""
    name = columns.messages or ("" if columns.prompt or columns.completion else found(table, _MESSAGES))
    read = _chats(table, path, name, first) if name else _pairs(table, path, columns)
    outs = flags_of(table, HELD_OUT, path, first)
    return [Dialogue(turns, bool(name), out) if turns else None for turns, out in zip(read, outs, strict=True)]


def names_of(table: pa.Table, path: Path, columns: DialogueColumns) -> list[str]:
    """Which columns of a table `dialogues_of` reads. Raises ConfigError where one is missing."""
    if name := columns.messages or ("" if columns.prompt or columns.completion else found(table, _MESSAGES)):
        names = [_named(table, path, "messages", name, _MESSAGES)]
    else:
        names = [
            _named(table, path, role, getattr(columns, role), usual) for role, usual in (("prompt", PROMPTS), ("completion", _COMPLETIONS))
        ]
    return names + [HELD_OUT] * (HELD_OUT in table.column_names)


def found(table: pa.Table, usual: Sequence[str]) -> str:
    """The first usual name that is a column; empty where none is."""
    return next((name for name in usual if name in table.column_names), "")


def column(table: pa.Table, path: Path, role: str, name: str, usual: Sequence[str]) -> list[Any]:
    """The values of the column that holds `role`. Raises ConfigError where it is not there."""
    values: list[Any] = table[_named(table, path, role, name, usual)].to_pylist()
    return values


def _named(table: pa.Table, path: Path, role: str, name: str, usual: Sequence[str]) -> str:
    """The name of the column that holds `role`. Raises ConfigError where it is not there."""
    if name and name not in table.column_names:
        raise ConfigError(f"columns.{role} = {name!r}: {str(path)!r} has no such column; it has {table.column_names}")
    if not (name := name or found(table, usual)):
        raise ConfigError(
            f"data = {str(path)!r}: no column is called {', '.join(usual[:3])} …; it has {table.column_names}: "
            f"say which holds the {role} with --set columns='{{{role}: NAME}}'"
        )
    return name


def _pairs(table: pa.Table, path: Path, columns: DialogueColumns) -> list[tuple[Turn, ...]]:
    """Each row's two turns; none where its completion is empty."""
    prompts = column(table, path, "prompt", columns.prompt, PROMPTS)
    completions = column(table, path, "completion", columns.completion, _COMPLETIONS)
    return [
        (Turn("user", str(prompt or "")), Turn("assistant", str(completion))) if completion and str(completion).strip() else ()
        for prompt, completion in zip(prompts, completions, strict=True)
    ]


def _chats(table: pa.Table, path: Path, name: str, first: int) -> list[tuple[Turn, ...]]:
    """Each row's turns up to the assistant's last; none where the assistant says nothing."""
    return [
        _answered(turns_of(value, f"data = {str(path)!r}: row {number}: {name}"))
        for number, value in enumerate(column(table, path, "messages", name, _MESSAGES), first)
    ]


def turns_of(value: Any, where: str) -> tuple[Turn, ...]:
    """A list of {role, content}, or the JSON of one, as turns. Raises ConfigError that begins with `where`."""
    try:
        messages = json.loads(value) if isinstance(value, str) else value or []
        turns = tuple(Turn(message["role"], _text(message["content"])) for message in messages)
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeError) as error:
        raise ConfigError(f"{where} is no list of {{role, content}} ({error!r}); mend the row or leave it out") from error
    if strange := [turn.role for turn in turns if turn.role not in get_args(Role)]:
        raise ConfigError(f"{where}: role {strange[0]!r} is none of {get_args(Role)}; name the roles so")
    return turns


def _text(content: Any) -> str:
    """What a turn says. Raises TypeError for parts of several kinds, UnicodeError for half a character, as cut JSON leaves it."""
    if not isinstance(content, str | None):
        raise TypeError(f"content is a {type(content).__name__}, not a text")
    (content or "").encode()
    return content or ""


def _answered(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    ends = [number for number, turn in enumerate(turns, 1) if turn.role == "assistant" and turn.content.strip()]
    return turns[: ends[-1]] if ends else ()


def hold_out(rows: Sequence[Dialogue], share: float, seed: int) -> tuple[list[Dialogue], list[Dialogue]]:
    """(kept, held out): as the rows say, or where none says so by a hash of what hangs together, so that a growing table moves next to none
    across."""
    if any(row.held_out for row in rows):
        return [row for row in rows if not row.held_out], [row for row in rows if row.held_out]
    draws = [int.from_bytes(sha256(f"{seed}/{name}".encode()).digest()[:6]) / 2**48 for name in _groups(rows)]
    limit = max(share, min(draws, default=0.0))  # at least one is held out
    kept, held = ([row for row, draw in zip(rows, draws, strict=True) if (draw <= limit) is out] for out in (False, True))
    return kept, held


def _groups(rows: Sequence[Dialogue]) -> list[str]:
    """A name for each row, the same for rows that hang together: by their prompt, by an answer that is not short, or through others."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            parent[name] = parent[above]
            name = above
        return name

    for row in rows:
        if len(answer := key(row.answer)) >= OWN:
            first, second = sorted((root(row.asked), root(f"answer: {answer}")))
            parent[second] = first
    return [root(row.asked) for row in rows]


def without_leaks(training: Sequence[Dialogue], held_out: Sequence[Dialogue]) -> list[Dialogue]:
    """The training dialogues whose prompt stands in no held-out one, nor their answer, unless it is short."""
    asked = {row.asked for row in held_out}
    answers = {answer for row in held_out if len(answer := key(row.answer)) >= OWN}
    return [row for row in training if row.asked not in asked and key(row.answer) not in answers]
