"""How well response models foretell clicks, simulated and real: `python -m benchmarks.train_response [--data DIR]`.

simulated   the sample shop's impressions (`demo/response_law.py`), twice as many as a model is shipped with, drawn by a seed on which no
            setting was chosen: trained on the first half in time, judged on the last 44 %, intervals by shopper. Clicks, and conversions
            among them. `truth` is the law's own probability: no model can be expected to do better.
open_bandit the men's files of the sample in Open Bandit's own repository, 10,000 rows each, of a uniform policy (`random`) and of Bernoulli
            Thompson sampling (`bts`): 46 and 69 clicks. So few that every row must be judged: ten seeded folds, each foretold by a model
            that was fitted on seven others, stopped and calibrated on two; predictions are pooled. Intervals are wide, of rows by
            themselves, for the data names no shopper. Where that of ROC-AUC holds 0.5, or that of normalised entropy 1, a model has not
            been shown to know more than the base rate.

`kept` is what `model: all` serves: the one with the least validation log loss. `base_rate` always says the share of clicks in training.
`over_logistic` is log loss less that of logistic regression, with the p of the difference. Figures and bins:
`train/shoppers/response_exam.py`. Open Bandit is looked for in `--data`, else in SUASION_DATA (default: ../shared/data beside the project),
and left out, with one line, where it is missing.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from artifacts.response_features import Floats
from benchmarks.record import Figures, record
from demo.training_data import simulate
from train.exams.exam import compared, examined
from train.response import ResponseConfig, fit
from train.run.settings import load_config
from train.run.tables import read_table
from train.shoppers.impressions import Impressions, parts, read_impressions
from train.shoppers.response_exam import Responded
from train.shoppers.response_models import FITTERS

PROJECT = Path(__file__).resolve().parents[1]
CONFIG = PROJECT / "train" / "configs" / "response.yaml"
SEED = 12
IMPRESSIONS = 120_000
_SHARES = {"validation_share": "0.06", "test_share": "0.44"}
FOLDS = 10
POLICIES = ("random", "bts")
_READ = ("item_id", "position", "hour", "affinity", *(f"user_feature_{i}" for i in range(4)), *(f"item_feature_{i}" for i in range(4)))

_RECORDED = ("_rows", "_happened", "_roc_auc", "_log_loss", "_calibration_error", "_normalised_entropy", "_over_logistic")
"""Ends of the names of figures that are kept; all are printed."""

Chances = dict[str, Floats]
"""Model → what it said to each row."""


def simulated(work: Path) -> Figures:
    """Clicks, and conversions among them, by the law of the sample shop."""
    data = simulate(work, SEED, IMPRESSIONS)
    keys = {"data": str(data), "out": str(work / "model"), "seed": str(SEED)} | _SHARES
    figures: Figures = {}
    for outcome, truth, more in (("click", "true_probability", {}), ("conversion", "true_conversion", {"among": "click"})):
        config = load_config(ResponseConfig, CONFIG, keys | {"outcome": outcome} | more)
        impressions = read_impressions(config)
        test = parts(impressions, config)["test"]
        chances = in_time(impressions, config) | {"truth": _truth(data, truth, config.among)[test]}
        figures |= told(f"simulated_{outcome}", chances, impressions, test)
    return figures


def _truth(data: Path, column: str, among: str | None) -> Floats:
    """The law's probability of every impression that is read, in order of time, in which the file is."""
    table = pd.read_parquet(data)
    return np.asarray(table.loc[table[among] == 1 if among else slice(None), column], dtype=np.float64)


def in_time(impressions: Impressions, config: ResponseConfig) -> Chances:
    """What models fitted on the past say to the test."""
    rows = parts(impressions, config)
    return _said(impressions, config, rows["training"], rows["validation"], rows["test"])


def cross_fitted(impressions: Impressions, config: ResponseConfig) -> Chances:
    """What models that have not seen a row say to it."""
    folds = [
        unseen for _, unseen in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(impressions.happened, impressions.happened)
    ]
    found: Chances = {name: np.zeros(len(impressions)) for name in (*FITTERS, "kept", "base_rate")}
    for number, fold in enumerate(folds):
        validation = np.concatenate([folds[(number + 1) % FOLDS], folds[(number + 2) % FOLDS]])
        training = np.setdiff1d(np.arange(len(impressions)), np.concatenate([fold, validation]))
        for name, chances in _said(impressions, config, training, validation, fold).items():
            found[name][fold] = chances
        print(f"fold {number + 1} of {FOLDS}", flush=True)
    return found


def _said(
    impressions: Impressions, config: ResponseConfig, training: NDArray[np.int64], validation: NDArray[np.int64], test: NDArray[np.int64]
) -> Chances:
    encoding = impressions.encoding(training, config)
    everything = impressions.examples(encoding)
    seen, unseen = everything.take(training), everything.take(validation)
    candidates = [fit(name, encoding, seen, unseen, config) for name in FITTERS]
    said: Chances = {each.name: each.model.of_encoded(everything.rows.take(test)) for each in candidates}
    kept = min(candidates, key=lambda each: each.validation_log_loss)
    return said | {"kept": said[kept.name], "base_rate": np.full(len(test), seen.rate)}


def told(prefix: str, chances: Chances, impressions: Impressions, rows: NDArray[np.int64]) -> Figures:
    """Every model's figures with 95 % intervals, and by how much each differs from logistic regression."""
    happened, clusters = impressions.happened[rows], impressions.clusters[rows]
    sat = {name: Responded(said, happened, np.ones(len(rows)), clusters) for name, said in chances.items()}
    figures: Figures = {f"{prefix}_rows": len(rows), f"{prefix}_happened": int(happened.sum())}
    for name, sitting in sat.items():
        figures |= {f"{prefix}_{name}_{figure}": str(interval) for figure, interval in examined(sitting, seed=SEED).items()}
    for name in ("factorisation_machine", "gradient_boosting"):
        gap = compared(sat[name], sat["logistic"], seed=SEED)["log_loss"]
        figures[f"{prefix}_{name}_over_logistic"] = f"{gap.value:+.5f} [{gap.low:+.5f}, {gap.high:+.5f}], p = {gap.p:.3f}"
    return figures


def open_bandit(root: Path, work: Path) -> Figures:
    """Real clicks of both logging policies, as far as they are there."""
    figures: Figures = {}
    for policy in POLICIES:
        path, items = (root / "open_bandit" / f"{policy}_men{suffix}.csv.gz" for suffix in ("", "_items"))
        if not path.is_file() or not items.is_file():
            print(f"left out: {path.name} is not there; set SUASION_DATA to the folder that holds open_bandit/", flush=True)
            continue
        table = work / f"{policy}.parquet"
        shown(read_table(path).to_pandas(), read_table(items).to_pandas()).to_parquet(table)
        settings: Mapping[str, object] = {"data": table, "out": work / "model", "features": _READ, "seed": SEED}
        config = ResponseConfig.model_validate(settings)
        impressions = read_impressions(config)
        print(f"open_bandit {policy}: {len(impressions)} rows, {int(impressions.happened.sum())} clicks", flush=True)
        chances = cross_fitted(impressions, config)
        figures |= told(f"open_bandit_{policy}", chances, impressions, np.arange(len(impressions)))
    return figures


def shown(log: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """The log with what is known of the item shown: its features, and the shopper's affinity to it out of the affinities to all."""
    affinities = log[[f"user-item_affinity_{item}" for item in range(len(items))]].to_numpy()
    hours = pd.to_datetime(log["timestamp"], utc=True).dt.hour
    told = log.assign(affinity=affinities[np.arange(len(log)), log["item_id"]], hour=hours)
    return told.merge(items.drop(columns=items.columns[0]), on="item_id", how="left", validate="many_to_one")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds open_bandit/")
    options = parser.parse_args()
    root = options.data or Path(os.environ.get("SUASION_DATA") or PROJECT.parent / "shared" / "data")
    with tempfile.TemporaryDirectory() as work:
        figures = simulated(Path(work)) | open_bandit(root, Path(work))
    print(*(f"{key} {value}" for key, value in figures.items()), sep="\n", flush=True)
    record("train_response", {key: value for key, value in figures.items() if key.endswith(_RECORDED)}, seed=SEED)


if __name__ == "__main__":
    main()
