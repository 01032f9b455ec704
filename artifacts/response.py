"""The response model as it is served: the probability of a click, or of a conversion, of one impression. NumPy only.

    model = ResponseModel.read(Path("models/response"))
    model.probability([{"channel": "push", "hour": 20, "principles": ["value"], …}])      # (n,) probabilities

Made by `python -m train.response`. Two kinds: a factorisation machine (Rendle 2010; without factors it is a logistic regression) and
boosted trees. A model directory holds `response.json` (columns, calibration) and `response.safetensors` (arrays), and no code.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from artifacts.card import ArtifactError, verify
from artifacts.response_features import RARE, Codes, Encoded, Encoding, Floats, ResponseError

KIND = "response"
TREE_CODES = 254
"""Codes of one category that trees tell apart; less frequent levels count as rare."""
_TOLD, _ARRAYS = "response.json", "response.safetensors"
_ROWS_AT_ONCE = 4096  # bounds the memory of a walk through all trees


@dataclass(frozen=True, slots=True)
class Machine:
    """A factorisation machine of degree two. `bias` (1,), `weights` (size,), `factors` (size, dim) in the encoding's order; dim 0 is a
    logistic regression."""

    bias: Floats
    weights: Floats
    factors: Floats

    def logits(self, encoding: Encoding, rows: Encoded) -> Floats:
        """bias + linear terms + the sum over all pairs, which is half of (sum of factors) squared less the sum of their squares."""
        places = rows.codes + encoding.offsets
        values = np.hstack([rows.present, rows.standardised])
        begin = encoding.size - values.shape[1]
        linear = self.weights[places].sum(axis=1) + values @ self.weights[begin:]
        sums = self.factors[places].sum(axis=1) + values @ self.factors[begin:]
        squares = (self.factors[places] ** 2).sum(axis=1) + values**2 @ self.factors[begin:] ** 2
        return np.asarray(self.bias[0] + linear + 0.5 * (sums**2 - squares).sum(axis=1))


@dataclass(frozen=True, slots=True)
class Trees:
    """Boosted trees in one array of nodes. `bias` (1,), `roots` (trees,); of each node its `feature`, `threshold`, `left`, `right` (a leaf
    points to itself), `missing_left`, `value` (of a leaf) and `group`: -1, or the row of `goes_left` (groups, TREE_CODES + 1) that says for
    each code of a category where it goes. `depth` (1,) is that of the deepest."""

    bias: Floats
    roots: Codes
    feature: Codes
    threshold: Floats
    left: Codes
    right: Codes
    missing_left: NDArray[np.bool_]
    value: Floats
    group: Codes
    goes_left: NDArray[np.bool_]
    depth: Codes

    def logits(self, _encoding: Encoding, rows: Encoded) -> Floats:
        """bias + the leaf of every tree."""
        values = tree_values(rows)
        parts = [self._walk(values[begin : begin + _ROWS_AT_ONCE]) for begin in range(0, len(values), _ROWS_AT_ONCE)]
        return np.concatenate([np.zeros(0), *parts])

    def _walk(self, values: Floats) -> Floats:
        at = np.broadcast_to(self.roots, (len(values), len(self.roots)))
        each_row = np.arange(len(values))[:, None]
        for _ in range(int(self.depth[0])):
            value, group = values[each_row, self.feature[at]], self.group[at]
            code = np.where(group >= 0, value, 0).astype(np.int64)
            by_number = (value <= self.threshold[at]) | (np.isnan(value) & self.missing_left[at])
            at = np.where(np.where(group >= 0, self.goes_left[group, code], by_number), self.left[at], self.right[at])
        return np.asarray(self.bias[0] + self.value[at].sum(axis=1))


def tree_values(rows: Encoded) -> Floats:
    """(n, columns): what trees read, codes of categories first, then names of lists, then numbers with NaN where missing."""
    codes = np.where(rows.codes > TREE_CODES, RARE, rows.codes)
    return np.hstack([codes.astype(np.float64), rows.present, rows.amounts])


@dataclass(frozen=True, slots=True)
class Calibration:
    """From log-odds to probabilities: by Platt (1999) sigmoid(slope · logit + intercept), or, where there are `logits` (k,), by the steps
    `chances` (k,) of an isotonic regression, interpolated between."""

    slope: float = 1.0
    intercept: float = 0.0
    logits: tuple[float, ...] = ()
    chances: tuple[float, ...] = ()

    @property
    def method(self) -> str:
        """isotonic or platt."""
        return "isotonic" if self.logits else "platt"

    def probability(self, logits: Floats) -> Floats:
        """(n,) → (n,)."""
        if self.logits:
            return np.asarray(np.interp(logits, self.logits, self.chances))
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * logits + self.intercept, -60, 60))))


_SCORERS: dict[str, type[Machine] | type[Trees]] = {"machine": Machine, "trees": Trees}


@dataclass(frozen=True, slots=True)
class ResponseModel:
    """Everything that turns an impression into a probability. `outcome` is the column that it foretells, `rate` how often it happened in
    the impressions that it was calibrated on."""

    outcome: str
    encoding: Encoding
    scorer: Machine | Trees
    calibration: Calibration
    rate: float
    version: str = ""

    @classmethod
    def read(cls, directory: Path) -> "ResponseModel":
        """A model directory of ours. Raises ArtifactError where a file is missing or changed, or was written before `rate` was kept."""
        card = verify(directory, KIND)
        told: dict[str, Any] = json.loads((directory / _TOLD).read_text(encoding="utf-8"))
        if "rate" not in told:
            raise ArtifactError(f"{directory / _TOLD}: does not say how often {told['outcome']} happens; make it again: {card.command}")
        scorer = _SCORERS[told["scorer"]](**load_file(directory / _ARRAYS))
        fitted = told["calibration"]
        calibration = Calibration(fitted["slope"], fitted["intercept"], tuple(fitted["logits"]), tuple(fitted["chances"]))
        return cls(told["outcome"], Encoding.of(told["encoding"]), scorer, calibration, told["rate"], card.version)

    def save(self, directory: Path) -> None:
        """Write both files; the card is the caller's."""
        kind = next(name for name, scorer in _SCORERS.items() if isinstance(self.scorer, scorer))
        told = {
            "outcome": self.outcome,
            "scorer": kind,
            "encoding": self.encoding.described(),
            "calibration": asdict(self.calibration),
            "rate": self.rate,
        }
        (directory / _TOLD).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        arrays = {field.name: np.ascontiguousarray(getattr(self.scorer, field.name)) for field in fields(self.scorer)}
        save_file(arrays, directory / _ARRAYS)
        (directory / _ARRAYS).chmod(0o644)  # safetensors writes for the owner only; a model is shared

    def probability(self, rows: Sequence[Mapping[str, object]]) -> Floats:
        """(n,) impressions → (n,) probabilities. A value may be None, a column that the model does not read is ignored; raises
        ResponseError where a row lacks a column or holds what can't be read."""
        columns = self.encoding.columns
        for number, row in enumerate(rows, start=1):
            if absent := [name for name in columns if name not in row]:
                raise ResponseError(f"row {number} lacks column {absent[0]!r}; give {list(columns)}, None where a value is unknown")
        return self.of_encoded(self.encoding.encode({name: [row[name] for row in rows] for name in columns}))

    def of_encoded(self, rows: Encoded) -> Floats:
        """The same of impressions that are encoded already."""
        return self.calibration.probability(self.scorer.logits(self.encoding, rows))
