"""Text encoders behind one contract: any transformers encoder (hub id or directory), or a small one that needs no weights.

`TransformersEncoder` mean-pools a pretrained model. `LsaEncoder` is latent semantic analysis (Deerwester et al. 1990): words and
characters of the catalogue's own texts, TF-IDF, truncated SVD; where a product's texts in two languages are one document, both
languages land in one space. It knows no word that the catalogue doesn't have.
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
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

Vectors = NDArray[np.float32]

_MAX_TERMS = 1 << 16  # the most frequent ones of a large catalogue: 32 MiB at 128 dimensions
_RANK = 1e-6
"""Singular values below this share of the largest are taken for 0."""
_HEAD = 6  # letters; of five, a handbag would be a handbook
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
    """Words, the heads of long ones (jackets → jacket), single Chinese characters and their bigrams."""
    for token in _TOKEN.findall(text.lower()):
        if token.isascii():
            yield token
            if len(token) > _HEAD:
                yield token[:_HEAD]
        else:
            yield from token
            yield from (token[i : i + 2] for i in range(len(token) - 1))


class LsaEncoder:
    """Fitted weights: the vocabulary (v terms), idf (v,), components (v, dim). Make one with `fit`, `save` it, `load` it."""

    def __init__(self, vocabulary: Sequence[str], idf: NDArray[np.float64], components: Vectors) -> None:
        self.dim = int(components.shape[1])
        self.spec = {"kind": "lsa"}
        self._vocabulary, self._idf, self._components = tuple(vocabulary), idf, components
        self._tfidf = TfidfVectorizer(analyzer=_terms_of, vocabulary=self._vocabulary, sublinear_tf=True)
        self._tfidf.idf_ = idf

    @classmethod
    def fit(cls, documents: Sequence[str], dim: int = 128, seed: int = 0) -> "LsaEncoder":
        """Fit on documents. The dimension is at most one less than their number, and at least 1. Raises ValueError where there is
        nothing to fit on."""
        if not any(any(True for _ in terms(document)) for document in documents):
            raise ValueError(
                f"documents: {'none given' if not documents else 'no word in any'}; an LSA encoder needs at least 1 text with words"
            )
        tfidf = TfidfVectorizer(analyzer=_terms_of, max_features=_MAX_TERMS, sublinear_tf=True)
        weighted = tfidf.fit_transform(documents)
        with np.errstate(invalid="ignore"):  # one document: there is no variance to explain
            svd = TruncatedSVD(max(1, min(dim, len(documents) - 1, weighted.shape[1])), random_state=seed).fit(weighted)
        # Documents that repeat others leave directions without variance, which are rounding errors and would be the loudest.
        real = svd.singular_values_ > _RANK * svd.singular_values_.max(initial=0.0)
        real[0] = True  # one document: there is no variance at all
        # Whitening by half keeps the strongest (mostly language) directions from drowning the rest.
        components = (svd.components_[real] / np.sqrt(svd.singular_values_[real] + 1e-6)[:, None]).T
        return cls(tfidf.get_feature_names_out().tolist(), tfidf.idf_, np.ascontiguousarray(components, dtype=np.float32))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n,) texts → (n, dim) unit vectors."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        return np.ascontiguousarray(normalize(self._tfidf.transform(texts) @ self._components), dtype=np.float32)

    def save(self, directory: Path) -> None:
        """Write `lsa.safetensors` and `terms.json`."""
        directory.mkdir(parents=True, exist_ok=True)
        save_file({"idf": self._idf, "components": self._components}, directory / "lsa.safetensors")
        (directory / "terms.json").write_text(json.dumps(self._vocabulary, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> "LsaEncoder":
        """Read what `save` wrote."""
        tensors = load_file(directory / "lsa.safetensors")
        return cls(json.loads((directory / "terms.json").read_text(encoding="utf-8")), tensors["idf"], tensors["components"])


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
