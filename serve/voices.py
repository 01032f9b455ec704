"""Brand voices that are published now. Each has a directory below one root, and each of its versions a path of its own:

    voices/almanac/current   voices/almanac/v-3f2a…/{card.json, guide.yaml, adapter_config.json, adapter_model.safetensors}
    voices/kiosk/guide.yaml                                  a voice without an adapter needs no version

`python -m train.voice` publishes one; removing its directory takes it away. Both take effect at the next request.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from artifacts.card import CARD, ArtifactError, verify
from artifacts.versions import POINTER, current
from copywriting.voices import GUIDE, NAME, Guide, read_guide
from serve.errors import Problem, invalid
from serve.exchange import Adapter
from serve.messages import VoiceOut

KIND = "voice"
_ADAPTER = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice as it may be used: its guide, its adapter where there is one, and why an adapter that is there is not used."""

    guide: Guide
    version: str
    adapter: Adapter | None
    fault: str = ""


class Voices:
    """The voices below a root. Whether an adapter belongs to the generator that serves is said by the node that has the generator, with
    what it writes: it may change between two requests."""

    def __init__(self, root: Path | None, largest_rank: int = 16) -> None:
        self._root, self._largest_rank = root, largest_rank
        self._opened: dict[str, tuple[Path, int, Voice]] = {}

    def names(self) -> list[str]:
        """Every voice that may be asked for."""
        if self._root is None or not self._root.is_dir():
            return []
        return sorted(path.name for path in self._root.iterdir() if (path / POINTER).is_file() or (path / GUIDE).is_file())

    def get(self, name: str) -> Voice:
        """The version that serves now, read and verified when it is first asked for. Raises Problem for a voice that is not there or is
        damaged."""
        if self._root is None or not NAME.fullmatch(name):
            raise self._absent(name)
        try:
            directory = current(self._root / name)
            edited = (directory / GUIDE).stat().st_mtime_ns  # a guide without a version may be edited where it lies
            if self._opened.get(name, ())[:2] != (directory, edited):
                self._opened[name] = directory, edited, self._open(name, directory)
        except FileNotFoundError:
            raise self._absent(name) from None
        except (ArtifactError, ValueError) as error:
            raise invalid("brand_voice", name, f"can't be used: {error}", "publish it again, or leave it out") from error
        return self._opened[name][2]

    def _absent(self, name: str) -> Problem:
        names = self.names()
        return invalid("brand_voice", name, "is not published", f"use one of {names}" if names else "leave it out: there are no voices")

    def all(self, generator: str = "") -> list[VoiceOut]:
        """Every voice, and what is wrong with those that can't be used, where this version of the generator serves."""
        return [self._described(name, generator) for name in self.names()]

    def _described(self, name: str, generator: str) -> VoiceOut:
        try:
            voice = self.get(name)
        except Problem as problem:
            return VoiceOut(name=name, version="", adapter=False, says={}, fault="; ".join(error.detail for error in problem.errors))
        says: dict[str, str] = {language: text for language, text in voice.guide.says.items()}
        fault = voice.fault or (voice.adapter.misfit(generator) if voice.adapter else "")
        return VoiceOut(name=name, version=voice.version, adapter=voice.adapter is not None and not fault, says=says, fault=fault)

    def _open(self, name: str, directory: Path) -> Voice:
        if not (directory / CARD).is_file():
            return Voice(read_guide(directory / GUIDE), "guide", None)
        card = verify(directory, KIND)
        version = card.version
        guide = read_guide(directory / GUIDE)
        if not (directory / _ADAPTER).is_file():
            return Voice(guide, version, None)
        if fault := self._fault(directory):
            return Voice(guide, version, None, f"voice {name}: {fault}; its guide alone is followed")
        return Voice(guide, version, Adapter(name, version, str(directory), str(card.config.get("base_version") or "")))

    def _fault(self, directory: Path) -> str:
        rank = int(json.loads((directory / _ADAPTER).read_text(encoding="utf-8"))["r"])
        return f"its adapter has rank {rank}, voice_rank is {self._largest_rank}" if rank > self._largest_rank else ""
