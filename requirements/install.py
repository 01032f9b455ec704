"""Make `.venv`: the one set-up step of `make demo` and `make test`. Standard library only; run it with Python 3.11 or newer.

    python3 requirements/install.py

It looks for an NVIDIA GPU, installs the lock file that fits (`gpu.txt` or `cpu.txt`) with `--no-deps`, mends torchvision where its
operators were built for another torch, and imports what the graph needs to prove that the environment works. A stamp with the lock
file's hash is written last, so its presence means the environment is complete and a second call returns at once.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "suasion-installed"
CPU_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
BATCH = 40
MUST_IMPORT = ("torch", "torchvision", "open_clip", "transformers", "faiss", "ray.serve", "ray.train", "vllm")


def has_gpu() -> bool:
    """True where an NVIDIA driver answers and lists at least one GPU."""
    if not (tool := shutil.which("nvidia-smi")):
        return False
    listing = subprocess.run([tool, "-L"], capture_output=True, text=True)
    return listing.returncode == 0 and "GPU 0" in listing.stdout


def say(message: str) -> None:
    """One line of progress."""
    print(f"[setup] {message}", flush=True)


def pip(*arguments: str) -> int:
    """Run the environment's own pip and return its exit status. What it warns of while a package is found elsewhere is not shown."""
    command = [str(VENV / "bin" / "python"), "-m", "pip", *arguments, "--disable-pip-version-check", "--no-deps"]
    return subprocess.run(command, env={**os.environ, "PIP_CONSTRAINT": "", "PIP_NO_WARN_SCRIPT_LOCATION": "1"}).returncode


def install(lock: Path) -> None:
    """Install every pinned package. A CPU build of torch that no configured index offers comes from PyTorch's own CPU wheel index."""
    torch_pin = next(line for line in lock.read_text().splitlines() if line.startswith("torch=="))
    installed = pip("install", "-qq", "--no-compile", "--only-binary=:all:", torch_pin) == 0
    if not installed and torch_pin.endswith("+cpu"):
        say(f"{torch_pin} is not offered by the configured indexes; taking it from PyTorch's CPU index")
        installed = pip("install", "-qq", "--index-url", CPU_TORCH_INDEX, torch_pin) == 0
    if not installed:
        sys.exit(
            f"[setup] {torch_pin} could not be installed. Remedy: allow access to {CPU_TORCH_INDEX} or offer the wheel with PIP_FIND_LINKS."
        )
    pins = [line for line in lock.read_text().splitlines() if line and not line.startswith("#") and line != torch_pin]
    for done in range(0, len(pins), BATCH):
        if pip("install", "-qq", "--no-compile", "--prefer-binary", *pins[done : done + BATCH]) != 0:
            sys.exit(f"[setup] {lock.name}: pip's message above names the package. Remedy: check the package index, then run this again.")
        say(f"{min(done + BATCH, len(pins)) + 1} of {len(pins) + 1} packages")
    compile_bytecode()
    if pip("install", "-qq", "--no-build-isolation", "--editable", str(ROOT)) != 0:
        sys.exit("[setup] the project itself could not be installed; pip's message is above.")


def compile_bytecode() -> None:
    """On every core at once; pip would take one. Without it each process compiles what it imports, where PYTHONDONTWRITEBYTECODE is set
    every time. Files that are no Python of this version (templates, other dialects) are passed over, as pip passes over them."""
    subprocess.run([str(VENV / "bin" / "python"), "-m", "compileall", "-qq", "-j", "0", str(VENV / "lib")], stdout=subprocess.DEVNULL)


def mend_torchvision() -> None:
    """Guard two fake-kernel registrations that lack the guard of their neighbours.

    torchvision 0.28.0 registers `nms` and `qnms` without `_has_ops()`; beside a torch that its binary operators were not built for
    the import fails, although nothing here calls those operators.
    """
    found = list(VENV.glob("lib/python*/site-packages/torchvision/_meta_registrations.py"))
    for path in found:
        source = path.read_text()
        guarded = re.sub(
            r'^@torch\.library\.register_fake\("torchvision::(nms|qnms)"\)$',
            r'@(torch.library.register_fake("torchvision::\1") if torchvision.extension._has_ops() else (lambda function: function))',
            source,
            flags=re.MULTILINE,
        )
        if guarded != source:
            path.write_text(guarded)
            say("torchvision: two operator registrations guarded (they were built for another torch)")


def remove_strays() -> None:
    """Opacus' wheel also holds top-level packages `benchmarks` and `examples`: outside this directory they would hide ours."""
    for name in ("benchmarks", "examples"):
        for found in VENV.glob(f"lib/python*/site-packages/{name}"):
            shutil.rmtree(found)


def imports(names: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Import modules in one fresh interpreter of the environment."""
    return subprocess.run([str(VENV / "bin" / "python"), "-c", f"import {', '.join(names)}"], capture_output=True, text=True)


def main() -> None:
    """Create or complete the environment; exits with a message that names the remedy when it can't."""
    lock = ROOT / "requirements" / ("gpu.txt" if has_gpu() else "cpu.txt")
    digest = hashlib.sha256(lock.read_bytes() + Path(__file__).read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == digest:
        return
    if sys.version_info < (3, 11):  # noqa: UP036 - run by whatever Python the machine has, before any package says what it needs
        sys.exit(f"[setup] Python {sys.version.split()[0]} is too old. Remedy: run with Python 3.11 or newer.")
    started = time.monotonic()
    found = "an NVIDIA GPU answers" if lock.name == "gpu.txt" else "no NVIDIA GPU"
    say(f"{found}: installing requirements/{lock.name} into .venv (1 to 3 minutes)")
    venv.EnvBuilder(with_pip=True, clear=VENV.exists()).create(VENV)
    install(lock)
    remove_strays()
    say(f"installed after {time.monotonic() - started:.0f} s; checking that it imports")
    if imports(("torch", "torchvision")).returncode != 0:
        mend_torchvision()
    check = imports(MUST_IMPORT)
    if check.returncode != 0:
        sys.exit(f"[setup] the environment does not import:\n{check.stderr[-2000:]}\nRemedy: remove .venv and run this again.")
    STAMP.write_text(digest)
    say(f"ready after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
