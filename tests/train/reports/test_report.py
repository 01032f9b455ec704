"""The report of a run: what its pictures and tables say, and that it has no section for what there is not."""

import json
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import confusion_matrix

sys.path.insert(0, str(Path(__file__).parents[1]))  # train_fakes: a module that workers import by name

from train_fakes import ShownConfig, shown_line

from artifacts.card import Card
from train import generator, persuasion
from train.generator import CopyLoss, GeneratorConfig, prompt_ids
from train.job import launch
from train.reports.charts import calibration, confusion_counts, reliability_bins
from train.reports.exhibits import Exhibits, Predictions, Sample, classified_exhibits, read_exhibits, write_exhibits
from train.reports.history import read_history
from train.reports.metrics import calibration_error, softmax
from train.reports.report import write_report
from train.texts.classifier import ClassifierConfig, start
from train.texts.examples import example
from train.texts.judged_copy import LABELS, examination

NAMES = ("negative", "neutral", "positive")
METRICS = {"before_accuracy": 0.3, "accuracy": 0.9, "validation_loss": 0.4, "step": 40.0}
REPORTS = [
    {"done": 0.25, "step": 10, "loss": 2.0, "tokens_per_s": 900, "learning_rate": 1e-3},
    {"done": 0.5, "step": 20, "loss": 1.5, "tokens_per_s": 950, "mfu": 0.2, "learning_rate": 8e-4, "accuracy": 0.6, "validation_loss": 1.4},
    {"done": 0.75, "step": 30, "loss": 1.2, "tokens_per_s": 960, "mfu": 0.2, "learning_rate": 4e-4},
    {"done": 1.0, "step": 40, "loss": 1.0, "accuracy": 0.9, "validation_loss": 0.9, "before_accuracy": 0.3, "before_validation_loss": 2.1},
]


def card(**more) -> Card:
    held = {"config": {"epochs": 2, "run": "tiny-1", "about": "a|b"}, "data_hash": "d" * 64, "metrics": METRICS} | more
    return Card("sentiment", "tiny", "0123456789ab", "2026-01-15T12:00:00+00:00", "abc", "python -m train.sentiment", 7, **held)


def run_directory(directory: Path, reports: list[dict[str, float]]) -> Path:
    (directory / "metrics.jsonl").write_text("".join(json.dumps(report) + "\n" for report in reports))
    return directory


def predictions(count: int = 200, *, temperature: float = 2.0, fitted_on=None) -> Predictions:
    """Three classes whose logits are twice as far apart as they should be."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(count, 3))
    labels = np.array([random.choice(3, p=row) for row in softmax(logits)])
    return classified_exhibits(logits * 2, labels, NAMES, temperature, fitted_on=fitted_on).predictions


def headings(page: Path) -> list[str]:
    return [line.removeprefix("## ") for line in page.read_text().splitlines() if line.startswith("## ")]


def assert_drawn(path: Path) -> None:
    """A picture in which something is coloured: axes and words alone are black on white."""
    with Image.open(path) as picture:
        colours = np.asarray(picture.convert("RGB"), dtype=int)
    coloured = (np.ptp(colours, axis=2) > 60).mean()
    assert min(colours.shape[:2]) > 300 and coloured > 0.001, f"{path.name} is blank: {coloured:.2%} of it is coloured"


def test_a_run_without_exhibits_or_reports_has_its_metrics_and_config_only(tmp_path):
    page = write_report(tmp_path, card(), Exhibits())
    assert page == tmp_path / "report" / "report.md"
    assert headings(page) == ["Metrics", "Config"]
    assert list(page.parent.iterdir()) == [page]
    text = page.read_text()
    assert "| accuracy | 0.3000 | 0.9000 | +0.6000 |" in text and "| validation_loss |  | 0.4000 |  |" in text
    assert "d" * 64 in text and "| about | `a\\|b` |" in text


def test_a_classifier_s_report_has_every_section_and_draws_every_picture(tmp_path):
    shown = Exhibits(predictions(), np.random.default_rng(0).normal(1, 1, 100), (Sample("a brief", "said", "wrote"),))
    page = write_report(run_directory(tmp_path, REPORTS), card(), shown)
    course = ["Metrics", "Training", "Held-out metrics at checkpoints"]
    verdict = ["Classes", "Confusion matrix", "Calibration", "ROC and precision-recall", "Margins between pairs", "Samples"]
    assert headings(page) == [*course, *verdict, "Config"]
    pictures = {path.name for path in page.parent.glob("*.png")}
    assert pictures == {
        *("training.png", "held_out.png", "confusion.png", "reliability.png", "roc.png", "precision_recall.png", "margins.png")
    }
    for name in pictures:
        assert f"]({name})" in page.read_text()
        assert_drawn(page.parent / name)


def test_a_report_written_again_keeps_no_picture_of_the_one_before(tmp_path):
    write_report(run_directory(tmp_path, REPORTS), card(), Exhibits(predictions()))
    (tmp_path / "metrics.jsonl").unlink()
    page = write_report(tmp_path, card(), Exhibits())
    assert list(page.parent.iterdir()) == [page]


def test_the_confusion_matrix_counts_what_was_taken_for_what():
    told = predictions()
    assert (confusion_counts(told) == confusion_matrix(told.labels, told.logits.argmax(axis=1))).all()
    by_hand = classified_exhibits(np.eye(3)[[0, 0, 1, 2, 2]], np.array([0, 1, 1, 2, 0]), NAMES, 1.0).predictions
    assert confusion_counts(by_hand).tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 1]]


def test_the_class_table_says_what_scikit_learn_and_a_hand_count_say(tmp_path):
    logits = np.array([[2.0, 0, 0], [1.0, 0.5, 0], [0, 2.0, 0], [0, 1.0, 0.5]])
    shown = classified_exhibits(logits, np.array([0, 1, 1, 1]), NAMES, 1.0)
    text = write_report(tmp_path, card(), shown).read_text()
    assert "| negative | 1 of 4 | 0.500 | 1.000 | 0.667 | 1.000 | 1.000 |" in text
    assert "| neutral | 3 of 4 | 1.000 | 0.667 | 0.800 | 1.000 | 1.000 |" in text
    assert "| positive | 0 of 4 | 0.000 | 0.000 | 0.000 |  |  |" in text


def test_calibration_is_shown_before_and_after_the_temperature_on_examples_it_was_not_fitted_on(tmp_path):
    told = predictions(4000, fitted_on=slice(None, None, 2))
    before, after = calibration(told)
    assert before > 0.1 > 2 * after
    unseen = softmax(told.logits[1::2] / 2.0)
    assert after == calibration_error(unseen.max(axis=1), unseen.argmax(axis=1) == told.labels[1::2])
    text = write_report(tmp_path, card(), Exhibits(told)).read_text()
    assert f"error {before:.4f} of the bare logits, {after:.4f} after the temperature 2.000, on the examples that" in text


def test_the_reliability_diagram_s_bins_are_those_of_the_calibration_error():
    confidence, correct = predictions().confidence(1.0)
    sure, right, counts = reliability_bins(confidence, correct)
    assert counts.sum() == len(confidence)
    assert (abs(sure - right) * counts).sum() / counts.sum() == pytest.approx(calibration_error(confidence, correct))


def test_several_labels_have_curves_of_their_own_and_no_confusion_matrix(tmp_path):
    random = np.random.default_rng(0)
    labels = random.integers(-1, 2, (90, 2)).astype(float)  # below 0: not known
    logits = np.where(labels > 0, 1.0, -1.0) + random.normal(size=labels.shape)
    shown = classified_exhibits(np.column_stack([logits, -np.ones(90)]), np.column_stack([labels, np.zeros(90)]), ("a", "b", "never"), 1.0)
    page = write_report(tmp_path, card(), shown)
    assert headings(page) == ["Metrics", "Classes", "Calibration", "ROC and precision-recall", "Config"]
    assert f"| a | {int((labels[:, 0] > 0).sum())} of {int((labels[:, 0] >= 0).sum())} |" in page.read_text()
    assert "| never | 0 of 90 | 0.000 | 0.000 | 0.000 |  |  |" in page.read_text()
    assert_drawn(page.parent / "roc.png")


def test_held_out_examples_of_one_class_alone_have_no_roc(tmp_path):
    shown = classified_exhibits(np.eye(3), np.zeros(3, dtype=int), NAMES, 1.0)
    assert "ROC and precision-recall" not in headings(write_report(tmp_path, card(), shown))


def test_a_sample_s_words_can_t_break_the_page(tmp_path):
    shown = Exhibits(samples=(Sample("brief", "a\n\n## not a heading\n```", ""),))
    page = write_report(tmp_path, card(), shown)
    assert headings(page) == ["Metrics", "Samples", "Config"]
    assert "    ## not a heading\n    ```" in page.read_text() and "(nothing)" in page.read_text()


def test_a_history_goes_from_before_training_to_the_end(tmp_path):
    history = read_history(run_directory(tmp_path, REPORTS) / "metrics.jsonl")
    assert history.training["loss"] == [(10, 2.0), (20, 1.5), (30, 1.2), (40, 1.0)]
    assert history.training["mfu"] == [(20, 0.2), (30, 0.2)]
    assert history.shares() == {"accuracy": [(0, 0.3), (20, 0.6), (40, 0.9)]}
    assert history.losses() == {"validation_loss": [(0, 2.1), (20, 1.4), (40, 0.9)]}


def test_steps_taken_again_after_a_checkpoint_replace_the_first_ones_and_a_line_cut_short_is_passed_over(tmp_path):
    again = [{"done": 0.6, "step": 25, "loss": 1.3}, {"done": 1.0, "step": 25, "loss": float("nan"), "accuracy": 0.7}]
    run = run_directory(tmp_path, REPORTS[:3])
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write('{"done": 0.8, "st\n' + "".join(json.dumps(report) + "\n" for report in again))
    history = read_history(run / "metrics.jsonl")
    assert history.training["loss"] == [(10, 2.0), (20, 1.5)]
    assert history.held_out["accuracy"] == [(20, 0.6), (25, 0.7)]


def test_a_large_family_of_metrics_is_left_to_the_table(tmp_path):
    report = {"step": 1, "accuracy": 0.5, "temperature": 1.7} | {f"f1_{number}": 0.5 for number in range(4)}
    assert set(read_history(run_directory(tmp_path, [report]) / "metrics.jsonl").shares()) == {"accuracy"}


def test_exhibits_come_back_as_they_were_and_nothing_of_them_is_a_pickle(tmp_path):
    shown = Exhibits(predictions(fitted_on=np.arange(10)), np.array([0.5, -1.0]), (Sample("简介", "好", "更好"),))
    write_exhibits(shown, tmp_path)
    back = read_exhibits(tmp_path)
    assert (back.samples, back.predictions.names, back.predictions.temperature) == (shown.samples, NAMES, 2.0)
    for name in ("logits", "labels", "unseen"):
        assert np.array_equal(getattr(back.predictions, name), getattr(shown.predictions, name))
    assert back.predictions.unseen.sum() == 190 and back.margins.tolist() == [0.5, -1.0]
    with pytest.raises(ValueError, match="Object arrays"):
        write_exhibits(Exhibits(margins=np.array([object()])), tmp_path)


def test_exhibits_of_nothing_and_a_checkpoint_without_any_show_nothing(tmp_path):
    assert read_exhibits(tmp_path) == Exhibits()
    write_exhibits(Exhibits(), tmp_path)
    assert read_exhibits(tmp_path) == Exhibits()


@pytest.mark.parametrize(("rows", "names"), [(3, NAMES), (4, NAMES[:2]), (0, NAMES)])
def test_predictions_that_don_t_fit_together_are_refused(rows, names):
    with pytest.raises(ValueError, match="as many labels"):
        classified_exhibits(np.zeros((4 if rows else 0, 3)), np.zeros(rows, dtype=int), names, 1.0)


def test_the_persuasion_scorer_shows_its_labels_and_the_margins_of_its_pairs(pieces, tokenizer_directory, tmp_path):
    sizes = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 16}
    tokenizer, model = start(
        ClassifierConfig(name="tiny", out=tmp_path, tokenizer=tokenizer_directory, **sizes),
        "persuasion",
        LABELS,
        "multi_label_classification",
    )
    asked = examination(pieces, seed=0)
    shown = persuasion.exhibits(model.eval(), examples=asked, tokenizer=tokenizer, max_tokens=64)
    assert shown.predictions.multi_label and shown.predictions.names == LABELS
    assert shown.predictions.logits.shape == (24, len(LABELS)) and shown.predictions.unseen.sum() == 12
    judged = persuasion.judged(model, examples=asked, tokenizer=tokenizer, max_tokens=64)
    assert shown.predictions.temperature == judged["temperature"]
    assert calibration(shown.predictions)[1] == pytest.approx(judged["calibration_error"])
    assert shown.margins.tolist() == pytest.approx((shown.predictions.logits[::2, -1] - shown.predictions.logits[1::2, -1]).tolist())


def test_a_generator_writes_the_same_samples_whenever_it_is_asked(pieces, copybook_directory, tokenizer_directory, tmp_path):
    sizes = {"hidden_size": 32, "layers": 1, "heads": 2, "kv_heads": 1, "intermediate_size": 32, "max_position": 512}
    torch.manual_seed(0)
    tokenizer, model = generator.start(
        GeneratorConfig(name="tiny", out=tmp_path, copybook=copybook_directory, tokenizer=tokenizer_directory, **sizes)
    )
    briefs = [example(piece, Random(1)).brief for piece in pieces[:3]]
    prompts = [(prompt_ids(brief, tokenizer, "compact"), piece.template) for brief, piece in zip(briefs, pieces, strict=False)]
    asked = {"tokenizer": tokenizer, "asked": prompts, "seed": 3}
    before = torch.get_rng_state()
    shown = generator.exhibits(CopyLoss(model.eval()), **asked)
    assert torch.equal(before, torch.get_rng_state())
    assert {sample.reference for sample in shown.samples} == {piece.template for piece in pieces[:3]}
    assert all(sample.prompt and sample.written for sample in shown.samples) and len({sample.written for sample in shown.samples}) == 3
    assert generator.exhibits(CopyLoss(model), **asked) == shown
    assert generator.exhibits(CopyLoss(model), **asked | {"asked": []}) == Exhibits()


def test_a_launched_run_leaves_a_report_and_what_its_trackers_kept(tmp_path, capsys, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    settings = {"epochs": 2, "batch_size": 16, "workers": 0, "threads_per_worker": 1, "report_every_s": 1e-6, "checkpoint_every_s": 1e-6}
    config = ShownConfig(name="shown", out=tmp_path / "out", storage=str(tmp_path), trackers="wandb,mlflow", max_failures=0, **settings)
    made = launch(shown_line, config, kind="line", data=[])
    run = tmp_path / made.config["run"]
    shown = " ".join(capsys.readouterr().err.split())
    assert "stopped (" not in shown and "report: " in shown and "report/report.md" in shown.replace(" ", "")
    assert headings(run / "report" / "report.md") == ["Metrics", "Training", "Margins between pairs", "Samples", "Config"]
    assert "the line's weights" in (run / "report" / "report.md").read_text()
    assert (
        list(run.glob("tensorboard/events*"))
        and list(run.glob("wandb/offline-run-*/*.wandb"))
        and list(run.glob("mlflow/*/*/metrics/loss"))
    )
    assert {path.name for path in config.out.iterdir()} == {"card.json", "line.pt"}, "the model directory stays small"
    history = read_history(run / "metrics.jsonl")
    assert [step for step, _ in history.held_out["error"]] == list(range(9))  # before, and at each of the eight checkpoints
