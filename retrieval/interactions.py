"""Who touched what, in order: the input of every recommender, read from a shop or from a published `user item item …` file.

Shoppers without consent are not in it. Splitting by leave-one-out and by time is here, ranking metrics are in `ranking_metrics.py`.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval import tables
from retrieval.catalogue import Catalogue
from retrieval.features import consenting
from retrieval.leanings import EVENT_WEIGHTS
from retrieval.recommenders.contract import VISIT_GAP_DAYS, History, Vectors

_DAY_US = 86_400e6


class InteractionsError(ValueError):
    """A file or a shop that gives no interactions. The message names the file, the line and the remedy."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """Histories of m shoppers over n products. `attributes[row]` are numbers of `attribute_names` (brand, category …) of a product;
    `content` (n, d) are its text and picture vectors where there are any."""

    product_ids: tuple[str, ...]
    shopper_ids: tuple[str, ...]
    histories: tuple[History, ...]
    attribute_names: tuple[str, ...] = ()
    attributes: tuple[tuple[int, ...], ...] = ()
    content: Vectors | None = field(default=None, repr=False)

    @property
    def products(self) -> int:
        """n."""
        return len(self.product_ids)

    def with_histories(self, histories: Sequence[History]) -> "Interactions":
        """The same products and shoppers with other histories, e.g. the training part of a split."""
        return replace(self, histories=tuple(histories))


def read_sequences(path: Path, attributes: Path | None = None) -> Interactions:
    """A published file, one shopper a line: `user item item …` in time order (Amazon as S3-Rec has it; Gowalla, Yelp as LightGCN has
    them, whose order means nothing). `.gz` is unpacked. `attributes`: JSON, item → attribute ids. Raises InteractionsError."""
    users, sequences = zip(*_lines(path), strict=True)
    ids = sorted({item for sequence in sequences for item in sequence}, key=lambda item: (len(item), item))
    row_of = {item: row for row, item in enumerate(ids)}
    histories = tuple(_ordered([row_of[item] for item in sequence]) for sequence in sequences)
    names, owned = _attributes(attributes, ids) if attributes else ((), ())
    return Interactions(tuple(ids), tuple(users), histories, names, owned)


def same_products(path: Path, known: Interactions) -> Interactions:
    """A second file (test beside train) over the products of the first. Items that the first lacks are refused."""
    row_of = {item: row for row, item in enumerate(known.product_ids)}
    users: list[str] = []
    histories: list[History] = []
    for user, sequence in _lines(path):
        if unknown := [item for item in sequence if item not in row_of]:
            raise InteractionsError(f"{path}: user {user!r}: item {unknown[0]!r} is not in the training file; use files of one split")
        users.append(user)
        histories.append(_ordered([row_of[item] for item in sequence]))
    return replace(known, shopper_ids=tuple(users), histories=tuple(histories))


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    if not path.is_file():
        raise InteractionsError(f"{path}: no such file; give one with a line `user item item …` for each shopper")
    seen: set[str] = set()
    with _open(path) as stream:
        for number, line in enumerate(stream, 1):
            fields = line.split()
            if not fields:
                continue
            if fields[0] in seen:
                raise InteractionsError(
                    f"{path}: line {number}: user {fields[0]!r} has a line already; put all items of a user on one line"
                )
            seen.add(fields[0])
            yield fields[0], fields[1:]
    if not seen:
        raise InteractionsError(f"{path}: the file is empty; give one with a line `user item item …` for each shopper")


def _open(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _ordered(rows: Sequence[int]) -> History:
    """A history that knows only its order: an event a day, the last one a day ago."""
    count = len(rows)
    return History(np.array(rows, np.int64), np.ones(count, np.float32), np.arange(count, 0, -1, dtype=np.float32))


def _attributes(path: Path, ids: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    with _open(path) as stream:
        given = json.load(stream)
    names = sorted({str(value) for values in given.values() for value in values})
    number_of = {name: number for number, name in enumerate(names)}
    return tuple(names), tuple(tuple(number_of[str(value)] for value in given.get(item, ())) for item in ids)


def from_shop(shop: Path, now: datetime, content: Vectors | None = None) -> Interactions:
    """Histories of the consenting shoppers of a shop at `now`, and what the catalogue says of its products."""
    catalogue = Catalogue.read(shop)
    shoppers = consenting(tables.read(shop, "shoppers"), now)
    events = tables.read(shop, "events")
    names, attributes = catalogue.attribute_numbers()
    contexts = [
        context_of(record["locale"], dict(record["attributes"])) for record in shoppers.select(["locale", "attributes"]).to_pylist()
    ]
    histories = histories_of(events, shoppers["shopper_id"].combine_chunks(), catalogue.product_ids, contexts, now)
    return Interactions(catalogue.product_ids, tuple(shoppers["shopper_id"].to_pylist()), tuple(histories), names, attributes, content)


def context_of(locale: str | None, attributes: dict[str, str]) -> tuple[str, ...]:
    """Words about a shopper, the same at training and at request time. Names and places are left out, too rare to learn from; declared
    interests are words, which the text index understands."""
    known = [f"{key}:{attributes[key]}" for key in ("age_band", "gender", "country") if attributes.get(key)]
    return (*((f"locale:{locale}",) if locale else ()), *known)


def histories_of(
    events: pa.Table, shoppers: pa.Array, product_ids: Sequence[str], contexts: Sequence[tuple[str, ...]], now: datetime
) -> list[History]:
    """One history for each shopper, oldest event first. Events of unknown products count for nothing; a cancellation takes away."""
    rows, columns = pc.index_in(events["shopper_id"], shoppers), pc.index_in(events["product_id"], pa.array(product_ids))
    valid = pc.and_(pc.is_valid(rows), pc.is_valid(columns))
    kept = events.filter(valid)
    owner, product = (part.filter(valid).to_numpy().astype(np.int64) for part in (rows, columns))
    at = pc.cast(kept["at"], pa.int64()).to_numpy()
    weights = event_weights(kept["kind"].to_pylist(), pc.fill_null(kept["value"], 3.0).to_numpy())
    order = np.lexsort((at, owner))
    ages = np.maximum(now.timestamp() * 1e6 - at, 0) / _DAY_US
    bounds = np.searchsorted(owner[order], np.arange(len(shoppers) + 1))
    return [
        History(product[part], weights[part], ages[part].astype(np.float32), contexts[i])
        for i, part in enumerate(order[start:end] for start, end in pairwise(bounds))
    ]


def event_weights(kinds: Sequence[str], values: NDArray[np.float64]) -> NDArray[np.float32]:
    """(k,) what each event says of its product. A review counts by its stars around 3; a cancellation takes a purchase back."""
    weights = {**EVENT_WEIGHTS, "cancellation": -EVENT_WEIGHTS["purchase"]}
    says = [values[i] - 3.0 if kind == "review" else weights.get(kind, 0.0) for i, kind in enumerate(kinds)]
    return np.array(says, np.float32)


def leave_one_out(interactions: Interactions) -> tuple[Interactions, list[int], list[int]]:
    """(training part, validation targets, test targets): the last product of each shopper is the test, the one before the validation.
    Raises InteractionsError where a history is shorter than three."""
    if short := [i for i, history in enumerate(interactions.histories) if len(history) < 3]:
        shopper, count = interactions.shopper_ids[short[0]], len(interactions.histories[short[0]])
        raise InteractionsError(f"shopper {shopper!r} has {count} events; leave-one-out needs 3 or more: leave such shoppers out")
    training = [history.until(-2) for history in interactions.histories]
    targets = [(int(history.rows[-2]), int(history.rows[-1])) for history in interactions.histories]
    return interactions.with_histories(training), [a for a, _ in targets], [b for _, b in targets]


def split_in_time(interactions: Interactions, days: float) -> tuple[Interactions, list[set[int]]]:
    """(histories up to `days` before now, aged from then; for each shopper what they newly took up since). Weights of 0 and below are
    no taking up."""
    before: list[History] = []
    after: list[set[int]] = []
    for history in interactions.histories:
        early = history.days >= days
        before.append(History(history.rows[early], history.weights[early], history.days[early] - np.float32(days), history.context))
        after.append(set(history.rows[~early & (history.weights > 0)].tolist()) - set(history.rows[early].tolist()))
    return interactions.with_histories(before), after


def cut_in_visits(interactions: Interactions, days: float, seed: int) -> tuple[Interactions, list[set[int]]]:
    """One moment of the last `days` for each shopper, in the middle of a visit: (histories up to then, aged from then; what they newly
    took up in the rest of that visit). A shopper who did nothing new in a visit keeps no history and no target."""
    rng = np.random.default_rng(seed)
    before: list[History] = []
    after: list[set[int]] = []
    for history in interactions.histories:
        moments = _moments(history, days)
        cut, wanted = moments[int(rng.integers(len(moments)))] if moments else (0, set())
        now = history.days[cut - 1] if cut else np.float32(0)
        before.append(History(history.rows[:cut], history.weights[:cut], history.days[:cut] - now, history.context))
        after.append(wanted)
    return interactions.with_histories(before), after


def _moments(history: History, days: float) -> list[tuple[int, set[int]]]:
    """(number of events before it, what was newly taken up in the rest of the visit) of every moment within a visit of the last `days`.
    Between the rows of one instant, such as those of an invoice, there is no moment."""
    found: list[tuple[int, set[int]]] = []
    taken = np.flatnonzero(history.weights > 0)
    end = len(taken)
    for place in range(len(taken) - 1, 0, -1):
        before, cut = taken[place - 1], int(taken[place])
        gap = history.days[before] - history.days[cut]
        if history.days[before] >= days:
            break
        if gap > VISIT_GAP_DAYS:
            end = place
        elif gap > 0 and (wanted := set(history.rows[taken[place:end]].tolist()) - set(history.rows[:cut].tolist())):
            found.append((cut, wanted))
    return found
