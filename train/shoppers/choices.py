"""What a recommender is trained and judged on: the histories of a shop or a published file, split before anything is fitted.

Leave-one-out for files (the last product is the test, the one before it the validation), time for shops (what shoppers newly took up
in the last days). The judged part of the data is never trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc

from retrieval import tables
from retrieval.catalogue import Catalogue
from retrieval.content_vectors import ContentReader
from retrieval.encoder import LsaEncoder
from retrieval.interactions import (
    Interactions,
    cut_in_visits,
    from_shop,
    leave_one_out,
    read_sequences,
    same_products,
    split_in_time,
)
from retrieval.ranking_metrics import hit_metrics, ranks_of_targets, set_metrics
from retrieval.recommenders.contract import History, Scoring

VISIT = "visit"
"""Name of the exam that asks in the middle of a visit."""
_TEXT_DIM = 64  # the encoder goes with the model, in a file that a repository can hold


@dataclass(frozen=True, slots=True)
class Exam:
    """Shoppers to be judged on, and what each of them took next."""

    name: str
    histories: Sequence[History]
    targets: Sequence[set[int]]
    single: bool

    def judge(self, model: Scoring) -> dict[str, float]:
        """HR, NDCG and recall, every product ranked, seen ones left out. Names begin with the exam's."""
        if self.single:
            found = hit_metrics(ranks_of_targets(model, self.histories, [next(iter(wanted)) for wanted in self.targets]))
        else:
            found = set_metrics(model, self.histories, self.targets, 10) | set_metrics(model, self.histories, self.targets, 20)
        return {f"{self.name}_{key}": value for key, value in found.items()}


@dataclass(frozen=True, slots=True)
class Choices:
    """Training data and exams."""

    training: Interactions
    exams: tuple[Exam, ...]
    content: ContentReader | None = None
    """What made the products' content vectors."""


def latest_event(shop: Path) -> datetime:
    """The instant that a shop's log ends, from which ages count: an old log keeps its order of recency."""
    at = pc.max(tables.read(shop, "events")["at"]).as_py()
    return at if at is not None else datetime.now(UTC)


def of_shop(shop: Path, *, hold_back_days: float = 0, exam_days: float = 28, seed: int = 0) -> Choices:
    """Train on events older than `hold_back_days`. Two exams on the `exam_days` after that: what was newly taken up in all of them, asked
    at their beginning, and in the rest of one visit, asked in its middle."""
    catalogue = Catalogue.read(shop)
    documents = [catalogue.document(product_id) for product_id in catalogue.product_ids]
    content = ContentReader.fit(shop, LsaEncoder.fit(documents, _TEXT_DIM, seed))
    everything = from_shop(shop, latest_event(shop), content.vectors(shop, catalogue, catalogue.product_ids))
    if not hold_back_days:
        return Choices(everything, (), content)
    later = max(hold_back_days - exam_days, 0)
    known = split_in_time(everything, later)[0] if later else everything
    training, targets = split_in_time(known, hold_back_days - later)
    moments, next_in_visit = cut_in_visits(known, hold_back_days - later, seed)
    exams = [Exam("test", training.histories, targets, single=False)]
    if any(next_in_visit):  # a log of invoices has no moments within a visit
        exams.append(Exam(VISIT, moments.histories, next_in_visit, single=False))
    return Choices(training, tuple(exams), content)


def of_file(path: Path, attributes: Path | None = None, test: Path | None = None) -> Choices:
    """Leave-one-out of one file, or train and test files of a published split."""
    everything = read_sequences(path, attributes)
    if test is not None:
        return Choices(everything, (_exam_of_files(everything, same_products(test, everything)),))
    training, validation, last = leave_one_out(everything)
    before_last = [history.until(-1) for history in everything.histories]
    return Choices(
        training,
        (
            Exam("validation", training.histories, [{row} for row in validation], single=True),
            Exam("test", before_last, [{row} for row in last], single=True),
        ),
    )


def _exam_of_files(training: Interactions, test: Interactions) -> Exam:
    history_of = dict(zip(training.shopper_ids, training.histories, strict=True))
    known = [i for i, user in enumerate(test.shopper_ids) if user in history_of]
    histories = [history_of[test.shopper_ids[i]] for i in known]
    return Exam("test", histories, [set(test.histories[i].rows.tolist()) for i in known], single=False)
