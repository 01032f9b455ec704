"""Text encoders behind one contract: any transformers encoder (hub id or directory), or a small one that needs no weights.

`TransformersEncoder` mean-pools a pretrained model. `LsaEncoder` is latent semantic analysis (Deerwester et al. 1990): hashed word
and character n-grams, TF-IDF, truncated SVD, fitted on the catalogue's own texts; where a product's texts in two languages are one
document, both languages land in one space.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

Vectors = NDArray[np.float32]

_FEATURES = 1 << 15
_TOKEN = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]+")


class EncoderError(ValueError):
    """An encoder that can't be loaded. The message names the field, the value and the remedy."""


class TextEncoder(Protocol):
    """Texts to unit vectors. `spec` says how to load the same encoder again."""

    dim: int
    spec: dict[str, str]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n,) texts → (n, dim) float32 of unit length; a text without any known feature gives a zero row."""
        ...


def terms(text: str) -> Iterator[str]:
    """Words, four-letter word heads, single Chinese characters and their bigrams."""
    for token in _TOKEN.findall(text.lower()):
        if token.isascii():
            yield token
            if len(token) > 5:
                yield token[:5]
        else:
            yield from token
            yield from (token[i : i + 2] for i in range(len(token) - 1))


class LsaEncoder:
    """Fitted weights: idf (32768,), components (32768, dim). Make one with `fit`, `save` it, `load` it."""

    def __init__(self, idf: NDArray[np.float64], components: Vectors) -> None:
        self.dim = int(components.shape[1])
        self.spec = {"kind": "lsa"}
        self._idf, self._components = idf, components
        self._counts = HashingVectorizer(n_features=_FEATURES, analyzer=_terms_of, alternate_sign=False, norm=None)

    @classmethod
    def fit(cls, documents: Sequence[str], dim: int = 128, seed: int = 0) -> "LsaEncoder":
        """Fit on documents. The dimension is at most one less than their number, and at least 1. Raises ValueError for none."""
        if not documents:
            raise ValueError("documents: none given; an LSA encoder needs at least 1 text to fit")
        counts = HashingVectorizer(n_features=_FEATURES, analyzer=_terms_of, alternate_sign=False, norm=None).transform(documents)
        tfidf = TfidfTransformer(sublinear_tf=True).fit(counts)
        svd = TruncatedSVD(max(1, min(dim, len(documents) - 1)), random_state=seed).fit(tfidf.transform(counts))
        # Whitening by half keeps the strongest (mostly language) directions from drowning the rest.
        components = (svd.components_ / np.sqrt(svd.singular_values_ + 1e-6)[:, None]).T
        return cls(np.asarray(tfidf.idf_), np.ascontiguousarray(components, dtype=np.float32))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n,) texts → (n, dim) unit vectors."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        counts = self._counts.transform(texts)
        counts.data = 1 + np.log(counts.data)
        weighted = normalize(counts.multiply(self._idf).tocsr())
        return np.ascontiguousarray(normalize(weighted @ self._components), dtype=np.float32)

    def save(self, directory: Path) -> None:
        """Write `lsa.safetensors`."""
        directory.mkdir(parents=True, exist_ok=True)
        save_file({"idf": self._idf, "components": self._components}, directory / "lsa.safetensors")

    @classmethod
    def load(cls, directory: Path) -> "LsaEncoder":
        """Read what `save` wrote."""
        tensors = load_file(directory / "lsa.safetensors")
        return cls(tensors["idf"], tensors["components"])


def _terms_of(text: str) -> list[str]:
    return list(terms(text))


class TransformersEncoder:
    """A pretrained encoder with mean pooling. `prefix` goes in front of every text where the model wants one (E5: "query: ")."""

    def __init__(self, model: str, *, prefix: str = "", max_tokens: int = 256, batch_size: int = 64, device: str | None = None) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        self._torch = torch
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._prefix, self._max_tokens, self._batch_size = prefix, max_tokens, batch_size
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(model)
            self._model: Any = AutoModel.from_pretrained(model, use_safetensors=True).to(self._device).eval()
        except (OSError, ValueError) as error:
            raise EncoderError(
                f"encoder: {model!r} could not be loaded ({str(error).splitlines()[0]}); give a directory with a transformers encoder, "
                "a hub id that this machine can reach, or `lsa`"
            ) from error
        self.dim = int(self._model.config.hidden_size)
        self.spec = {"kind": "transformers", "model": model, "prefix": prefix}

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n,) texts → (n, dim) unit vectors, in batches without gradients."""
        batches = [self._encode_batch(texts[i : i + self._batch_size]) for i in range(0, len(texts), self._batch_size)]
        return np.concatenate(batches) if batches else np.zeros((0, self.dim), np.float32)

    def _encode_batch(self, texts: Sequence[str]) -> Vectors:
        torch = self._torch
        tokens = self._tokenizer(
            [self._prefix + text for text in texts], padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        )
        tokens = tokens.to(self._device)
        with torch.inference_mode():
            hidden = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        vectors: Vectors = torch.nn.functional.normalize(pooled.float(), dim=-1).cpu().numpy()
        return vectors


def save_spec(encoder: TextEncoder, directory: Path) -> None:
    """Write what `load_encoder` needs: the spec, and the weights of an encoder fitted here."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "encoder.json").write_text(json.dumps(encoder.spec) + "\n")
    if isinstance(encoder, LsaEncoder):
        encoder.save(directory)


def load_encoder(directory: Path) -> TextEncoder:
    """The encoder that an index was built with."""
    spec = json.loads((directory / "encoder.json").read_text())
    if spec["kind"] == "lsa":
        return LsaEncoder.load(directory)
    return TransformersEncoder(spec["model"], prefix=spec["prefix"])
