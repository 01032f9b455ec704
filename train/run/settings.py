"""Settings of a training run: the fields that every run has, YAML with `--set key=value` on top, and errors that say what to do.

A run's own file derives from `TrainConfig` and adds what only it needs. Nothing here knows Ray or torch.

    class GeneratorConfig(TrainConfig):
        copybook: InputPath

    config = load_config(GeneratorConfig, Path("train/configs/generator.yaml"), {"epochs": "2"})
"""

import argparse
import hashlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from artifacts.card import sha256_of
from artifacts.pointer import current


class ConfigError(ValueError):
    """Settings that can't be used. The message names the key, its value and the remedy."""


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ValueError("no such file or directory; name one that exists (paths are relative to where the command runs)")
    return path.resolve()  # workers run in another directory


InputPath = Annotated[Path, AfterValidator(_existing)]
"""A file or directory that must exist. Absolute once read."""
ModelPath = Annotated[Path, AfterValidator(lambda path: current(_existing(path)))]
"""A model directory that must exist; of a registry of versions (artifacts/versions.py) the version that serves when this is read."""
OutputPath = Annotated[Path, AfterValidator(lambda path: path.absolute())]
"""Where something is written. Absolute once read."""


def _tracker_names(value: object) -> object:
    """`wandb, mlflow` as a list of names. Raises ValueError for a name that no tracker has."""
    names = [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
    if isinstance(names, list | tuple) and (unknown := [name for name in names if name not in get_args(TrackerName)]):
        raise ValueError(f"no tracker is called {unknown[0]!r}; write wandb, mlflow or both (TensorBoard files are always written)")
    return names


TrackerName = Literal["wandb", "mlflow"]
TrackerNames = Annotated[tuple[TrackerName, ...], BeforeValidator(_tracker_names)]
"""Where a run's reports also go: a list, or the names with commas between."""


class TrainConfig(BaseModel):
    """What every run has. A batch is per worker, so the effective batch is `batch_size` times `workers`, however many of them there are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    """What the model is called in its card; runs are called `<name>-<time>`."""
    out: OutputPath
    """The model directory that the run leaves; an older one of the same kind is replaced at the very end, anything else is refused."""
    storage: str = "var/runs"
    """Where checkpoints and metrics go: a directory, shared by all machines of a cluster, or a URI such as s3://bucket/runs."""
    about_data: str = ""
    """Where the data comes from, in words: for the cards."""
    seed: int = 0
    workers: int = Field(default=1, ge=0)
    """Processes that train side by side, on one machine or many. 0 trains in the process of the command, without a cluster: it starts at
    once, and where it dies nothing takes its place, so that `max_failures` is not asked. A folder of Parquet is read by Ray even so."""
    min_workers: int | None = Field(default=None, ge=1)
    """Where it is given, the run goes on with as few workers when machines are lost or missing, and takes more, up to `workers`, when
    there is room; the update stays that of `workers` batches."""
    threads_per_worker: int = Field(default=2, ge=1)
    """CPU threads of one worker, and the CPUs that Ray sets aside for it."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """`ddp` keeps the whole model on every worker, `fsdp` a share of its weights, gradients and optimizer state (train/run/sharding.py)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` gives each worker a GPU where the cluster has one for each."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Arithmetic of the forward pass; weights and optimizer state are fp32. `auto` is bf16 where the processor has instructions for it:
    without them a CPU is some twenty times slower in bf16 than in fp32."""
    epochs: float = Field(default=1, gt=0)
    max_seconds: float | None = Field(default=None, gt=0)
    """Training stops here even if epochs are left; the learning rate reaches its end at whichever comes first."""
    batch_size: int = Field(default=32, ge=1)
    accumulate: int = Field(default=1, ge=1)
    """Parts in which a worker computes its batch: the same update with less memory. A contrastive loss (CLIP) sees only a part's pairs."""
    recompute_activations: bool = False
    """Compute activations again in the backward pass instead of keeping them (gradient checkpointing): slower, with much less memory."""
    offload_activations: bool = False
    """On a GPU: what the backward pass needs waits for it in the machine's memory. With `recompute_activations`, of which little is left to
    wait, it pays for long examples; without, the bus is mostly slower than computing again."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon` orthogonalises the updates of the layers' matrices: dearer steps, fewer of them for a model from scratch."""
    learning_rate: float = Field(default=1e-3, gt=0)
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the run over which the learning rate rises."""
    weight_decay: float = Field(default=0.1, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    checkpoint_every_s: float = Field(default=120, gt=0)
    """Seconds of training from one checkpoint to the next; what measuring on held-out data and saving take is not counted."""
    keep_best: str = ""
    """Held-out metric by which the weights of the best checkpoint are kept and exported, e.g. `validation_loss`; none means the last."""
    report_every_s: float = Field(default=2, gt=0)
    max_failures: int = Field(default=2, ge=0)
    """How many times a run goes on from its last checkpoint after a worker died."""
    start_timeout_s: float = Field(default=60, gt=0)
    """How long one attempt to start the workers waits for their resources."""
    trackers: TrackerNames = ()
    """Where reports go besides TensorBoard, which always has them: `wandb`, `mlflow` (`train/run/trackers.py`)."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.min_workers is not None and self.min_workers > self.workers:
            raise ValueError(f"min_workers = {self.min_workers} is above workers = {self.workers}; lower it")
        if self.parallel == "fsdp" and not self.workers:
            raise ValueError("parallel = 'fsdp' with workers = 0: there is nobody to share the model with; pass --set workers=2 or more")
        if self.parallel == "fsdp" and self.optimizer == "muon":
            raise ValueError("parallel = 'fsdp' with optimizer = 'muon': Muon needs whole matrices; pass --set optimizer=adamw")
        return self

    @property
    def block(self) -> int:
        """Examples of one update, over all workers."""
        return self.batch_size * max(self.workers, 1)

    @property
    def fewest_workers(self) -> int:
        """With how many workers the run can start."""
        return self.min_workers or max(self.workers, 1)

    @property
    def runs(self) -> str:
        """Where runs lie: an absolute directory, or a URI."""
        return self.storage if "://" in self.storage else str(Path(self.storage).absolute())

    @property
    def local_runs(self) -> Path:
        """Where metrics and reports of runs lie on this machine: `storage`, unless that is a URI."""
        return Path("var/runs" if "://" in self.storage else self.storage).absolute()


C = TypeVar("C", bound=TrainConfig)
S = TypeVar("S", bound=BaseModel)


def load_config(kind: type[S], path: Path, overrides: Mapping[str, str] | None = None) -> S:
    """Read YAML, lay the overrides (YAML scalars) on top and check. Raises ConfigError naming every key at fault."""
    if not path.is_file():
        raise ConfigError(f"config {str(path)!r}: no such file; pass --config with a YAML file, see train/configs/")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {path}: not YAML ({error}); mend the file") from error
    if not isinstance(values, dict):
        raise ConfigError(f"config {path}: holds {type(values).__name__}; write `key: value` lines")
    values |= {key: _scalar(key, value) for key, value in (overrides or {}).items()}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, kind, path)) from error


def _scalar(key: str, value: str) -> object:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or error
        raise ConfigError(
            f"{key} = {value!r}: not a YAML value ({reason}); write --set {key}=VALUE, with quotes inside for a text"
        ) from error


def _explain(error: ValidationError, kind: type[BaseModel], path: Path) -> str:
    """One line per fault: key, value, what is wrong, remedy."""
    lines = []
    for fault in error.errors():
        key = ".".join(map(str, fault["loc"]))
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            near = get_close_matches(key, kind.model_fields, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"use one of {sorted(kind.model_fields)}"
            lines.append(f"{path}: {key} = {fault['input']!r}: unknown key; {remedy}")
        elif fault["type"] == "missing":
            lines.append(f"{path}: {key}: is required; add it to the file or pass --set {key}=VALUE")
        else:
            lines.append(f"{path}: {key} = {str(fault['input'])!r}: {message}; change it in the file or pass --set {key}=VALUE")
    return "\n".join(lines)


def parse_overrides(pairs: Sequence[str]) -> dict[str, str]:
    """`["epochs=2"]` → `{"epochs": "2"}`. Raises ConfigError for a pair without `=`."""
    for pair in pairs:
        if "=" not in pair:
            raise ConfigError(f"--set {pair!r}: has no '='; write --set key=value")
    return {key: value for key, value in (pair.split("=", 1) for pair in pairs)}


def _parser(description: str, default: Path) -> argparse.ArgumentParser:
    """The options of every command that trains."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, default=default, help="YAML settings (default: %(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting; may be repeated")
    parser.add_argument("--out", help="model directory to write; same as --set out=DIR")
    return parser


def read_plain_command_line(kind: type[S], default: Path, argv: Sequence[str] | None = None) -> S:
    """Options of a command that trains in its own process, without Ray: --config, --set, --out."""
    options = _parser(f"Train a small model in this process; settings and their meaning: {kind.__module__}", default).parse_args(argv)
    return load_config(kind, options.config, parse_overrides(options.set) | ({"out": options.out} if options.out else {}))


def read_command_line(kind: type[C], default: Path, argv: Sequence[str] | None = None) -> tuple[C, str | None]:
    """Options that every run has: --config, --set, --out, --resume, --base where the config has it. Returns (config, run to resume)."""
    parser = _parser(f"Train a model on Ray; settings and their meaning: {kind.__module__}, train/run/settings.py", default)
    parser.add_argument("--resume", metavar="RUN", help="go on with this run (its directory name under `storage`)")
    if "base" in kind.model_fields:
        parser.add_argument("--base", help="model directory to start from; same as --set base=DIR")
    options = parser.parse_args(argv)
    overrides = parse_overrides(options.set)
    overrides |= {key: value for key in ("out", "base") if (value := getattr(options, key, None))}
    return load_config(kind, options.config, overrides), options.resume


def command_line() -> str:
    """The command that runs, for a card."""
    return shlex.join(["python", *sys.orig_argv[1:]])


def data_hash(paths: Sequence[Path]) -> str:
    """SHA-256 over the names and contents of every file under these paths: equal data gives an equal hash."""
    digest = hashlib.sha256()
    for root in paths:
        for path in sorted(p for p in ([root] if root.is_file() else root.rglob("*")) if p.is_file()):
            told = path.stat()
            contents = _hash_of(path, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
            digest.update(f"{path.relative_to(root.parent)}\0{contents}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=100_000)
def _hash_of(path: Path, *_state: int) -> str:
    """Read once in a process for as long as the file stays what it is: a sweep asks for every trial."""
    return sha256_of(path)
