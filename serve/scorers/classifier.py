"""A text classifier from a verified model directory: texts in, logits out. On a CPU its ONNX form runs where the directory has one, in
ONNX Runtime; on a GPU, and for any other directory that transformers can load, torch does."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from artifacts.source import verified_model, version_of

MAX_TOKENS = 256
ONNX = "model.onnx"
Logits = NDArray[np.float32]


class _Runtime(Protocol):
    """What runs a model."""

    labels: tuple[str, ...]
    temperature: float

    def logits(self, texts: Sequence[str]) -> Logits:
        """(n,) texts → (n, labels)."""
        ...


class Classifier:
    """Safe to call from one thread at a time. `version` is the card's, or the model's name."""

    def __init__(self, model: str, kind: str, threads: int = 1) -> None:
        self.version = version_of(model)
        path = Path(verified_model(model, kind))
        on_gpu = bool(os.environ.get("CUDA_VISIBLE_DEVICES"))  # Ray names the GPUs that a replica was given
        self._runtime: _Runtime = _Onnx(path, threads) if (path / ONNX).is_file() and not on_gpu else _Torch(path, threads)
        self.labels = self._runtime.labels

    def logits(self, texts: Sequence[str]) -> Logits:
        """(n,) texts → (n, labels), divided by the calibration temperature."""
        return np.asarray(self._runtime.logits(texts) / self._runtime.temperature)


class _Onnx:
    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        self.labels = tuple(config["id2label"][str(number)] for number in range(len(config["id2label"])))
        self.temperature = float(config.get("calibration_temperature", 1.0))
        self._tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        self._tokenizer.enable_truncation(min(MAX_TOKENS, int(config.get("max_tokens", MAX_TOKENS))))
        self._tokenizer.enable_padding(pad_id=config.get("pad_token_id") or 0)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path / ONNX), options, providers=["CPUExecutionProvider"])

    def logits(self, texts: Sequence[str]) -> Logits:
        tokens = self._tokenizer.encode_batch(list(texts))
        columns = {"input_ids": [each.ids or [0] for each in tokens], "attention_mask": [each.attention_mask or [1] for each in tokens]}
        fed = {name: np.array(rows, dtype=np.int64) for name, rows in columns.items()}
        fed["attention_mask"][:, 0] = 1  # an empty text has something to attend to
        return np.asarray(self._session.run(["logits"], fed)[0])


class _Torch:
    def __init__(self, path: Path, threads: int) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        torch.set_num_threads(threads)
        self._torch = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        loaded: Any = AutoModelForSequenceClassification.from_pretrained(path, use_safetensors=True)
        self._model = loaded.float().to(self._device).eval()
        config = self._model.config
        self.labels = tuple(config.id2label[number] for number in range(config.num_labels))
        self.temperature = float(getattr(config, "calibration_temperature", 1.0))
        self._max_tokens = min(MAX_TOKENS, int(getattr(config, "max_tokens", MAX_TOKENS)))

    def logits(self, texts: Sequence[str]) -> Logits:
        tokens = self._tokenizer(list(texts), padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt")
        tokens.pop("token_type_ids", None)
        tokens["attention_mask"][:, 0] = 1
        with self._torch.inference_mode():
            logits = self._model(**tokens.to(self._device)).logits
        return np.asarray(logits.float().cpu().numpy())


def softmax(logits: Logits) -> Logits:
    """(n, labels) → chances that sum to 1."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(logits: Logits) -> Logits:
    """(n, labels) → independent chances."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))
