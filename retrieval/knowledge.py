"""The merchant's own answers: passages on delivery, returns, care and the like, found for a question with FAISS, by language.

    python -m retrieval.knowledge SHOP FILE.yaml [...]     bring passages into a shop: `{locale, passages: [{id, asks: [...], text}]}`

A passage is found by what it says and by ways in which people ask for it (`asks`): FAISS gathers near ones, and the share of the question's
telling words that a passage has decides, with words that no passage has in the count, so that a question about something else is known as
one. The encoder is fitted on the passages themselves, and built into the index directory with everything else.
"""

import argparse
import math
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from copywriting.dialogue import Passage
from retrieval import schemas, tables
from retrieval.encoder import LsaEncoder, terms
from retrieval.index import VectorIndex

DIRECTORY = "knowledge"
THRESHOLD = 0.45
"""Share of a question's telling words from which on a passage counts as the answer."""
_WHOLE, _ONE, _NEAR = 0.4, 0.4, 0.2
_GATHERED = 24
_EMPTY = {
    "en": re.compile(
        r"\b(?:a|an|the|i|we|you|he|she|it|they|me|my|your|our|their|its|this|that|these|those|is|are|was|were|be|been|am|do|does|did|have|has|"
        r"had|can|could|will|would|shall|should|may|might|must|of|to|in|on|at|by|for|with|from|about|and|or|but|if|so|not|no|don't|can't|"
        r"what|what's|works?|which|who|whose|when|where|how|why|there|here|please|hi|hello|thanks|get|got|just|also|any|some|ones?|as|than|then|"
        r"product|item|thing|into|out|up|i'd|i'm|like|want|need|know|tell|wondering|hey|much|many|long|s|t|ll|re|ve)\b"
    ),
    "zh": re.compile(
        "请问|你们|我们|咱们|您们|他们|它们|这个|那个|这件|那件|这款|那款|一下|一个|可以|可不可以|能不能|会不会|是不是|有没有|怎么样|怎么办|怎么|什么时候|什么|为什么|"
        "多少|多久|如果|的话|还是|或者|但是|因为|所以|东西|时候|知道|告诉|麻烦|谢谢|你好|您好|[的了吗呢吧呀啊哦么我你您他她它这那是有在和与跟把被让给就都也还很能会要想不没得地着过来去说看请几谁哪]|衣服|商品|产品|宝贝"
    ),
}
"""What tells nothing of what a question is about."""
_DIM = 256
_KEYS = {"id", "asks", "text"}


class KnowledgeError(ValueError):
    """A file of passages that can't be used. The message names file, passage, field and remedy."""


def read_passages(path: Path) -> list[dict[str, Any]]:
    """Rows of the `knowledge` table from one YAML file."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path.name}: not YAML ({error}); correct it") from error
    if not isinstance(document, dict) or set(document) != {"locale", "passages"} or not isinstance(document["passages"], list):
        raise KnowledgeError(f"{path.name}: needs the keys locale and passages (a list); see demo/knowledge")
    return [_row(path, number, document["locale"], entry) for number, entry in enumerate(document["passages"], start=1)]


def _row(path: Path, number: int, locale: str, entry: Any) -> dict[str, Any]:
    where = f"{path.name}#{number}"
    if not isinstance(entry, dict) or set(entry) - _KEYS or not {"id", "text"} <= set(entry):
        raise KnowledgeError(f"{where}: {entry!r}: needs id and text, and may have asks")
    if not str(entry["text"]).strip():
        raise KnowledgeError(f"{where}: text: is empty; write the answer as whole sentences")
    asks = [str(each) for each in entry.get("asks", [])]
    return {"passage_id": str(entry["id"]), "locale": locale, "asks": asks, "text": str(entry["text"]).strip(), "version": 1}


def write_passages(shop: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write the table. Raises KnowledgeError where an id repeats within a locale."""
    rows = list(rows)
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if (key := (row["passage_id"], row["locale"])) in seen:
            raise KnowledgeError(f"id: {key[0]!r} is there twice in {key[1]}; rename one")
        seen.add(key)
    return tables.write(shop, "knowledge", pa.Table.from_pylist(rows, schema=schemas.KNOWLEDGE))


def build_knowledge(shop: Path, out: Path, seed: int = 0) -> int:
    """Index a shop's passages into `out/knowledge`, a folder for each language. Returns how many; 0 for a shop without."""
    if not tables.path_of(shop, "knowledge").is_file():
        return 0
    rows = tables.read(shop, "knowledge")
    for language, held in _by_language(rows).items():
        folder = out / DIRECTORY / language
        documents = [f"{' '.join(row['asks'])} {row['text']}" for row in held]
        asks = [(number, ask) for number, row in enumerate(held) for ask in (*row["asks"], row["text"])]
        encoder = LsaEncoder.fit(documents, _DIM, seed)
        encoder.save(folder)
        VectorIndex.build(encoder.encode([ask for _, ask in asks])).save(folder / "passages.faiss")
        pq.write_table(pa.Table.from_pylist(held, schema=schemas.KNOWLEDGE), folder / "passages.parquet")
        pq.write_table(pa.table({"passage": [number for number, _ in asks]}), folder / "rows.parquet")
    return int(rows.num_rows)


def _by_language(rows: pa.Table) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["locale"].split("-")[0], []).append(row)
    return found


class Knowledge:
    """The passages of one index directory. Reads only."""

    def __init__(self, index: Path) -> None:
        self._shelves = {folder.name: _Shelf(folder) for folder in sorted((index / DIRECTORY).glob("*")) if folder.is_dir()}

    def find(self, question: str, locale: str, k: int = 3) -> tuple[Passage, ...]:
        """The passages nearest to a question in the locale's language, best first; those of another country of that language are left
        out."""
        shelf = self._shelves.get(locale.split("-")[0])
        return shelf.find(question, locale, k) if shelf else ()

    def answers(self, question: str, locale: str) -> tuple[Passage, ...]:
        """Those that are near enough to count as an answer."""
        return tuple(passage for passage in self.find(question, locale) if passage.score >= THRESHOLD)


class _Shelf:
    def __init__(self, folder: Path) -> None:
        self._language = folder.name
        self._encoder = LsaEncoder.load(folder)
        self._index = VectorIndex.open(folder / "passages.faiss")
        self._passages = pq.read_table(folder / "passages.parquet").to_pylist()
        self._passage_of = pq.read_table(folder / "rows.parquet")["passage"].to_numpy()
        self._words = [telling(" ".join((*row["asks"], row["text"])), self._language) for row in self._passages]
        self._asks = [[telling(each, self._language) for each in (*row["asks"], row["text"])] for row in self._passages]
        held = Counter(word for words in self._words for word in words)
        self._rarity = {word: math.log((1 + len(self._words)) / (1 + count)) + 1 for word, count in held.items()}
        self._unknown = math.log(1 + len(self._words)) + 1

    def find(self, question: str, locale: str, k: int) -> tuple[Passage, ...]:
        vector = self._encoder.encode([question])[0]
        if not vector.any():
            return ()
        allowed = np.array([self._passages[number]["locale"] == locale for number in self._passage_of], dtype=np.bool_)
        rows, cosines = self._index.search(vector, _GATHERED, allowed)
        nearest: dict[int, float] = {}
        for row, cosine in zip(rows, cosines, strict=True):
            nearest.setdefault(int(self._passage_of[row]), float(cosine))
        asked = telling(question, self._language)
        scored = sorted(((self._score(asked, number, cosine), number) for number, cosine in nearest.items()), reverse=True)[:k]
        held = [(self._passages[number], score) for score, number in scored]
        return tuple(Passage(row["passage_id"], row["text"], row["version"], score) for row, score in held)

    def _score(self, asked: frozenset[str], number: int, cosine: float) -> float:
        """How sure it is that the passage answers, 0 to 1: what of the question it has at all, what of it one way of asking has, and the
        nearness of the two as FAISS saw it. 0 where no telling word is shared."""
        whole = self._share(asked, self._words[number])
        return (
            _WHOLE * whole + _ONE * max(self._share(asked, words) for words in self._asks[number]) + _NEAR * max(cosine, 0.0)
            if whole
            else 0.0
        )

    def _share(self, asked: frozenset[str], held: frozenset[str]) -> float:
        """The share of the question's telling words that are held, rare words counting more; 0 for a question without any."""
        weights = {word: self._rarity.get(word, self._unknown) for word in asked}
        return sum(weight for word, weight in weights.items() if word in held) / (sum(weights.values()) or 1.0)


def telling(text: str, language: str) -> frozenset[str]:
    """The words, or pairs of Chinese characters, that say what a text is about."""
    rest = _EMPTY[language].sub(" ", text.lower())
    if language == "zh":
        return frozenset(word for word in terms(rest) if len(word) > 1)
    return frozenset(word[:6].removesuffix("s") for word in terms(rest) if len(word) > 1)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shop", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args()
    try:
        path = write_passages(options.shop, (row for file in options.files for row in read_passages(file)))
    except (KnowledgeError, tables.TableError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"{path}: build the index again for it to be found")


if __name__ == "__main__":
    main()
