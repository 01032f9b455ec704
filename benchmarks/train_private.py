"""What differential privacy costs: sentiment and response models at ε = 1, 3, 8 and without a bound, beside each other.

    python -m benchmarks.train_private sentiment        # reads senti_zh/ of the folder in SUASION_DATA
    python -m benchmarks.train_private response

sentiment   online_shopping_10_cats. A tenth of the texts counts as public: the tokenizer is learned from it, and it is left out of
            everything else. A small TextCNN from scratch on 8,000 texts, one epoch, the same settings with and without privacy; without
            it also `usual`, which begins its n-gram path with counts and takes three epochs. Unit: one text. Figures on a tenth that was
            neither trained nor chosen on. The settings were tried at ε = 3 on another draw of the same table.
response    the sample shop's simulated impressions (demo/response_law.py), for real ones with enough clicks and a shopper's name are not
            to be had. Logistic regression and factorisation machine with one row as the unit, and logistic regression with one shopper as
            the unit, of whom there are but some hundreds. The latest 44 % are the test.

Intervals are bootstraps, of response by shopper. Runs with privacy
can't be repeated to the digit: their noise comes from no seed.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any, cast

from rich.console import Console

from artifacts.card import read_card, write_card
from benchmarks.record import Figures, record
from benchmarks.train_sentiment import NAMES, data_folder, examination, trained, write
from benchmarks.train_sentiment import WORK as MODELS
from demo.stage import VAR
from demo.training_data import simulate
from train.exams.exam import examined
from train.response import ResponseConfig, fit, fit_private
from train.run.private_settings import ResponsePrivacy
from train.run.tables import read_table
from train.shoppers.impressions import Impressions, Rows, parts, read_impressions
from train.shoppers.response_exam import Responded
from train.shoppers.response_models import ModelName
from train.texts.labelled import Columns, from_table, hold_out
from train.texts.vocabulary import save_tokenizer, train_reader

SEED = 12
WORK = VAR / "benchmarks" / "private"
BUDGETS = (1.0, 3.0, 8.0, None)
TEXTS = 8_000
SMALL = (
    "architecture=textcnn", "hidden_size=32", "heads=1", "ngram_buckets=1024", "max_tokens=64", "dropout=0", "word_dropout=0",
    "batch_size=256", "accumulate=4", "epochs=1", "learning_rate=3.0e-3", "weight_decay=0", "workers=1", "threads_per_worker=1",
    "onnx=false",
)  # fmt: skip
USUAL = ("epochs=3", "dropout=0.4", "word_dropout=0.1", "batch_size=64", "accumulate=1", "weight_decay=0.1")
FEATURES = (
    "locale", "age_band", "gender", "interests", "vertical", "kind", "affinity", "channel", "hour", "principles", "persuasion", "sentiment",
    "price_level", "discount", "rating",
)  # fmt: skip
RESPONSES: dict[str, tuple[ModelName, bool]] = {
    "logistic_of_rows": ("logistic", False),
    "machine_of_rows": ("factorisation_machine", False),
    "logistic_of_shoppers": ("logistic", True),
}
"""Which model, and whether its unit is a shopper."""
OF_ROWS: dict[str, Any] = {"batch_size": 1024, "epochs": 10}
OF_SHOPPERS: dict[str, Any] = {"batch_size": 128, "epochs": 40, "per_unit": 16}
IMPRESSIONS = 40_000
SHARES = {"validation_share": 0.06, "test_share": 0.44}


def sentiment(folder: Path) -> Figures:
    """A TextCNN at every budget."""
    path = folder / "senti_zh" / "online_shopping_10_cats.csv.gz"
    rest, test = hold_out(from_table(read_table(path), path, Columns(), NAMES).rows, 0.1, SEED)
    rest, public = hold_out(rest, 0.1, SEED)
    rest, validation = hold_out(rest, 0.05, SEED)
    chosen = Random(SEED).sample(rest, TEXTS)
    paths = {name: write(rows, WORK / f"{name}.jsonl") for name, rows in (("training", chosen), ("validation", validation), ("test", test))}
    tokenizer = WORK / "tokenizer"
    shutil.rmtree(tokenizer, ignore_errors=True)
    save_tokenizer(train_reader([row.text for row in public], 2000), tokenizer)
    write_card(tokenizer, kind="tokenizer", name="public", command="python -m benchmarks.train_private", seed=SEED)
    figures: Figures = {"sentiment_texts": len(chosen), "sentiment_test_texts": len(test)}
    settings = (f"tokenizer={tokenizer}", *SMALL)
    runs = {name_of(budget): (*settings, *private(budget)) for budget in BUDGETS} | {"usual": (*settings, *USUAL)}
    for name, given in runs.items():
        out = f"sentiment-{name}"
        seconds = trained(out, given, paths["training"], paths["validation"])
        spent = read_card(MODELS / out).metrics
        told = examination(MODELS / out, paths["test"])
        figures |= {f"sentiment_{name}_{figure}": str(told[figure]) for figure in ("accuracy", "macro_f1", "calibration_error")}
        figures |= {f"sentiment_{name}_{key}": round(spent[key], 5) for key in ("epsilon", "delta", "noise_multiplier") if key in spent}
        figures[f"sentiment_{name}_seconds"] = round(seconds)
        Console().print(figures)
    return figures


def private(budget: float | None) -> tuple[str, ...]:
    """The setting of a budget."""
    return () if budget is None else (f"private={{target_epsilon: {budget}}}",)


def name_of(budget: float | None) -> str:
    """As figures are called."""
    return "unbounded" if budget is None else f"epsilon_{budget:g}"


def response(work: Path) -> Figures:
    """Private models at every budget, beside the same models without one."""
    common = {"data": simulate(work, SEED, IMPRESSIONS), "out": work, "time": "at", "cluster": "shopper_id", "features": FEATURES, "dim": 4}
    plain = ResponseConfig.model_validate({**common, **SHARES, "seed": SEED})
    impressions = read_impressions(plain)
    rows = parts(impressions, plain)
    figures: Figures = {"response_impressions": len(impressions), "response_shoppers": len(set(impressions.clusters[rows["training"]]))}
    for kind, (model, by_shopper) in RESPONSES.items():
        for budget in BUDGETS:
            asked = ResponsePrivacy(target_epsilon=budget, **(OF_SHOPPERS if by_shopper else OF_ROWS)) if budget else None
            config = plain.model_copy(update={"model": model, "private": asked})
            figures |= responded(f"response_{kind}_{name_of(budget)}", impressions, rows, config, by_shopper=by_shopper)
    Console().print(figures)
    return figures


def responded(name: str, impressions: Impressions, rows: dict[str, Rows], config: ResponseConfig, *, by_shopper: bool) -> Figures:
    """One model fitted as the command fits it, and its figures on the test."""
    began = time.monotonic()
    model, encoding = cast(ModelName, config.model), impressions.encoding(rows["validation" if config.private else "training"], config)
    everything = impressions.examples(encoding)
    training, validation, test = (everything.take(rows[part]) for part in ("training", "validation", "test"))
    if config.private:
        units = impressions.clusters[rows["training"]] if by_shopper else rows["training"]
        fitted = fit_private(model, encoding, training, units, validation, config)
    else:
        fitted = fit(model, encoding, training, validation, config)
    said = Responded(fitted.model.of_encoded(test.rows), test.happened, test.weights, impressions.clusters[rows["test"]])
    told = examined(said, count=200, seed=SEED)
    figures: Figures = {f"{name}_{figure}": str(told[figure]) for figure in ("roc_auc", "log_loss", "normalised_entropy")}
    figures |= {f"{name}_{key}": round(fitted.spent[key], 5) for key in ("epsilon", "delta", "noise_multiplier") if key in fitted.spent}
    print(f"{name}: {figures[f'{name}_roc_auc']}", flush=True)
    return figures | {f"{name}_seconds": round(time.monotonic() - began)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=("sentiment", "response"))
    given = parser.parse_args()
    if given.model == "sentiment":
        figures = sentiment(data_folder())
    else:
        with tempfile.TemporaryDirectory() as work:
            figures = response(Path(work))
    record(f"train_private_{given.model}", figures, SEED, f"python -m benchmarks.train_private {given.model}")


if __name__ == "__main__":
    main()
