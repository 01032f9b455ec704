"""CLIPs trained here on photos of products and their titles, examined on titles that no part of the training saw.

    python -m benchmarks.train_clip [--minutes 30] [--workers 2] [--only clip|siglip] [--trial]

fashion_products from the folder in SUASION_DATA; 80/10/10 by title (case and white space aside). Each loss trains `--minutes` from scratch
with train/configs/clip_products.yaml and a tokenizer learned from the training titles. On the last tenth: recall@1/5/10 from each title to
all pictures and from each picture to all titles, where any picture of the same title is right; and the product type (articleType with at
least 20 photos in the table) whose prompt, "a photo of a TYPE", is nearest to a picture. Intervals draw whole titles.

Beside them, all with TF-IDF over characters (n-grams of 2 to 5 within words) fitted on the training titles:
colour: the nearest training picture by colour histogram (8 × 8 × 8 bins, Bhattacharyya) lends its title, test titles are ranked by
    likeness to it; from a title, the nearest training title lends its picture's histogram. Type: that of the nearest training picture.
words: no pixel is seen; a picture is the words "baseColour articleType" of its row in the table, as a person filled them in. Type: the
    one whose name is most like the title.
chance: a random order; for the type, one at random (and `commonest`, the most frequent one in the training). Ties are broken by lot.
"""

import argparse
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score

from artifacts.card import write_card
from benchmarks.record import Figures, record
from benchmarks.train_sentiment import data_folder
from demo.stage import VAR
from multimodal.clip import ClipModel
from serve.config import ROOT
from train.exams.exam import Rows, Sitting, examined
from train.pictures.captions import Picture, Sides, read_sides
from train.pictures.clip_config import ClipConfig
from train.pictures.clip_loss import LOSSES
from train.reports.metrics import Floats
from train.run.settings import load_config
from train.run.tables import read_table
from train.texts.vocabulary import save_tokenizer, train_reader

CONFIG = ROOT / "train" / "configs" / "clip_products.yaml"
WORK = VAR / "benchmarks" / "clip"
VOCABULARY = 4000
FEWEST = 20
CUTS = (1, 5, 10)
PROMPT = "a photo of a {}"
_LEVELS = 8


@dataclass(frozen=True, slots=True)
class Retrieved:
    """From each query, the place (from 0) of the first right answer: `places` (n,)."""

    places: Rows
    clusters: NDArray[np.generic]

    def figures(self, rows: Rows) -> dict[str, float]:
        """recall_1, recall_5, recall_10."""
        return {f"recall_{cut}": float((self.places[rows] < cut).mean()) for cut in CUTS}


@dataclass(frozen=True, slots=True)
class Named:
    """The type that each picture was said to be, and its own: (n,) each."""

    said: Rows
    truth: Rows
    clusters: NDArray[np.generic]

    def figures(self, rows: Rows) -> dict[str, float]:
        """accuracy and F1 as the mean over types weighted by how many pictures they have."""
        said, truth = self.said[rows], self.truth[rows]
        return {
            "accuracy": float((said == truth).mean()),
            "weighted_f1": float(f1_score(truth, said, average="weighted", zero_division=0)),
        }


class Examination:
    """The pictures of one side with their titles, types and colours, and what answers the same questions without a CLIP."""

    def __init__(self, sides: Sides, table: Path) -> None:
        rows = read_table(table).to_pylist()
        frequent = Counter(row["articleType"] for row in rows)
        self.types = sorted(name for name, count in frequent.items() if count >= FEWEST)
        self._rows = {str(row["id"]): row for row in rows}
        self.training, self.pictures = sides.training, sides.test
        groups = np.array([picture.product for picture in self.pictures])
        self.groups, self._first = np.unique(groups, return_index=True)
        self.titles = [self.pictures[i].texts[0][1] for i in self._first]
        self.right = self.groups[:, None] == groups
        self._owners = groups
        self._vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
        self._vectorizer.fit([title_of(picture) for picture in self.training])
        self._known = self._type_numbers(self.pictures)
        self.typed = np.flatnonzero(self._known >= 0)

    def _type_numbers(self, pictures: Sequence[Picture]) -> Rows:
        """(n,), -1 for a type with too few photos."""
        number = {name: i for i, name in enumerate(self.types)}
        return np.array([number.get(self._rows[picture.path.stem]["articleType"], -1) for picture in pictures])

    def alike(self, some: Sequence[str], others: Sequence[str]) -> Floats:
        """(some, others) cosines of TF-IDF."""
        found: Floats = (self._vectorizer.transform(some) @ self._vectorizer.transform(others).T).toarray()
        return found

    def retrieval(self, from_titles: Floats, from_pictures: Floats) -> dict[str, Sitting]:
        """Scores (titles, pictures) and (pictures, titles)."""
        return {
            "title_to_image": Retrieved(places(from_titles, self.right), self.groups),
            "image_to_title": Retrieved(places(from_pictures, self.right.T), self._owners),
        }

    def type_named(self, said: Rows) -> dict[str, Sitting]:
        """`said` (typed,) are type numbers for the pictures whose type counts."""
        return {"type": Named(said, self._known[self.typed], self._owners[self.typed])}

    def clip(self, directory: Path) -> dict[str, Sitting]:
        """A trained model."""
        model = ClipModel(directory)
        images = model.encode_images([picture.open() for picture in self.pictures]).astype(np.float64)
        texts = model.encode_texts(self.titles).astype(np.float64)
        prompted = model.encode_texts([PROMPT.format(name.lower()) for name in self.types]).astype(np.float64)
        said = (images[self.typed] @ prompted.T).argmax(axis=1)
        return self.retrieval(texts @ images.T, images @ texts.T) | self.type_named(said)

    def colour(self) -> dict[str, Sitting]:
        """By colour histogram and the training pictures' titles and types."""
        known, seen = (np.stack([histogram(picture) for picture in side]) for side in (self.training, self.pictures))
        lent = [title_of(picture) for picture in self.training]
        likeness = seen @ known.T
        from_pictures = self.alike([lent[i] for i in likeness.argmax(axis=1)], self.titles)
        from_titles = known[self.alike(self.titles, lent).argmax(axis=1)] @ seen.T
        types = self._type_numbers(self.training)
        usable = np.flatnonzero(types >= 0)
        return self.retrieval(from_titles, from_pictures) | self.type_named(types[usable[likeness[self.typed][:, usable].argmax(axis=1)]])

    def words(self) -> dict[str, Sitting]:
        """By the words of the table and of the titles."""
        rows = [self._rows[picture.path.stem] for picture in self.pictures]
        likeness = self.alike(self.titles, [f"{row['baseColour']} {row['articleType']}" for row in rows])
        named = self.alike([title_of(self.pictures[i]) for i in self.typed], self.types).argmax(axis=1)
        return self.retrieval(likeness, likeness.T) | self.type_named(named)

    def commonest(self) -> dict[str, Sitting]:
        """The type that training has most of."""
        types = self._type_numbers(self.training)
        return self.type_named(np.full(len(self.typed), np.bincount(types[types >= 0]).argmax()))

    def chance(self) -> Figures:
        """What a random order is expected to find."""
        found: Figures = {"chance_type_accuracy": round(1 / len(self.types), 4)}
        for way, right in (("title_to_image", self.right), ("image_to_title", self.right.T)):
            size, counts = right.shape[1], right.sum(axis=1)
            for cut in CUTS:
                seen = min(cut, size)
                missed = [math.comb(size - int(count), seen) / math.comb(size, seen) for count in counts]
                found[f"chance_{way}_recall_{cut}"] = round(1 - float(np.mean(missed)), 4)
        return found


def title_of(picture: Picture) -> str:
    """What the table calls it."""
    return picture.texts[0][1]


def places(scores: Floats, right: NDArray[np.bool_]) -> Rows:
    """(queries, answers) each → (queries,): the place of the best right answer, from 0."""
    lots = np.random.default_rng(0).random(scores.shape)
    order = np.lexsort((lots, -scores), axis=1)
    found: Rows = np.take_along_axis(right, order, axis=1).argmax(axis=1)
    return found


def histogram(picture: Picture) -> Floats:
    """Square roots of the shares of 512 colours: the dot product of two is their Bhattacharyya coefficient."""
    levels = np.asarray(picture.open()).reshape(-1, 3).astype(np.int64) * _LEVELS // 256
    counts = np.bincount(levels @ (_LEVELS**2, _LEVELS, 1), minlength=_LEVELS**3)
    shares: Floats = np.sqrt(counts / counts.sum())
    return shares


def tokenizer_of(titles: Sequence[str], seed: int) -> Path:
    """A tokenizer of the training titles."""
    directory = WORK / "tokenizer"
    save_tokenizer(train_reader(titles, VOCABULARY), directory)
    write_card(directory, kind="tokenizer", name="titles", command="python -m benchmarks.train_clip", seed=seed)
    return directory


def trained(loss: str, settings: Sequence[str]) -> float:
    """Run the command; seconds that it took. Its model lies in WORK/loss."""
    flags = [flag for each in (f"loss={loss}", *settings) for flag in ("--set", each)]
    began = time.monotonic()
    command = [sys.executable, "-m", "train.clip", "--config", str(CONFIG), *flags, "--out", str(WORK / loss)]
    subprocess.run(command, cwd=ROOT, check=True)
    return time.monotonic() - began


def shown(name: str, sat: dict[str, Sitting], seed: int) -> Figures:
    """Every figure with its interval."""
    held: Figures = {}
    for question, sitting in sat.items():
        for figure, one in examined(sitting, seed=seed).items():
            key = f"{name}_{question}_{figure}"
            held |= {key: round(one.value, 4), f"{key}_low": round(one.low, 4), f"{key}_high": round(one.high, 4)}
    return held


def figures_of(losses: Sequence[str], minutes: float, workers: int | None, console: Console) -> tuple[Figures, int]:
    """(all figures, seed)."""
    folder = data_folder() / "fashion_products"
    paths = {"data": str(folder / "products.tsv.gz"), "images": str(folder / "images_224px.tar")}
    config = load_config(ClipConfig, CONFIG, paths)
    sides = read_sides(config.source())
    exam = Examination(sides, config.data)
    tokenizer = tokenizer_of([title_of(picture) for picture in sides.training], config.seed)
    settings = [f"{key}={value}" for key, value in (paths | {"tokenizer": tokenizer, "max_seconds": minutes * 60}).items()]
    settings += [f"workers={workers}"] if workers else []
    figures: Figures = {f"{name}_pictures": len(side) for name, side in sides._asdict().items()}
    figures |= {"test_titles": len(exam.titles), "types": len(exam.types), "typed_pictures": len(exam.typed)} | exam.chance()
    for name, sat in (("commonest", exam.commonest()), ("words", exam.words()), ("colour", exam.colour())):
        figures |= shown(name, sat, config.seed)
    for loss in losses:
        seconds = trained(loss, settings)
        figures |= shown(loss, exam.clip(WORK / loss), config.seed) | {f"{loss}_minutes": round(seconds / 60, 1)}
        console.print(figures)
    return figures, config.seed


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="of training for each loss (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="default: what the config says")
    parser.add_argument("--only", choices=tuple(LOSSES), help="one loss; nothing is recorded")
    parser.add_argument("--trial", action="store_true", help="nothing is recorded")
    given: Any = parser.parse_args()
    figures, seed = figures_of([given.only] if given.only else list(LOSSES), given.minutes, given.workers, Console())
    if given.only is None and not given.trial:
        record("train_clip", figures, seed, f"python -m benchmarks.train_clip --minutes {given.minutes:g}")


if __name__ == "__main__":
    main()
