"""Recommenders on the tables where others are measured: `python -m benchmarks.recommend [--only beauty retail shop] [--data FILE]`.

beauty  the hybrid of `train/configs/recommender_published.yaml` on Amazon Beauty: leave-one-out, every product ranked, seen ones left
        out. `--data` and `--attributes` name another file of the same format (Sports, Toys); nothing else changes.
retail  Online Retail, the last 28 days held back: popularity, item-kNN, the ALS of the `implicit` library, ours, every part of the
        hybrid and the hybrid, whose weights come from the 28 days before those; quality and seconds in one run. The settings of
        item-kNN and of both ALS are the best of a grid on those 28 days before; seconds are those of the one fit that is judged.
shop    the sample shop the same way, and asked in the middle of a visit about the rest of it (`visit`; of Online Retail fewer than a
        hundred shoppers can be: an invoice has one instant); then cold start: shoppers of whom only the context or one event is known,
        products never sold.

The real data is looked for in SUASION_DATA (default: ../shared/data beside the project). `pip install -e '.[benchmarks]'` first.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from scipy.sparse import csr_matrix

from artifacts.card import read_card
from benchmarks.record import Figures, record
from demo import shop as sample_shop
from multimodal import picture_vectors
from multimodal.clip import ClipModel
from retrieval import tables
from retrieval.ingest import Ingestion
from retrieval.interactions import Interactions
from retrieval.ranking_metrics import set_metrics
from retrieval.recommenders import registry
from retrieval.recommenders.als import Als, AlsSettings, matrix
from retrieval.recommenders.contract import History, PreferenceModel, Scoring, Vectors
from retrieval.recommenders.popularity import Popularity
from train.recommender import RecommenderConfig, train
from train.run.settings import load_config
from train.shoppers import choices

PROJECT = Path(__file__).resolve().parents[1]
CONFIGS = PROJECT / "train" / "configs"
SEED = 0
HELD_BACK_DAYS = 28.0
ITERATIONS = 15
FACTORS = 64
Settings = tuple[float, ...]
KNN_GRID: tuple[Settings, ...] = ((20,), (50,), (100,), (200,))
LIBRARY_GRID: tuple[Settings, ...] = tuple((alpha, strength) for alpha in (1, 5, 10, 40) for strength in (0.01, 0.1, 1, 10))
"""(alpha, regularization)."""
OUR_GRID: tuple[Settings, ...] = tuple((unobserved, strength) for unobserved in (0.3, 1, 3) for strength in (0.001, 0.003, 0.01))
"""(unobserved, regularisation)."""
_COLD_SHARE = 0.15
_TELLING = 100
"""An exam of fewer shoppers tells too little to be kept."""


class ItemKnn:
    """The alternative that everybody has: cosine of co-occurrence, 200 neighbours a product (Sarwar et al. 2001)."""

    def __init__(self, interactions: Interactions, neighbours: int = 200) -> None:
        seen = matrix(interactions.histories, interactions.products, weighted=False)
        counts = np.asarray(seen.sum(0)).ravel()
        similarity = (seen.T @ seen).toarray() / np.sqrt(np.outer(counts, counts) + 1e-9)
        np.fill_diagonal(similarity, 0)
        least = np.sort(similarity, axis=1)[:, -min(neighbours, len(similarity))][:, None]
        self._similarity = np.where(similarity >= least, similarity, 0).astype(np.float32)

    def scores(self, histories: Sequence[History]) -> Vectors:
        """Sum of the similarities to what was touched."""
        summed: Vectors = matrix(histories, len(self._similarity), weighted=False).toarray() @ self._similarity
        return summed


class LibraryAls(Als):
    """Product factors of the `implicit` library; shoppers are its own factors too, by their place in the training data."""

    name = "library_als"

    def __init__(self, interactions: Interactions, alpha: float, regularisation: float) -> None:
        from implicit.als import AlternatingLeastSquares

        seen: csr_matrix = matrix(interactions.histories, interactions.products, weighted=False)
        self._model = AlternatingLeastSquares(
            factors=FACTORS, iterations=ITERATIONS, regularization=regularisation, alpha=alpha, random_state=SEED, num_threads=0
        )
        self._model.fit(seen, show_progress=False)
        super().__init__(np.asarray(self._model.item_factors, np.float32), AlsSettings(FACTORS))

    def shopper_vectors(self, histories: Sequence[History]) -> Vectors:
        """Folded in by the library's own `recalculate_user`."""
        seen = matrix(histories, len(self.product_vectors), weighted=False)
        folded: Vectors = np.asarray(self._model.recalculate_user(np.arange(len(histories)), seen), np.float32)
        return folded


def data_root() -> Path:
    """Where the real data is."""
    return Path(os.environ.get("SUASION_DATA") or PROJECT.parent / "shared" / "data")


def published_file(data: Path | None, attributes: Path | None, work: Path) -> Figures:
    """The hybrid and its parts on a published file."""
    amazon = data_root() / "s3rec_amazon"
    data = data or amazon / "Beauty.txt.gz"
    if not data.is_file():
        Console(stderr=True).print(f"skipped: {data} is missing")
        return {}
    attributes = attributes or data.with_name(data.name.split(".")[0] + "_item2attributes.json.gz")
    given = {"data": str(data), "attributes": str(attributes), "out": str(work / "published"), "storage": str(work / "runs")}
    config = load_config(RecommenderConfig, CONFIGS / "recommender_published.yaml", given)
    name = data.name.split(".")[0].lower()
    began = time.perf_counter()
    cards = {name: train(config)}
    seconds = time.perf_counter() - began
    cards |= {f"{name}_{part}": read_card(work / "runs" / "published-parts" / "early" / part) for part in config.parts}
    kept = ("validation_hr_10", "validation_ndcg_10", "test_hr_10", "test_ndcg_10")
    found: Figures = {f"{label}_{key}": round(card.metrics[key], 4) for label, card in cards.items() for key in kept}
    return found | {f"{name}_seconds": round(seconds)}


def judged(name: str, make: Callable[[], Scoring], exam: choices.Exam) -> Figures:
    """Quality and seconds of one recommender."""
    began = time.perf_counter()
    model = make()
    seconds = time.perf_counter() - began
    found: Figures = {f"{name}_{key.removeprefix('test_')}": round(value, 4) for key, value in exam.judge(model).items()}
    Console(stderr=True).print(f"{name}: {found} in {seconds:.1f} s")
    return found | {f"{name}_seconds": round(seconds, 2)}


def best_of(name: str, grid: Sequence[Settings], make: Callable[[Interactions, Settings], Scoring], before: choices.Choices) -> Settings:
    """The settings with the best NDCG@10 on the days before those that count."""
    found = [(before.exams[0].judge(make(before.training, settings))["test_ndcg_10"], settings) for settings in grid]
    for ndcg, settings in found:
        Console(stderr=True).print(f"{name} {settings}: NDCG@10 {ndcg:.4f} on the days before")
    return max(found, key=lambda one: one[0])[1]


def hybrid_and_parts(prefix: str, shop: Path, work: Path, parts: dict[str, dict[str, Any]]) -> Figures:
    """Every part on what came before the exam, and the hybrid, whose weights come from the exam before that one."""
    common = {"data": str(shop), "storage": str(work / "runs"), "hold_back_days": str(2 * HELD_BACK_DAYS), "exam_days": str(HELD_BACK_DAYS)}
    config = load_config(RecommenderConfig, CONFIGS / "recommender.yaml", common | {"out": str(work / prefix / "early")})
    config = config.model_copy(update={"parts": {name: settings | parts.get(name, {}) for name, settings in config.parts.items()}})
    began = time.perf_counter()
    train(config)
    early = registry.load(work / prefix / "early").model
    exam = choices.of_shop(shop, hold_back_days=HELD_BACK_DAYS, exam_days=HELD_BACK_DAYS, seed=SEED)
    exams = [one for one in exam.exams if sum(map(bool, one.targets)) >= _TELLING]
    figures: Figures = {}
    late: dict[str, PreferenceModel] = {}
    for name, settings in config.parts.items():
        part = RecommenderConfig.model_validate(
            config.model_dump(exclude={"parts", "fitted_parts"})
            | {"model": name, "name": name.replace("_", "-"), "out": work / prefix / name, "hold_back_days": HELD_BACK_DAYS}
            | settings
        )
        card = train(part)
        late[name] = registry.load(part.out).model
        figures |= {
            f"{prefix}_{name}_{key.removeprefix('test_')}": round(v, 4)
            for key, v in card.metrics.items()
            if key.startswith(tuple(f"{one.name}_" for one in exams))
        }
    blended = early.with_parts(late, exam.training.histories, exam.training)  # type: ignore[attr-defined]
    for one in exams:
        figures |= judged(f"{prefix}_hybrid", lambda: blended, one)
    figures[f"{prefix}_hybrid_seconds"] = round(time.perf_counter() - began)
    for situation in ("" if one.name == "test" else f"{one.name}_" for one in exams):
        best = max(float(figures[f"{prefix}_{name}_{situation}ndcg_10"]) for name in config.parts)
        figures[f"{prefix}_{situation}hybrid_vs_best_part"] = round(float(figures[f"{prefix}_hybrid_{situation}ndcg_10"]) / best, 3)
    return figures


def retail(work: Path) -> Figures:
    """Online Retail."""
    if not (data_root() / "online_retail").is_dir():
        Console(stderr=True).print(f"skipped: {data_root() / 'online_retail'} is missing")
        return {}
    os.environ["SUASION_DATA"] = str(data_root().resolve())
    Ingestion(PROJECT / "examples" / "mappings" / "online_retail.yaml", work / "retail").run()
    data = choices.of_shop(work / "retail", hold_back_days=HELD_BACK_DAYS, exam_days=HELD_BACK_DAYS, seed=SEED)
    before = choices.of_shop(work / "retail", hold_back_days=2 * HELD_BACK_DAYS, exam_days=HELD_BACK_DAYS, seed=SEED)
    figures: Figures = {"retail_judged_shoppers": sum(map(bool, data.exams[0].targets))}

    def our_als(interactions: Interactions, settings: Settings) -> Als:
        unobserved, regularisation = settings
        return Als.fit(interactions, AlsSettings(FACTORS, ITERATIONS, unobserved, regularisation), SEED)

    neighbours = best_of("item-kNN", KNN_GRID, lambda known, settings: ItemKnn(known, int(settings[0])), before)
    library = best_of("library's ALS", LIBRARY_GRID, lambda known, settings: LibraryAls(known, *settings), before)
    ours = best_of("our ALS", OUR_GRID, our_als, before)
    alternatives: dict[str, Callable[[], Scoring]] = {
        "retail_alone_popularity": lambda: Popularity.fit(data.training, SEED),
        "retail_item_knn": lambda: ItemKnn(data.training, int(neighbours[0])),
        "retail_library_als": lambda: LibraryAls(data.training, *library),
        "retail_our_als": lambda: our_als(data.training, ours),
    }
    for name, make in alternatives.items():
        figures |= judged(name, make, data.exams[0])
    figures["retail_our_als_seconds_vs_library"] = round(
        float(figures["retail_our_als_seconds"]) / float(figures["retail_library_als_seconds"]), 2
    )
    factors = {"dim": FACTORS, "unobserved": ours[0], "regularisation": ours[1]}
    return figures | hybrid_and_parts("retail", work / "retail", work, {"als": factors, "content": factors})


def shop(work: Path) -> Figures:
    """The sample shop, warm and cold."""
    sample_shop.build(work / "shop", seed=7)
    tables.write(work / "shop", "picture_vectors", picture_vectors.make(work / "shop", ClipModel(picture_vectors.MODEL))[0])
    figures = hybrid_and_parts("shop", work / "shop", work, {})
    data = choices.of_shop(work / "shop", hold_back_days=HELD_BACK_DAYS, exam_days=HELD_BACK_DAYS, seed=SEED)
    exam = data.exams[0]
    bare = [History(history.rows[:0], history.weights[:0], history.days[:0], history.context) for history in exam.histories]
    newest = [History(one.rows[-1:], one.weights[-1:], one.days[-1:], one.context) for one in exam.histories]
    nameless = [History(one.rows, one.weights, one.days) for one in bare]
    early = registry.load(work / "shop" / "early").model
    parts = {name: registry.load(work / "shop" / name).model for name in early.parts}  # type: ignore[attr-defined]
    hybrid = early.with_parts(parts, exam.histories, data.training)  # type: ignore[attr-defined]
    cold = {
        "cold_shopper_everybody": set_metrics(parts["popularity"], nameless, exam.targets, 10)["ndcg_10"],
        "cold_shopper_hybrid": set_metrics(hybrid, bare, exam.targets, 10)["ndcg_10"],
        "after_one_event_hybrid": set_metrics(hybrid, newest, exam.targets, 10)["ndcg_10"],
    }
    return figures | {f"shop_{key}_ndcg_10": round(value, 4) for key, value in cold.items()} | cold_products(data)


def cold_products(data: choices.Choices) -> Figures:
    """Products that nobody had touched when everything was fitted, ranked among themselves for the shoppers who then took one."""
    from retrieval.recommenders.content import Content

    rng = np.random.default_rng(SEED)
    interactions = data.training
    new = rng.random(interactions.products) < _COLD_SHARE
    old_row = np.cumsum(~new) - 1
    histories = [_without(history, new, old_row) for history in interactions.histories]
    content = interactions.content[~new] if interactions.content is not None else None
    attributes = tuple(owned for owned, is_new in zip(interactions.attributes, new, strict=True) if not is_new)
    kept_ids = tuple(name for name, is_new in zip(interactions.product_ids, new, strict=True) if not is_new)
    known = Interactions(kept_ids, interactions.shopper_ids, tuple(histories), interactions.attribute_names, attributes, content)
    model = Content.fit(known, Als.fit(known, AlsSettings(32, 12, 0.2, 0.02), SEED).product_vectors)
    placed = model.new_product_vectors([interactions.attributes[row] for row in np.flatnonzero(new)], interactions.content[new])  # type: ignore[index]
    new_row = {int(row): place for place, row in enumerate(np.flatnonzero(new))}
    wanted = [{new_row[row] for row in taken if row in new_row} for taken in _taken(data)]
    vectors = model.shopper_vectors(histories)
    counts = np.bincount([row for taken in wanted for row in taken], minlength=len(new_row))
    ours = _recall(vectors @ placed.T, wanted) if placed is not None else 0.0
    oracle = _recall(np.tile(counts, (len(wanted), 1)).astype(np.float32), wanted)
    chance = float(np.mean([min(10, len(new_row)) / len(new_row) for taken in wanted if taken]))
    return {
        "shop_new_products": len(new_row),
        "shop_new_product_recall_10": round(ours, 4),
        "shop_new_product_popularity_recall_10": round(chance, 4),
        "shop_new_product_popularity_in_hindsight_recall_10": round(oracle, 4),
    }


def _taken(data: choices.Choices) -> list[set[int]]:
    """All that each shopper took, before and in the exam: new products have no before."""
    pairs = zip(data.training.histories, data.exams[0].targets, strict=True)
    return [set(history.rows[history.weights > 0].tolist()) | targets for history, targets in pairs]


def _without(history: History, new: Any, old_row: Any) -> History:
    kept = ~new[history.rows]
    return History(old_row[history.rows[kept]], history.weights[kept], history.days[kept], history.context)


def _recall(scores: Any, wanted: Sequence[set[int]]) -> float:
    """Mean recall@10 of those who wanted something."""
    top = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    return float(np.mean([len(taken & set(row.tolist())) / len(taken) for row, taken in zip(top, wanted, strict=True) if taken]))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=("beauty", "retail", "shop"), default=("beauty", "retail", "shop"))
    parser.add_argument("--data", type=Path, help="another published file instead of Beauty")
    parser.add_argument("--attributes", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        steps: dict[str, Callable[[], Figures]] = {
            "beauty": lambda: published_file(options.data, options.attributes, work),
            "retail": lambda: retail(work),
            "shop": lambda: shop(work),
        }
        for name in options.only:  # a file for each, so that no figure stands under the commit of another's run
            if figures := steps[name]():
                record(f"recommend_{name}", figures, SEED, f"python -m benchmarks.recommend --only {name}")


if __name__ == "__main__":
    main()
