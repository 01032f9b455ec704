"""A transformers text classifier from a verified model directory, on the CPU or a GPU: texts in, logits out."""

from collections.abc import Sequence
from typing import Any

from artifacts.source import verified_model

MAX_TOKENS = 256


class Classifier:
    """Loads any AutoModelForSequenceClassification directory. Safe to call from one thread at a time."""

    def __init__(self, model: str, kind: str, threads: int = 1) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        torch.set_num_threads(threads)
        self._torch = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        path = verified_model(model, kind)
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        loaded: Any = AutoModelForSequenceClassification.from_pretrained(path, use_safetensors=True)
        self._model = loaded.float().to(self._device).eval()
        self.labels: tuple[str, ...] = tuple(self._model.config.id2label[i] for i in range(self._model.config.num_labels))
        self.temperature = float(getattr(self._model.config, "calibration_temperature", 1.0))

    def logits(self, texts: Sequence[str]) -> Any:
        """(n,) texts → (n, labels) float32 tensor on the CPU, divided by the calibration temperature."""
        tokens = self._tokenizer(list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        tokens.pop("token_type_ids", None)
        with self._torch.inference_mode():
            logits = self._model(**tokens.to(self._device)).logits
        return logits.float().cpu() / self.temperature
