"""The base of every model in a mapping file: unknown keys are refused with the nearest known one."""

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Strict(BaseModel):
    """A model that refuses unknown keys and says which ones it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, given: Any) -> Any:
        for key in given if isinstance(given, dict) else ():
            if key not in cls.model_fields:
                raise ValueError(unknown("key", str(key), cls.model_fields))
        return given


def unknown(what: str, given: str, known: Iterable[str]) -> str:
    """The message for a word out of a closed list, with the nearest one."""
    words = list(known)
    near = difflib.get_close_matches(given, words, n=1)
    return f"unknown {what} {given!r}; " + (f"did you mean {near[0]!r}? " if near else "") + f"choose from {', '.join(words)}"
