"""Make `.venv`: the one set-up step of `make demo` and `make test`. Standard library only; run it with Python 3.11 or newer.

    python3 requirements/install.py

It looks for an NVIDIA GPU, installs the lock file that fits (`gpu.txt` or `cpu.txt`) without looking for dependencies, mends torchvision
where its operators were built for another torch, and imports what the graph needs to prove that the environment works. A stamp with the
lock file's hash is written last, so its presence means the environment is complete and a second call returns at once.
"""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "suasion-installed"
CPU_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
BATCH = 40
SELDOM_IMPORTED = "/tests/|/transformers/models/|/ray/rllib/|/databricks/"
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


def module(name: str, *arguments: str, stderr: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the environment."""
    command = [str(VENV / "bin" / "python"), "-m", name, *arguments]
    variables = {**os.environ, "PIP_CONSTRAINT": "", "PIP_NO_WARN_SCRIPT_LOCATION": "1", **environment}
    return subprocess.run(command, env=variables, stderr=stderr, text=True)


def pip(*arguments: str) -> bool:
    """Install by the environment's own pip."""
    return module("pip", "install", "-qq", "--disable-pip-version-check", "--no-deps", *arguments).returncode == 0


def pip_settings() -> dict[str, str]:
    """Option → value of pip's configuration; what is about `pip install` stands before what is about all of pip, a variable before both."""
    listing = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    found: dict[str, str] = {}
    for scope in ("global", "install", ":env:"):
        lines = re.findall(rf"^{scope}\.([\w-]+)=(.*)$", listing, flags=re.MULTILINE)
        found |= {name: ast.literal_eval(value) for name, value in lines}
    return found


def install_by_uv(lock: Path, pins: Sequence[str]) -> bool:
    """Install every pin, in seconds where pip takes minutes. uv reads nothing of pip's configuration, so it is told pip's indexes. What it
    says is shown where no try succeeds."""
    if not pip(next(pin for pin in pins if pin.startswith("uv=="))):
        return False
    settings = pip_settings()
    command = ["pip", "install", "-q", "--no-deps", "--python", str(VENV / "bin" / "python"), "--index-strategy", "unsafe-best-match"]
    for option in ("index-url", "extra-index-url", "find-links"):
        command += [f"--{option}={value}" for value in settings.get(option, "").split()]
    trusted = {"SSL_CERT_FILE": settings["cert"]} if "cert" in settings else {}
    tries = [command] + [[*command, f"--extra-index-url={CPU_TORCH_INDEX}"]] * any(pin.endswith("+cpu") for pin in pins)
    told = []
    for each in tries:
        done = module("uv", *each, "--requirement", str(lock), stderr=subprocess.PIPE, **trusted)
        if done.returncode == 0:
            return True
        told.append(done.stderr)
    print(*told, sep="\n", file=sys.stderr)
    return False


def install_by_pip(lock: Path, pins: Sequence[str]) -> None:
    """Install every pin. A CPU build of torch that no configured index offers comes from PyTorch's own CPU wheel index."""
    torch_pin = next(pin for pin in pins if pin.startswith("torch=="))
    installed = pip("--no-compile", "--only-binary=:all:", torch_pin)
    if not installed and torch_pin.endswith("+cpu"):
        say(f"{torch_pin} is not offered by the configured indexes; taking it from PyTorch's CPU index")
        installed = pip("--no-compile", "--index-url", CPU_TORCH_INDEX, torch_pin)
    if not installed:
        sys.exit(
            f"[setup] {torch_pin} could not be installed. Remedy: allow access to {CPU_TORCH_INDEX} or offer the wheel with PIP_FIND_LINKS."
        )
    for done in range(0, len(pins), BATCH):
        if not pip("--no-compile", "--prefer-binary", *pins[done : done + BATCH]):
            sys.exit(f"[setup] {lock.name}: pip's message above names the package. Remedy: check the package index, then run this again.")
        say(f"{min(done + BATCH, len(pins))} of {len(pins)} packages")


def install(lock: Path) -> None:
    """Install what the lock pins, and the project itself."""
    pins = [line for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    if not install_by_uv(lock, pins):
        say("uv can't install them here; pip does, which takes some minutes")
        install_by_pip(lock, pins)
    compile_bytecode()
    if not pip("--no-build-isolation", "--editable", str(ROOT)):
        sys.exit("[setup] the project itself could not be installed; pip's message is above.")


def compile_bytecode() -> None:
    """On every core at once; pip would take one. Without it each process compiles what it imports, where PYTHONDONTWRITEBYTECODE is set
    every time. Files that are no Python of this version (templates, other dialects) are passed over, as pip passes over them, and so is
    what hardly anybody imports: the packages' own tests, and large collections of which a few files are used, if any."""
    command = [str(VENV / "bin" / "python"), "-m", "compileall", "-qq", "-j", "0", "-x", SELDOM_IMPORTED, str(VENV / "lib")]
    subprocess.run(command, stdout=subprocess.DEVNULL)


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
            path.unlink()  # uv's cache may hold the same file: it is not written to
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
