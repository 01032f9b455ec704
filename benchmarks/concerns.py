"""How well aspects and opinions are read out of reviews (`copywriting/aspects.py`): `python -m benchmarks.concerns`.

Four measures, none of them the accuracy on a labelled public set. Read them for what they are:

* hand: sentences that this project wrote and labelled itself; the same people wrote the lexicon, so this is an upper bound. The hard ones
  say it by figures of speech or by telling what happened, without the lexicon's plain words: a lower bound.
* demo: reviews that `demo/reviews.py` composes, where every clause has a known aspect and polarity. The lexicon was written with the book
  of clauses at hand. Kinds whose book speaks of sides that we do not have (play, stay, pets, accounts) are left out.
* womens, senti_zh: real reviews. Their stars or labels are of the whole review, not of an aspect: a five-star review may say that the
  dress runs small. Agreement is the share of opinions whose stance is that of the review, in equal numbers of good and bad reviews;
  0.5 is chance, and 1.0 is not to be had. No stars are given to the reader here.

Every figure is printed, those of whole sets and stances are kept. The real data is looked for in SUASION_DATA (default: ../shared/data
beside the project) and left out, with one line, where it is missing.
"""

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import yaml

from benchmarks.record import Figures, record
from copywriting.aspects import Stance, opinions_in
from copywriting.lexicon import aspects
from copywriting.taxonomy import VERTICALS
from demo.reviews import LANGUAGES, REVIEWBOOK, review

PROJECT = Path(__file__).resolve().parents[1]
SENTENCES = PROJECT / "tests" / "copywriting" / "data" / "aspect_sentences.yaml"
SEED = 7
REVIEWS = 2000
"""Composed reviews of each language, and real ones of each side, at most."""
ENOUGH = 50
"""An aspect with fewer opinions in a set of real reviews has no figure of its own."""

IN_BOOK = {
    "material": "fabric", "size": "size", "colour": "colour", "packaging": "packaging", "delivery": "delivery", "price": "price",
    "durability": "quality", "taste": "taste", "smell": "scent", "sound": "sound", "battery": "battery", "ease": "ease",
    "comfort": "comfort", "skin": "effect", "reading": "content", "service": "service",
}  # fmt: skip
"""Aspect of the review book → ours."""
_OTHER_SIDES = ("toys", "pet", "finance", "travel")

Stances = frozenset[tuple[str, str]]
"""(aspect, stance) pairs that a text holds."""


def stances(text: str) -> Stances:
    """What a text says of each aspect on balance."""
    sums: dict[str, float] = defaultdict(float)
    for opinion in opinions_in(text):
        sums[opinion.aspect] += opinion.strength if opinion.stance == "liked" else -opinion.strength
    return frozenset((aspect, "liked" if total > 0 else "doubted") for aspect, total in sums.items() if total)


def precision_recall(pairs: Iterable[tuple[Stances, Stances]], prefix: str) -> Figures:
    """Found beside wanted, for each stance and for each aspect with at least ten wanted."""
    right: Counter[str] = Counter()
    found: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for got, gold in pairs:
        for count, said in ((right, got & gold), (found, got), (wanted, gold)):
            for aspect, stance in said:
                count.update(("all", stance, aspect))
    figures: Figures = {}
    for name in ("all", "liked", "doubted", *aspects()):
        if wanted[name] >= (10 if name in aspects() else 1):
            figures[f"{prefix}_{name}_precision"] = round(right[name] / max(1, found[name]), 3)
            figures[f"{prefix}_{name}_recall"] = round(right[name] / wanted[name], 3)
            figures[f"{prefix}_{name}_count"] = wanted[name]
    return figures


def hand_labelled() -> Figures:
    """The sentences that this project labelled, by language."""
    figures: Figures = {}
    for language, entries in yaml.safe_load(SENTENCES.read_text(encoding="utf-8")).items():
        pairs = [(stances(text), frozenset(gold.items())) for text, gold in entries]
        figures |= {"hand_" + language + "_sentences": len(pairs)} | precision_recall(pairs, f"hand_{language}")
    return figures


def composed() -> Figures:
    """Reviews of the sample shop's book, where every clause is known."""
    figures: Figures = {}
    places = [(vertical, kind) for vertical, kinds in VERTICALS.items() if vertical not in _OTHER_SIDES for kind in kinds]
    for language in LANGUAGES:
        rng = random.Random(f"{SEED} {language}")
        clauses = list(_clauses(language))
        pairs = []
        for number in range(REVIEWS):
            vertical, kind = places[number % len(places)]
            text = review(language, kind, rng.randint(1, 5), rng)
            got = frozenset(said for said in stances(text) if _suits(said[0], vertical, kind))
            lowered = text.lower()
            gold = {(aspect, stance) for clause, aspect, stance in clauses if clause in lowered and _suits(aspect, vertical, kind)}
            pairs.append((got, frozenset(gold)))
        figures |= precision_recall(pairs, f"demo_{language}")
    return figures


def _suits(aspect: str, vertical: str, kind: str) -> bool:
    return not aspects()[aspect].suits or bool(aspects()[aspect].suits & {vertical, kind})


def _clauses(language: str) -> Iterator[tuple[str, str, Stance]]:
    book = yaml.safe_load((REVIEWBOOK / f"{language}.yaml").read_text(encoding="utf-8"))["aspects"]
    for theirs, ours in IN_BOOK.items():
        yield from ((clause.lower(), ours, "liked") for clause in book[theirs]["positive"])
        yield from ((clause.lower(), ours, "doubted") for clause in book[theirs]["negative"])


def agreement(bad: Sequence[str], good: Sequence[str], prefix: str) -> Figures:
    """Opinions whose stance is that of their review, overall and by aspect; and in how many reviews anything was found."""
    agreed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    spoke = 0
    for texts, side in ((bad, "doubted"), (good, "liked")):
        for text in texts:
            said = stances(text)
            spoke += bool(said)
            for aspect, stance in said:
                total.update(("all", aspect))
                agreed.update(("all", aspect) if stance == side else ())
    figures: Figures = {f"{prefix}_reviews": len(bad) + len(good), f"{prefix}_found_in": round(spoke / (len(bad) + len(good)), 3)}
    for name in ("all", *aspects()):
        if total[name] >= ENOUGH:
            figures[f"{prefix}_{name}_agreement"] = round(agreed[name] / total[name], 3)
            figures[f"{prefix}_{name}_count"] = total[name]
    return figures


def is_summary(key: str) -> bool:
    """Is a figure of a whole set, or of a stance in it? Those of single aspects are printed and not kept."""
    return not any(f"_{name}_" in key for name in aspects()) and not key.endswith(("liked_count", "doubted_count"))


def real_reviews(root: Path) -> Figures:
    """Both sets of real reviews, as far as they are there."""
    figures: Figures = {}
    clothes = _table(root / "womens_clothing" / "womens_clothing_reviews.csv.gz")
    if clothes is not None:
        texts = clothes.dropna(subset=["Review Text"])
        figures |= agreement(*_sides(texts["Review Text"], texts["Rating"] <= 2, texts["Rating"] == 5), "womens")
    shopping = _table(root / "senti_zh" / "online_shopping_10_cats.csv.gz")
    if shopping is not None:
        texts = shopping.dropna(subset=["review"])
        figures |= agreement(*_sides(texts["review"], texts["label"] == 0, texts["label"] == 1), "senti_zh")
    return figures


def _table(path: Path) -> pd.DataFrame | None:
    if not path.is_file():
        print(f"left out: {path.name} is not there; set SUASION_DATA to the folder that holds {path.parent.name}/", flush=True)
        return None
    return pd.read_csv(path)


def _sides(texts: "pd.Series[str]", bad: "pd.Series[bool]", good: "pd.Series[bool]") -> tuple[list[str], list[str]]:
    """As many reviews of one side as of the other, the same from the same seed."""
    count = min(REVIEWS, int(bad.sum()), int(good.sum()))
    return texts[bad].sample(count, random_state=SEED).tolist(), texts[good].sample(count, random_state=SEED).tolist()


def main() -> None:
    """The command line."""
    root = Path(os.environ.get("SUASION_DATA") or PROJECT.parent / "shared" / "data")
    figures = hand_labelled() | composed() | real_reviews(root)
    print(*(f"{key} {value}" for key, value in figures.items()), sep="\n", flush=True)
    record("concerns", {key: value for key, value in figures.items() if is_summary(key)}, seed=SEED)


if __name__ == "__main__":
    main()
