"""A classifier over a table's own labels: which labels there are, dialogues on one side only, what was said before, several labels."""

import json

import numpy as np
import pytest
import torch

from train.run.settings import ConfigError
from train.run.tables import read_table
from train.strategies import StrategiesConfig, labels_of, parts
from train.texts import classifier
from train.texts.classifier import ClassifierConfig
from train.texts.labelled import Labelled, from_table
from train.texts.labelled_loop import Lesson, judged, targets, with_context
from train.texts.vocabulary import train_reader


def write(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def config(data, **settings):
    return StrategiesConfig(name="s", out=data.parent / "out", data=data, **settings)


def dialogues(tmp_path, count=20):
    rows = [
        {"text": f"line {number} of {dialogue}", "label": ("greeting", "appeal")[number % 2], "who": f"d{dialogue}", "said": "Yes?"}
        for dialogue in range(count)
        for number in range(4)
    ]
    return write(tmp_path / "turns.jsonl", rows)


def test_a_dialogue_is_never_on_two_sides(tmp_path):
    training, held_out, _ = parts(config(dialogues(tmp_path), columns={"together": "who", "context": "said"}, held_out=0.2))
    assert (len(training), len(held_out)) == (64, 16)
    assert not {row.together for row in training} & {row.together for row in held_out}
    assert {row.context for row in training} == {"Yes?"}
    assert labels_of(training) == ("appeal", "greeting")


def test_a_text_said_after_something_else_is_another_one_and_repeats_count_where_they_are_wanted(tmp_path):
    rows = [{"text": "Yes.", "label": ("greeting", "appeal")[number % 2], "said": f"{number % 2}"} for number in range(20)]
    data = write(tmp_path / "turns.jsonl", rows)
    with pytest.raises(ConfigError, match=r"has 2 labelled texts \(left out: 18 repeated\); give at least 10"):
        parts(config(data, columns={"context": "said"}))
    training, held_out, _ = parts(config(data, columns={"context": "said"}, repeats=True, validation=data))
    assert len(training) == len(held_out) == 20


def test_labels_with_too_few_texts_or_none_in_training_are_refused(tmp_path):
    rows = [{"text": f"text {number}", "label": "a" if number else "b"} for number in range(30)]
    with pytest.raises(ConfigError, match=r"'b' has 1 training texts of 2 \(least_of_a_label\); give more, join labels"):
        parts(config(write(tmp_path / "rare.jsonl", [row | {"held_out": row["text"] == "text 9"} for row in rows])))
    with pytest.raises(ConfigError, match="label 'b' is held out and has no training text"):
        parts(config(write(tmp_path / "new.jsonl", [row | {"held_out": row["label"] == "b"} for row in rows])))


def test_several_labels_stand_in_a_list_or_with_a_bar_between(tmp_path):
    listed = write(tmp_path / "list.jsonl", [{"text": "a", "label": ["scarcity", "authority"]}, {"text": "b", "label": []}])
    barred = write(tmp_path / "bar.jsonl", [{"text": "a", "label": "scarcity|authority"}, {"text": "b", "label": "scarcity"}])
    first, second = (from_table(read_table(path), path, config(path).columns, None).rows for path in (listed, barred))
    assert [row.label for row in first] == ["authority|scarcity", ""]
    assert labels_of(second) == ("authority", "scarcity")
    found = targets(first, {"authority": 0, "scarcity": 1}, several=True)
    assert found.tolist() == [[1, 1], [0, 0]]


def test_rare_labels_weigh_more_and_a_text_one_on_average():
    rows = [Labelled(f"{number}", "rare" if number % 10 == 0 else "usual") for number in range(100)]
    weights = dict(zip(("rare", "usual"), Lesson(rows, [], ("rare", "usual"), balance=1.0).weights, strict=True))
    assert weights["rare"] == pytest.approx(5.0) and weights["usual"] == pytest.approx(100 / 180)
    assert Lesson(rows, [], ("rare", "usual")).weights == pytest.approx([1.0, 1.0])


def test_what_was_said_before_stands_behind_the_separator():
    tokenizer = train_reader(["yes", "are you"], 300)
    joined = with_context(Labelled("yes", "a", context="are you"), tokenizer)
    assert tokenizer(joined)["input_ids"].count(tokenizer.eos_token_id) == 2
    assert with_context(Labelled("yes", "a"), tokenizer) == "yes"


def test_several_labels_are_judged_each_by_itself():
    truth = np.tile(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float32), (10, 1))
    logits = np.where(truth > 0.5, 3.0, -3.0)
    logits[::4, 0] = -3.0  # a quarter of the texts lacks its first label
    found = judged(logits, truth)
    assert (found["accuracy"], found["macro_f1"]) == (0.75, pytest.approx((2 / 3 + 1) / 2))


@pytest.mark.parametrize("architecture", ["modernbert", "gru"])
def test_a_label_that_weighs_nothing_counts_nowhere_in_the_loss(architecture, tmp_path):
    texts = [f"{word} {number}" for word in ("good", "bad") for number in range(8)]
    sizes = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 16, "vocabulary": 300, "ngram_buckets": 1024}
    settings = ClassifierConfig(name="c", out=tmp_path / "out", architecture=architecture, dropout=0.0, **sizes)
    tokenizer, model = classifier.start(settings, "strategies", ("bad", "good"), "single_label_classification", texts)
    classifier.weigh(model, [0.0, 1.0])
    batch = classifier.encode(texts[8:], tokenizer, 20)
    with torch.no_grad():
        loss = classifier.labelled_loss(model.eval(), batch | {"labels": torch.tensor([0] * 7 + [1])}, weights=[0.0, 1.0])
        alone = {key: value[-1:] for key, value in batch.items()} | {"labels": torch.tensor([1])}
        torch.testing.assert_close(loss, classifier.labelled_loss(model, alone, weights=[0.0, 1.0]), atol=1e-4, rtol=1e-3)
