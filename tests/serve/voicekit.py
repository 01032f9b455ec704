"""Brand voices on the disk, as `train.voice` publishes them: adapters with random weights."""

import json
import shutil
from pathlib import Path

from artifacts.card import write_card
from artifacts.versions import publish
from copywriting.voices import GUIDE


def publish_voice(
    root: Path, name: str, *, says: str = "quietly", base: str = "", rank: int = 8, weights: Path | None = None, extra: str = ""
) -> Path:
    """Publish a voice; `weights` is a PEFT adapter directory, else a config alone stands for one. Returns where the version lies."""
    new = root.with_name(f"{root.name}-{name}.new")
    shutil.rmtree(new, ignore_errors=True)  # of a version that was there already
    if weights:
        shutil.copytree(weights, new)
    else:
        new.mkdir(parents=True)
        (new / "adapter_config.json").write_text(json.dumps({"r": rank}))
    (new / GUIDE).write_text(f"name: {name}\nsays: {{en: {says}, zh: {says}}}\n{extra}")
    write_card(new, kind="voice", name=name, command="pytest", seed=0, config={"base_version": base})
    return publish(root / name, new, "voice")
