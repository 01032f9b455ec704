"""What the reader of a stream sees: text that grows, and text that takes its place where something better or more lawful came."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shown:
    """More text, after what was shown before; with `replaces`, instead of it."""

    text: str
    replaces: bool = False


class Screen:
    """Turns whole texts into what has to be sent so that a reader sees them."""

    def __init__(self, send: Callable[[Shown], None]) -> None:
        self._send, self._text = send, ""

    def show(self, text: str) -> None:
        """Let the reader see this text. What stays in place is not sent again."""
        if text == self._text:
            return
        grows = text.startswith(self._text)
        self._send(Shown(text[len(self._text) :]) if grows else Shown(text, replaces=True))
        self._text = text
