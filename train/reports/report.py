"""The report of a finished run: `<run>/report/report.md` with its pictures beside it, written where the run was launched.

It has a section for what there is to show, and none for what there is not. `train/job.py` writes it; by hand, for a run whose model
directory is still there:

    write_report(Path("var/runs/sentiment-20260101-120000"), read_card(Path("models/sentiment")), read_exhibits(checkpoint))
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

from artifacts.card import Card
from train.reports import charts
from train.reports.exhibits import REPORT, Exhibits, Predictions, Sample
from train.reports.history import read_history

_BEFORE = "before_"


def write_report(run: Path, card: Card, shown: Exhibits) -> Path:
    """Write the report of the run in this directory, in place of an older one. Returns the path of the page."""
    page = run / REPORT
    page.parent.mkdir(parents=True, exist_ok=True)
    for picture in page.parent.glob("*.png"):
        picture.unlink()  # of the run before it was resumed
    sections = [_head(card), _metrics(card.metrics), *_course(run, page.parent), *_exhibits(shown, page.parent), _config(card.config)]
    page.write_text("\n\n".join(filter(None, sections)) + "\n", encoding="utf-8")
    return page


def _head(card: Card) -> str:
    rows = {
        "model": f"{card.name} ({card.kind}), version `{card.version}`",
        "run": f"`{card.config.get('run', '')}`, ended {card.created_at}",
        "command": f"`{card.command}`",
        "code": f"`{card.git_commit}`",
        "data": f"`{card.data_hash}`" if card.data_hash else "",
        "seed": str(card.seed),
        "steps": f"{card.metrics['step']:.0f}" if "step" in card.metrics else "",
    }
    return f"# Training report: {card.name}\n\n" + _table(("", ""), [(name, value) for name, value in rows.items() if value])


def _metrics(metrics: Mapping[str, float]) -> str:
    """The final metrics beside what they were before training."""
    rows = []
    for name, after in metrics.items():
        if name.startswith(_BEFORE) or name == "step":
            continue
        before = metrics.get(_BEFORE + name)
        rows.append((name, "" if before is None else f"{before:.4f}", f"{after:.4f}", "" if before is None else f"{after - before:+.4f}"))
    return "## Metrics\n\n" + _table(("metric", "before", "after", "change"), rows) if rows else ""


def _course(run: Path, directory: Path) -> Iterator[str]:
    history = read_history(run / "metrics.jsonl")
    if history.training:
        charts.training(history, directory / "training.png")
        yield "## Training\n\n" + _picture("training.png", "Loss, learning rate and speed over steps")
    if history.shares():
        charts.held_out(history, directory / "held_out.png")
        yield "## Held-out metrics at checkpoints\n\n" + _picture("held_out.png", "Held-out metrics over steps")


def _exhibits(shown: Exhibits, directory: Path) -> Iterator[str]:
    if shown.predictions:
        yield from _predictions(shown.predictions, directory)
    if shown.margins is not None and len(shown.margins):
        charts.margins(shown.margins, directory / "margins.png")
        text = f"By how much the better one of {len(shown.margins):,} pairs was scored above the other."
        yield f"## Margins between pairs\n\n{text}\n\n" + _picture("margins.png", "Histogram of margins")
    if shown.pages:
        for name, page in shown.pages.items():
            (directory / name).write_text(page, encoding="utf-8")
        yield "## Pages\n\n" + "\n".join(f"- [{name}]({name})" for name in shown.pages)
    if shown.samples:
        yield "## Samples\n\n" + "\n\n".join(_sample(number, sample) for number, sample in enumerate(shown.samples, 1))


def _predictions(told: Predictions, directory: Path) -> Iterator[str]:
    yield "## Classes\n\n" + _table(("class", "examples", "precision", "recall", "F1", "ROC-AUC", "average precision"), _by_class(told))
    if not told.multi_label:
        charts.confusion(told, directory / "confusion.png")
        text = f"{len(told.labels):,} held-out examples; a row is a true class."
        yield f"## Confusion matrix\n\n{text}\n\n" + _picture("confusion.png", "Confusion matrix")
    if told.confidence(1.0)[0].size:
        charts.reliability(told, directory / "reliability.png")
        before, after = charts.calibration(told)
        text = f"Expected calibration error {before:.4f} of the bare logits, {after:.4f} after the temperature {told.temperature:.3f}"
        note = "" if told.unseen.all() else ", on the examples that the temperature was not fitted on"
        yield f"## Calibration\n\n{text}{note}.\n\n" + _picture("reliability.png", "Reliability diagram")
    if charts.has_curves(told):
        charts.roc(told, directory / "roc.png")
        charts.precision_recall(told, directory / "precision_recall.png")
        pictures = (_picture("roc.png", "ROC curves"), _picture("precision_recall.png", "Precision-recall curves"))
        yield "## ROC and precision-recall\n\n" + "\n\n".join(pictures)


def _by_class(told: Predictions) -> list[tuple[str, ...]]:
    """Name, examples of it, precision, recall, F1, ROC-AUC, average precision; the last two where some examples are of it and some not."""
    rows = []
    best = told.logits.argmax(axis=1)
    for column, name in enumerate(told.names):
        scores, truth = told.one_against_rest(column)
        said = scores > 0 if told.multi_label else best == column
        precision, recall, f1, _ = precision_recall_fscore_support(truth, said, average="binary", zero_division=0)
        both = 0 < truth.sum() < len(truth)
        areas = (roc_auc_score(truth, scores), average_precision_score(truth, scores)) if both else ()
        figures = [f"{value:.3f}" for value in (precision, recall, f1, *areas)]
        rows.append((name, f"{int(truth.sum()):,} of {len(truth):,}", *figures, *[""] * (5 - len(figures))))
    return rows


def _sample(number: int, sample: Sample) -> str:
    parts = (("Prompt", sample.prompt), ("Reference", sample.reference), ("Written", sample.written))
    # Indented, not fenced: whatever a model writes, nothing in it ends the block.
    return f"### {number}\n\n" + "\n\n".join(f"{name}:\n\n{textwrap.indent(text or '(nothing)', '    ')}" for name, text in parts)


def _config(config: Mapping[str, Any]) -> str:
    return "## Config\n\n" + _table(("key", "value"), [(key, f"`{value}`") for key, value in config.items()]) if config else ""


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    escaped = (tuple(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, ("---",) * len(heads), *escaped))


def _picture(name: str, alternative: str) -> str:
    return f"![{alternative}]({name})"
