"""Loops small enough to read at a glance, which workers import: a line fitted to points, with a worker that dies once if asked to; a
Llama that learns by heart; a line that shows itself; and the reviews of a shop of four shoppers."""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn

from retrieval import schemas, tables
from train.reports.exhibits import Exhibits, Sample
from train.run import worker
from train.run.loop import Batch, Recipe, fit, seed_everything
from train.run.settings import TrainConfig


class LineConfig(TrainConfig):
    """A line of four weights."""


def line(config: LineConfig) -> None:
    """Fit y = x1 + x2 + x3 + x4."""
    seed_everything(config.seed)
    points = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    sums = points.sum(1, keepdim=True)

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        return {"points": points[list(numbers)], "sums": sums[list(numbers)]}

    def error(model: nn.Module, points: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        return ((model(points) - sums) ** 2).mean()

    recipe = Recipe(
        count=64,
        batch=batch,
        loss=lambda model, batch: error(model, batch["points"], batch["sums"]),
        evaluate=lambda model: {"error": float(error(model, points, sums))},
        export=lambda model, directory: (directory.mkdir(), torch.save(model.state_dict(), directory / "line.pt"))[1],
    )
    fit(config, nn.Linear(4, 1), recipe)


def greedy(config: LineConfig) -> None:
    """Ask for more memory than there is."""
    torch.empty(1 << 60, dtype=torch.uint8)


class ReciterConfig(TrainConfig):
    """A Llama of two layers."""

    dies_once_at: Path | None = None
    """A file that the last worker leaves behind when it dies, in epoch 3."""
    seconds_per_batch: float = 0.0
    dropout: float = 0.0


def reciter(config: ReciterConfig) -> None:
    """Learn three sequences of twelve tokens by heart."""
    from transformers import LlamaConfig, LlamaForCausalLM  # takes seconds: only the runs that want it wait for it

    seed_everything(config.seed)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 64}
    model = LlamaForCausalLM(LlamaConfig(**sizes, tie_word_embeddings=True, attention_dropout=config.dropout))
    rows = torch.randint(64, (12, 12), generator=torch.Generator().manual_seed(1))

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        time.sleep(config.seconds_per_batch)
        if config.dies_once_at and epoch == 3 and worker.rank() == worker.world_size() - 1 and not config.dies_once_at.exists():
            config.dies_once_at.touch()
            os._exit(1)
        return {"input_ids": rows[list(numbers)]}

    def loss(model: nn.Module, batch: Batch) -> torch.Tensor:
        return model(input_ids=batch["input_ids"], labels=batch["input_ids"]).loss

    recipe = Recipe(
        count=len(rows),
        batch=batch,
        loss=loss,
        evaluate=lambda model: {"validation_loss": float(loss(model, {"input_ids": rows}))},
        export=lambda model, directory: model.save_pretrained(directory),
        exhibits=lambda model: Exhibits(samples=(Sample("tied", "True", str(model.lm_head.weight is model.model.embed_tokens.weight)),)),
    )
    fit(config, model, recipe)


class ShownConfig(TrainConfig):
    """A line of one weight."""


def shown_line(config: ShownConfig) -> None:
    """Fit y = 2 x, and show how far it came."""
    points = torch.linspace(-1, 1, 64)[:, None]

    def shown(model: nn.Module) -> Exhibits:
        return Exhibits(
            margins=model(points)[:, 0].numpy(), samples=(Sample("the line's weights", "2", str(model.state_dict()["weight"])),)
        )

    recipe = Recipe(
        count=64,
        batch=lambda numbers, epoch: {"points": points[list(numbers)]},
        loss=lambda model, batch: ((model(batch["points"]) - 2 * batch["points"]) ** 2).mean(),
        evaluate=lambda model: {"error": 10 + float(((model(points) - 2 * points) ** 2).mean())},
        export=lambda model, directory: (directory.mkdir(), torch.save(model.state_dict(), directory / "line.pt"))[1],
        exhibits=shown,
    )
    fit(config, nn.Linear(1, 1, bias=False), recipe)


NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
SHOPPERS = {
    "yes": (True, None),
    "still": (True, NOW + timedelta(days=1)),
    "lapsed": (True, NOW - timedelta(days=1)),
    "no": (False, None),
}


def write_reviews(shop: Path, count: int = 20) -> Path:
    """A shop in which each of SHOPPERS wrote `count` reviews, and one who is in no table wrote another."""
    shoppers = [
        {"shopper_id": name, "consent": consent, "consent_until": until, "locale": "zh-CN", "attributes": []}
        for name, (consent, until) in SHOPPERS.items()
    ]
    tables.write(shop, "shoppers", pa.Table.from_pylist(shoppers, schema=schemas.SHOPPERS))
    events = [
        {"shopper_id": name, "kind": "review", "value": float(i % 5 + 1), "text": f"好 {name} {i}"}
        for name in SHOPPERS
        for i in range(count)
    ]
    events += [{"shopper_id": "stranger", "kind": "review", "value": 5.0, "text": "好 stranger"}]
    events += [{"shopper_id": "yes", "kind": "view", "value": None, "text": None}]
    pq.write_table(pa.Table.from_pylist(events), shop / "events.parquet")
    return shop / "events.parquet"
