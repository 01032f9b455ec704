"""Train a brand voice: a LoRA adapter of the generator, on the brand's own copybook, and publish it beside the others.

    python -m train.voice --set source=demo/voices/kiosk [--base DIR] [--set voices=DIR]

Data: `source`, a directory with the brand's `guide.yaml` and `copybook/`. Model: the base generator with its weights frozen; low-rank
matrices on every projection of its layers learn (train/writing/tuning.py). Loss, briefs and held-out pieces are the generator's. The
adapter and its guide become a new version of `voices`/NAME, a path of its own, and serve from the next request on; nothing has to be
restarted.
"""

import shutil
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from artifacts.card import CARD, ArtifactError, read_card
from artifacts.versions import publish
from copywriting.voices import GUIDE, read_guide
from train.generator import learn
from train.job import launch, run_command
from train.run.loop import seed_everything
from train.run.settings import ConfigError, InputPath, OutputPath, read_command_line
from train.writing.generator_config import GeneratorConfig
from train.writing.language_model import CopyLoss, start, start_tokenizer
from train.writing.rows import prepare
from train.writing.tuning import adapted, save_adapter

KIND = "voice"


class VoiceConfig(GeneratorConfig):
    """What a voice needs besides the settings of the generator. `out` is where the adapter lies until it is published."""

    source: InputPath
    """Directory of the brand: `guide.yaml`, whose name is the voice's (`copywriting/voices.py`), and `copybook/`."""
    voices: OutputPath = Field(default=Path("var/voices"), validate_default=True)
    """Root of the voices that serve."""
    method: Literal["lora"] = "lora"
    """The one that serving can add to a base at run time."""
    base_version: str = ""
    """Version of the base: set by the run."""

    @model_validator(mode="before")
    @classmethod
    def _from_its_source(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {"copybook": f"{values.get('source')}/copybook"} | values

    @model_validator(mode="after")
    def _has_a_base(self) -> Self:
        if self.base is None:
            raise ValueError("base is not given; name the directory of the generator that the voice changes")
        return self


def loop(config: VoiceConfig) -> None:
    """One worker's part of the run: what is trained on what."""
    seed_everything(config.seed)
    tokenizer, base = start(config)
    model = CopyLoss(adapted(base, config))

    def export(trained: Any, directory: Path) -> None:
        save_adapter(trained.language_model, directory)
        shutil.copy(config.source / GUIDE, directory)

    learn(config, model, tokenizer, export)


def main() -> None:
    """The command line."""
    config, resume = read_command_line(VoiceConfig, Path("train/configs/voice.yaml"))
    base = config.base or Path()  # never absent: the config refuses that
    try:
        name = read_guide(config.source / GUIDE).name
        version = read_card(base).version if (base / CARD).is_file() else ""
        data = prepare(config, start_tokenizer(config))
    except (ValueError, ArtifactError) as error:
        raise ConfigError(str(error)) from error
    config = config.model_copy(update={"name": name, "base_version": version})
    card = launch(loop, config, kind=KIND, data=[config.source, *data, base], resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})
    print(f"serves from the next request on: {publish(config.voices / name, config.out, KIND)}")


if __name__ == "__main__":
    run_command(main)
