"""A second reader of claims: a linear classifier over character n-grams, for claims in words that no pattern lists.

The patterns of `claims.py` say what a claim is and why; this one only says that a sentence reads like one. It is asked last; what it
suspects is left out or refused as any unproved claim. Made by `python -m train.claims`; nothing is checked without it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file

from artifacts.card import verify
from copywriting.channels import Language

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import HashingVectorizer

MODEL = Path(__file__).resolve().parent.parent / "models" / "claims"
KIND = "claims"
FEATURES = 1 << 18
_NGRAMS = {"zh": ("char", (1, 4)), "en": ("char_wb", (2, 6))}
_SHORTEST = 2
"""Characters below which a sentence says nothing by itself."""


def vectorizer(language: Language) -> "HashingVectorizer":
    """What training and serving read a sentence with: counts of hashed character n-grams, within words in English, length 1."""
    from sklearn.feature_extraction.text import HashingVectorizer  # seconds, and memory, of every process that checks no text

    analyzer, ngrams = _NGRAMS[language]
    return HashingVectorizer(analyzer=analyzer, ngram_range=ngrams, n_features=FEATURES, alternate_sign=False, lowercase=True)


def bare(sentence: str) -> str:
    """A sentence as the reader sees it: without the stop that ends it and the blanks around, which would tell where it is from."""
    return sentence.strip().rstrip("。！？!?.…；;，, ")


class SecondReader:
    """Weights of both languages and the suspicion from which on a sentence counts as a claim."""

    def __init__(self, directory: Path) -> None:
        verify(directory, KIND)
        tensors = load_file(directory / "weights.safetensors")
        told = json.loads((directory / "reader.json").read_text(encoding="utf-8"))
        self._weights = {language: tensors[language].astype(np.float32) for language in _NGRAMS}
        self._bias, self._threshold = told["bias"], told["threshold"]

    def suspicion(self, sentence: str, language: Language) -> float:
        """How much a sentence (slots as gaps) reads like a claim, 0 to 1."""
        counts = Counter(_places_in(bare(sentence), language))
        places, values = (np.fromiter(part, np.int64, len(counts)) for part in (counts.keys(), counts.values()))
        length = float(np.sqrt(values @ values)) or 1.0
        logit = float(values @ self._weights[language][places]) / length + self._bias[language]
        return float(1 / (1 + np.exp(-logit)))

    def suspects(self, sentence: str, language: Language) -> bool:
        """Does it read like a claim?"""
        return len(bare(sentence)) >= _SHORTEST and self.suspicion(sentence, language) >= self._threshold[language]


@cache
def _analyzer(language: Language) -> Callable[[str], list[str]]:
    analyzer: Callable[[str], list[str]] = vectorizer(language).build_analyzer()
    return analyzer


def _places_in(sentence: str, language: Language) -> Iterator[int]:
    """Where `HashingVectorizer` counts the n-grams of a sentence: what its transform does, without the checks that cost more than the
    sentence. English n-grams end with their word, and words come again."""
    if language == "zh":
        return map(_place_of, _analyzer("zh")(sentence))
    return chain.from_iterable(map(_places_in_word, sentence.split()))


@lru_cache(maxsize=1 << 15)
def _places_in_word(word: str) -> tuple[int, ...]:
    return tuple(map(_place_of, _analyzer("en")(word)))


@cache
def _hash() -> Callable[..., int]:
    from sklearn.utils import murmurhash3_32

    hashed: Callable[..., int] = murmurhash3_32
    return hashed


@lru_cache(maxsize=1 << 17)
def _place_of(ngram: str) -> int:
    return int(abs(_hash()(ngram, seed=0)) % FEATURES)


@cache
def reader() -> SecondReader:
    """The shipped reader. Raises ArtifactError where its directory is missing or changed."""
    return SecondReader(MODEL)


@lru_cache(maxsize=16384)
def suspects(sentence: str, language: Language) -> bool:
    """Does the shipped reader suspect this sentence? Kept, since a copybook's sentences come again and again."""
    return reader().suspects(sentence, language)
