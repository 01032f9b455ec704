"""A CLIP model: pictures and texts into one space, where a picture and the words for it point the same way.

    model = ClipModel("models/clip")                                  # a model directory, hashes checked first
    model = ClipModel("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K")  # the Hugging Face hub
    model = ClipModel("ViT-B-32:laion2b_s34b_b79k")                   # an open_clip name and its weights' tag

A text longer than the tower's context is cut at its end. Batching over requests, threads and devices' placement belong to the caller.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from PIL import Image
from safetensors import SafetensorError

from artifacts.card import ArtifactError, Card, verify
from multimodal.fusion import Calibration
from multimodal.media import open_image

KIND = "clip"
"""The kind that a CLIP model directory's card has."""
CALIBRATION_FILE = "calibration.json"
_HUB = "hf-hub:"
_BATCH = 64
_LOAD_ERRORS = (RuntimeError, OSError, ValueError, KeyError, SafetensorError)  # of open_clip, the hub client and safetensors

Embeddings = npt.NDArray[np.float32]


class ClipModelError(ValueError):
    """A CLIP model that can't be loaded. The message names the field, its value, the reason and the remedy."""

    def __init__(self, source: str, reason: object) -> None:
        super().__init__(f"clip model = {source!r}: can't be loaded ({reason}); give a local directory made by `python -m train.clip`")


class ClipModel:
    """Both towers of a CLIP model, in eval mode. `dimensions` is the length of an embedding, `version` the card's or the source."""

    def __init__(self, source: str | Path, device: str = "cpu") -> None:
        """Raises ClipModelError (a ValueError) where `source` is no verified directory, hub id or known name and tag."""
        self.source = str(source)
        self._device = torch.device(device)
        name, tag = _name_and_tag(self.source)
        card = None if tag or name.startswith(_HUB) else _verified(Path(name))
        if card:
            name = f"local-dir:{name}"
        try:
            self._model, self._preprocess = open_clip.create_model_from_pretrained(name, tag, device=device)
            self._tokenizer = open_clip.get_tokenizer(name)
        except _LOAD_ERRORS as error:
            raise ClipModelError(self.source, error) from error
        self._model.eval()
        self.version: str = card.version if card else self.source
        self.calibration = read_calibration(Path(self.source)) if card else Calibration()
        self.dimensions = int(self.encode_texts(["?"]).shape[1])

    def encode_images(self, pictures: Sequence[Image.Image | Path]) -> Embeddings:
        """(n, d), each of length 1. Paths are opened first: raises MediaError naming the first that can't be."""
        opened = [picture if isinstance(picture, Image.Image) else open_image(picture) for picture in pictures]

        def tower(batch: Sequence[Image.Image]) -> torch.Tensor:
            features: torch.Tensor = self._model.encode_image(torch.stack([self._preprocess(p) for p in batch]).to(self._device))
            return features

        return self._encode(opened, tower)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """(n, d), each of length 1."""
        return self._encode(texts, lambda batch: self._model.encode_text(self._tokenizer(list(batch)).to(self._device)))

    @torch.inference_mode()
    def _encode(self, inputs: Sequence[Any], tower: Any) -> Embeddings:
        if not inputs:
            return np.empty((0, self.dimensions), dtype=np.float32)
        parts = [tower(inputs[start : start + _BATCH]).float() for start in range(0, len(inputs), _BATCH)]
        embedded: Embeddings = torch.nn.functional.normalize(torch.cat(parts), dim=-1).cpu().numpy()
        return embedded


def read_calibration(directory: Path) -> Calibration:
    """The calibration that a model directory holds, else the default."""
    path = directory / CALIBRATION_FILE
    return Calibration(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else Calibration()


def write_calibration(calibration: Calibration, directory: Path) -> None:
    """Put a calibration into a model directory (before its card)."""
    (directory / CALIBRATION_FILE).write_text(json.dumps(asdict(calibration), indent=2) + "\n", encoding="utf-8")


def _name_and_tag(source: str) -> tuple[str, str | None]:
    """`ViT-B-32:laion2b_s34b_b79k` → name and tag; anything else is a hub id or a directory."""
    name, separator, tag = source.partition(":")
    if separator and name in open_clip.list_models():
        return name, tag
    return source, None


def _verified(directory: Path) -> Card:
    try:
        return verify(directory, kind=KIND)
    except ArtifactError as error:
        raise ClipModelError(str(directory), error) from error
