"""The ONNX form of a text classifier, which ONNX Runtime scores several times faster on a CPU than torch does (benchmarks/scoring.py).

Weights are kept in half precision, like those of the model, and are widened once when the file is loaded. Before a file is kept its logits
are compared with torch's on batches of several shapes.
"""

import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from artifacts.card import CARD, Card, read_card, verify, write_card
from train.run.settings import ConfigError

ONNX = "model.onnx"
_TOLERANCE = 1e-3
"""Largest difference of a logit that is taken for rounding."""
_OPSET = 18
_NUMBERED = "onnx::"  # how the tracer begins the names of weights that it turned
_SMALL = 1024  # entries; smaller weights are kept as they are
_SHAPES = ((1, 3), (2, 20), (5, 33))


class _Logits(nn.Module):
    """The two inputs that every encoder has, and nothing but the logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def write_onnx(model: nn.Module, directory: Path) -> float:
    """Write `model.onnx` for a classifier on the CPU in eval mode: `input_ids` and `attention_mask` (batch, tokens) int64 → `logits`
    (batch, labels). Returns the largest difference from torch. Raises ConfigError where it is not rounding, or torch can't export it."""
    model = deepcopy(model).half().float()  # what the file will hold, so that only the arithmetic can differ
    vocabulary = int(getattr(model.config, "vocab_size", 1000))
    example, path = _batch(2, 17, vocabulary), directory / ONNX
    with _quiet(), torch.no_grad():
        try:
            # The tracing exporter: the newer one takes twenty seconds for a model of this size and fixes the length of a GRU.
            torch.onnx.export(
                _Logits(model).eval(),
                tuple(example.values()),
                str(path),
                input_names=list(example),
                output_names=["logits"],
                dynamic_axes={name: {0: "batch", 1: "tokens"} for name in example} | {"logits": {0: "batch"}},
                opset_version=_OPSET,
                dynamo=False,
            )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            raise ConfigError(f"onnx = True: torch can't export {type(model).__name__} ({error}); pass --set onnx=false") from error
    onnx.save(_renumbered(_halved(onnx.load(path))), path)
    if (difference := _difference(model, path, vocabulary)) > _TOLERANCE:
        path.unlink()
        raise ConfigError(
            f"onnx = True: logits of {type(model).__name__} differ by {difference:.2g} in ONNX Runtime; pass --set onnx=false"
        )
    return difference


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's own progress and its warnings of what comes in later versions."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _batch(rows: int, tokens: int, vocabulary: int) -> dict[str, Tensor]:
    """Token ids by a fixed rule; the last row is half padding."""
    ids = (torch.arange(rows * tokens).reshape(rows, tokens) * 7919 + 3) % vocabulary
    mask = torch.ones_like(ids)
    if rows > 1:
        mask[-1, (tokens + 1) // 2 :] = 0
    return {"input_ids": ids, "attention_mask": mask}


def _halved(model: Any) -> Any:
    """The large weights as half precision, each with a cast behind it that a session folds when it loads the file."""
    graph, casts = model.graph, []
    for number, weight in enumerate(graph.initializer):
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _SMALL:
            continue
        name = weight.name
        halved = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{name}.half")
        graph.initializer[number].CopyFrom(halved)
        casts.append(helper.make_node("Cast", [halved.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _renumbered(model: Any) -> Any:
    """The nodes as the outputs ask for them, numbered in this order: the tracer meets them in the order of Python's sets, so that the same
    model would give another file in each process. A graph within a node knows names from outside: with one, everything stays."""
    graph = model.graph
    if any(attribute.HasField("g") or attribute.graphs for node in graph.node for attribute in node.attribute):
        return model
    fixed = {value.name: value.name for value in (*graph.input, *graph.output)}
    names, nodes = {"": "", **fixed}, _asked_for(graph)
    weights = {weight.name: weight for weight in graph.initializer}
    for number, node in enumerate(nodes):
        for name in (name for name in node.input if name in weights and name not in names):
            names[name] = f"weight_{len(names)}" if name.startswith(_NUMBERED) else name
        node.name = f"{node.op_type}_{number}"
        names.update((name, f"{node.name}_{place}") for place, name in enumerate(node.output) if name not in names)
        node.input[:], node.output[:] = [names[name] for name in node.input], [names[name] for name in node.output]
    kept = [weight for name, weight in weights.items() if name in names]
    for weight in kept:
        weight.name = names[weight.name]
    for field, values in (("node", nodes), ("initializer", sorted(kept, key=lambda weight: weight.name)), ("value_info", [])):
        copies = [type(value).FromString(value.SerializeToString(deterministic=True)) for value in values]
        graph.ClearField(field)
        getattr(graph, field).extend(copies)
    return model


def _asked_for(graph: Any) -> list[Any]:
    """The nodes that the outputs need, each behind those that it needs, in the order of their inputs."""
    makers = {name: node for node in graph.node for name in node.output}
    found, seen, stack = [], set[str](), [(value.name, False) for value in reversed(graph.output)]
    while stack:
        name, needs_are_met = stack.pop()
        node = makers.get(name)
        if node is None:
            continue
        if needs_are_met:
            found.append(node)
        elif node.output[0] not in seen:
            seen.add(node.output[0])
            stack += [(name, True), *((needed, False) for needed in reversed(node.input))]
    return found


def _difference(model: nn.Module, path: Path, vocabulary: int) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for rows, tokens in _SHAPES:
        batch = _batch(rows, tokens, vocabulary)
        with torch.no_grad():
            ours = model(**batch).logits.numpy()
        theirs = session.run(["logits"], {name: value.numpy() for name, value in batch.items()})[0]
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def add_onnx(directory: Path) -> Card:
    """Add `model.onnx` to a scorer's model directory and renew its card; everything else stays as it is. Raises ArtifactError where the
    directory is not what its card says."""
    from transformers import AutoModelForSequenceClassification

    from train.texts import encoders  # noqa: F401  registers our own architectures

    card = verify(directory, read_card(directory).kind)
    model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(directory, partial, ignore=shutil.ignore_patterns(CARD))
    write_onnx(model, partial)
    kept = {name: getattr(card, name) for name in ("kind", "name", "command", "seed", "config", "data_hash", "metrics")}
    renewed = write_card(partial, **kept)
    shutil.rmtree(directory)
    partial.rename(directory)
    return renewed
