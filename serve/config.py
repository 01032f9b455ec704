"""The graph's settings: what `args:` of a Serve config file may hold. Unknown keys are refused; each error names key, value, remedy.

Relative paths are relative to the project's root, so a config works from any working directory and on every node that has the
project and its shared storage. Where a model is named by a registry (`artifacts/versions.py`), replicas follow it: what is published or
rolled back there is live seconds later, and this file stays as it is.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

ROOT = Path(__file__).resolve().parent.parent
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


def _from_root(value: Any) -> Any:
    return ROOT / value if isinstance(value, str | Path) else value


def _model(value: Any) -> Any:
    """A directory of the project when there is one, else as given: an absolute path or a hub id."""
    return str(ROOT / value) if isinstance(value, str) and value and (ROOT / value).is_dir() else value


def _state_url(value: Any) -> Any:
    """A relative SQLite path is the project's, as every other path."""
    head, separator, path = str(value).partition(":///")
    return f"{head}{separator}{ROOT / path}" if isinstance(value, str) and head == "sqlite" and path else value


ProjectPath = Annotated[Path, BeforeValidator(_from_root)]
ModelName = Annotated[str, BeforeValidator(_model), Field(min_length=1)]


StateUrl = Annotated[str, BeforeValidator(_state_url), Field(pattern=r"^(sqlite:///.|postgresql(\+psycopg)?://)")]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GeneratorSettings(_Settings):
    """The vLLM engine. `prompt_style` is `compact` for the bases that this project trains, `chat` for instruction-tuned models."""

    model: ModelName = Field(description="model directory with a card, registry of its versions, directory of any model, or hub id")
    prompt_style: Literal["compact", "chat"] = "compact"
    dtype: Literal["bfloat16", "float16", "float32", "auto"] = Field("auto", description="`auto`: what the processor is quick in")
    max_model_len: int = Field(512, ge=64, description="tokens of prompt and copy together")
    max_num_seqs: int = Field(64, ge=1, description="drafts decoded at once")
    kv_cache_mib: int | None = Field(256, ge=16, description="memory for the KV cache; null: vLLM's own choice on a GPU")
    enforce_eager: bool = Field(True, description="skip compilation: quicker start, slower decoding of large models")
    threads: int | None = Field(None, ge=1, description="CPU threads that decode; null: all cores but one, which schedules")
    temperature: float = Field(0.8, gt=0, le=2)
    top_p: float = Field(0.95, gt=0, le=1)
    min_p: float = Field(0.0, ge=0, lt=1, description="leave out tokens less likely than this share of the likeliest")
    min_mean_logprob: float | None = Field(
        None,
        lt=0,
        description="drafts whose tokens are less likely on average are garbled and left out; for small models, null for large ones",
    )
    repetition_penalty: float = Field(1.0, ge=1, le=2)
    constrained: bool = Field(True, description="decode under the request's grammar")
    spare_drafts: int = Field(2, ge=0, le=8, description="drafts beyond n, so that n are left after the check")
    cache_entries: int = Field(4096, ge=0, description="briefs whose drafts are kept; 0 switches the cache off")
    cache_ttl_s: float = Field(600, gt=0)
    voices: ProjectPath | None = Field(None, description="directory of brand voices (serve/voices.py); null: none, and no cost of adapters")
    voices_at_once: int = Field(4, ge=1, description="adapters that one step may mix")
    voice_rank: Literal[8, 16, 32, 64, 128, 256] = Field(16, description="the largest rank of an adapter")
    max_queued: int = Field(512, ge=1, description="drafts that may wait; more are refused with 503")


class ScorerSettings(_Settings):
    """A text classifier on its own replicas."""

    model: ModelName = Field(description="as the generator's")
    max_batch_size: int = Field(64, ge=1, description="texts scored at once")
    batch_wait_s: float = Field(0.002, ge=0)
    threads: int = Field(1, ge=1)


class ClipSettings(_Settings):
    """The open_clip model that pairs copy with pictures."""

    model: ModelName = Field(description="model directory, registry of its versions, or an open_clip name such as hf-hub:laion/…")
    threads: int = Field(1, ge=1)


class ResponseSettings(_Settings):
    """The response model, in the process of every Ingress replica."""

    model: ModelName = Field(description="model directory that `python -m train.response` made, or registry of its versions")


class GraphSettings(_Settings):
    """Everything that `serve.app:build` needs."""

    shop: ProjectPath = Field(description="directory with products.parquet and the other tables")
    index: ProjectPath = Field(description="directory made by `python -m retrieval.build`")
    state: StateUrl = Field(
        description="database of shoppers: sqlite:///PATH on one machine, postgresql://USER@HOST/NAME on a cluster (password: PGPASSWORD)"
    )
    copybook: ProjectPath = Field(ROOT / "demo" / "copybook", description="templates for when the generator does not answer")
    products_per_answer: int = Field(5, ge=1, le=50)
    generator: GeneratorSettings
    persuasion: ScorerSettings
    sentiment: ScorerSettings
    clip: ClipSettings
    response: ResponseSettings | None = Field(None, description="what shoppers' answers taught; null: the other scores decide alone")


def parse(args: dict[str, Any]) -> GraphSettings:
    """Validate `args`. Raises ValueError that names every bad key with its value and remedy."""
    try:
        return GraphSettings.model_validate(args)
    except ValidationError as error:
        raise ValueError("; ".join(_fault(fault) for fault in error.errors())) from None


def _fault(fault: Any) -> str:
    key = ".".join(map(str, fault["loc"]))
    shown = _PASSWORD.sub(r"\1***@", repr(fault["input"]))
    if fault["type"] == "extra_forbidden":
        return f"args.{key}: unknown key (value {shown}); remove it or see serve/config.py for the known ones"
    if fault["type"] == "missing":
        return f"args.{key}: missing; add it (see serve/config/laptop.yaml)"
    return f"args.{key}: {shown}: {fault['msg']}; correct it (see serve/config.py)"
