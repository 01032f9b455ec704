"""`python -m train.evaluate` on the shipped models."""

import json
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artifacts.card import ArtifactError, write_card
from tests import commands
from tests.models import make_bert
from train.evaluate import Asked, evaluate, main, markdown
from train.job import run_command
from train.run.settings import ConfigError
from train.run.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
GOOD, BAD = "做工很好，面料舒服，很满意。", "做工粗糙，到手就坏了，很失望。"


def asked(directory: Path, rows: list[dict], **more) -> Asked:
    path = directory / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return Asked(path, read_table(path), **more)


def reviews(count: int = 30) -> list[dict]:
    said = [(GOOD, "positive") if i % 2 else (BAD, "negative") for i in range(count)]
    return [{"text": text, "label": label, "locale": "zh-CN", "shop": i // 3} for i, (text, label) in enumerate(said)]


def test_a_sentiment_model_is_examined_whole_by_slice_and_against_another(tmp_path):
    found = evaluate(MODELS / "sentiment", asked(tmp_path, reviews(), slices=("locale",), cluster="shop"), MODELS / "sentiment")
    assert found.figures["accuracy"].value == 1
    assert found.slices["locale"]["zh-CN"]["accuracy"].value == 1
    assert found.differences["accuracy"].p == 1
    page = markdown(found)
    assert "By locale" in page
    assert f"Against {found.version}" in page


def test_a_model_of_strategies_is_examined_where_it_gives_one_label(tmp_path):
    directory = make_bert(tmp_path / "model", ("warmth", "value"))
    write_card(directory, kind="strategies", name="tiny", command="pytest", seed=0, config={"max_tokens": 16})
    rows = [{"text": text, "label": label} for text, label in (("warm wool coat", "warmth"), ("green tea", "value"))]
    assert 0 <= evaluate(directory, asked(tmp_path, rows)).figures["accuracy"].value <= 1
    config = directory / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"problem_type": "multi_label_classification"}))
    write_card(directory, kind="strategies", name="tiny", command="pytest", seed=0, config={"max_tokens": 16})
    with pytest.raises(ConfigError, match="gives a text several labels, each by itself"):
        evaluate(directory, asked(tmp_path, rows))


def impressions(count: int = 400) -> list[dict]:
    """Of what the shipped response model reads: good moments with many clicks, poor ones with few."""
    good = {"channel": "push", "hour": 21, "affinity": 0.6, "price_level": 0.1, "discount": 0.3, "persuasion": 0.8, "sentiment": 0.7}
    poor = {"channel": "banner", "hour": 3, "affinity": 0.0, "price_level": 1.0, "discount": 0.0, "persuasion": 0.3, "sentiment": 0.2}
    other = {"locale": "en-GB", "vertical": "food", "kind": "tea", "rating": 4.5, "interests": ["food"], "principles": ["value"]}
    return [
        {**other, **(good if n % 2 else poor), "gender": (None, "female", "male")[n % 3], "age_band": None, "who": n // 4}
        | {"click": int(n % (5 if n % 2 else 50) == 1), "conversion": 0}
        for n in range(count)
    ]


def test_a_response_model_is_asked_for_chances_whole_by_group_and_against_another(tmp_path):
    given = asked(tmp_path, impressions(), slices=("gender",), cluster="who")
    found = evaluate(MODELS / "response", given, MODELS / "response")
    assert found.figures["roc_auc"].low > 0.6 and 0 < found.figures["calibration_error"].value < 1
    assert set(found.slices["gender"]) == {"(none)", "female", "male"}
    assert found.differences["log_loss"].p == 1
    page = markdown(found)
    assert "| value | roc_auc | log_loss | calibration_error |" in page and "| (none) |" in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: {key: value for key, value in row.items() if key != "click"}, r"lacks column 'click', the model's outcome; it has"),
        (lambda row: {key: value for key, value in row.items() if key != "channel"}, r"column 'channel' is missing; the model reads"),
        (lambda row: row | {"click": 2}, r"outcome = 'click': row 1 holds 2; write 1 where it happened"),
        (lambda row: row | {"principles": "value"}, r"column 'principles', row 1: 'value' is no list; write a list of names"),
    ],
)
def test_impressions_that_a_response_model_can_t_be_asked_are_refused(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        evaluate(MODELS / "response", asked(tmp_path, [change(row) for row in impressions(40)]))


def test_a_model_of_conversions_among_clicks_is_asked_of_clicks_alone(tmp_path):
    directory = shutil.copytree(MODELS / "response", tmp_path / "model")
    told = json.loads((directory / "response.json").read_text()) | {"outcome": "conversion"}
    (directory / "response.json").write_text(json.dumps(told))
    write_card(directory, kind="response", name="tiny", command="pytest", seed=0, config={"among": "click"})
    rows = [row | {"conversion": row["click"] * (n % 4 == 1)} for n, row in enumerate(impressions())]
    assert evaluate(directory, asked(tmp_path, rows)).examples == sum(row["click"] for row in rows)
    with pytest.raises(ConfigError, match="click is 1 in no row, and the model was trained among such rows alone"):
        evaluate(directory, asked(tmp_path, [row | {"click": 0} for row in rows]))


def test_a_persuasion_model_is_asked_for_the_better_of_two(tmp_path):
    rows = [{"first": "天冷了，出门前给自己留一口热茶的工夫。", "second": "给一口天的冷了工夫", "better": 1, "test": i} for i in range(4)]
    found = evaluate(MODELS / "persuasion", asked(tmp_path, rows, cluster="test"), MODELS / "persuasion")
    assert found.figures["pairwise_accuracy"].value == 1
    assert found.differences["pairwise_accuracy"].p == 1


def test_pairs_are_told_apart_by_slice_and_what_is_too_small_is_named(tmp_path):
    rows = [
        {"first": "tea for you", "second": "tea", "better": 1 + i % 2, "lang": ("zh", "en", "de")[(i > 24) + (i > 48)]} for i in range(50)
    ]
    found = evaluate(MODELS / "persuasion", asked(tmp_path, rows, slices=("lang",)))
    assert set(found.slices["lang"]) == {"zh", "en"} and found.too_few == {"lang": {"de": 1}}
    page = markdown(found)
    assert "| value | pairwise_accuracy |" in page and "Too few examples to tell: de (1)." in page
    with pytest.raises(ConfigError, match="lacks column 'nosuch'"):
        evaluate(MODELS / "persuasion", asked(tmp_path, rows, slices=("nosuch",)))


def test_a_generator_is_not_asked_by_slices(tmp_path):
    rows = [{"prompt": "<|zh|><|copy|>", "reference": "天冷了", "locale": "zh-CN"}]
    with pytest.raises(ConfigError, match="leave --slices and --cluster out"):
        evaluate(MODELS / "generator", asked(tmp_path, rows, slices=("locale",)))


def test_a_generator_is_examined_by_what_it_expects_and_what_it_writes(tmp_path):
    rows = [{"prompt": "<|zh|><|copy|>", "reference": f"天冷了，{i}", "locale": "zh-CN"} for i in range(2)]
    found = evaluate(MODELS / "generator", asked(tmp_path, rows))
    assert found.figures["perplexity"] > 1
    assert {"zh_bleu_4", "zh_rouge_l", "zh_chrf", "zh_distinct_2", "zh_self_bleu"} <= found.figures.keys()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a"}], "lacks column 'label'"),
        ([{"text": "a", "label": "angry"}], "'angry' is none of the model's"),
        ([{"text": None, "label": "positive"}, {"text": "a", "label": "positive"}], "row 1 has no 'text'"),
    ],
)
def test_rows_that_a_model_can_not_be_asked_are_named(tmp_path, rows, message):
    with pytest.raises(ConfigError, match=message):
        evaluate(MODELS / "sentiment", asked(tmp_path, rows))


def test_a_reference_that_says_nothing_is_named(tmp_path):
    rows = [{"prompt": "<|zh|><|copy|>", "reference": " ", "locale": "zh-CN"}]
    with pytest.raises(ConfigError, match="row 1 has an empty reference"):
        evaluate(MODELS / "generator", asked(tmp_path, rows))


def test_models_of_two_kinds_are_not_compared(tmp_path):
    with pytest.raises(ConfigError, match="name one of the same kind"):
        evaluate(MODELS / "sentiment", asked(tmp_path, reviews()), MODELS / "persuasion")


def test_a_directory_that_is_no_such_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="can't be examined"):
        evaluate(MODELS / "clip", asked(tmp_path, reviews()))
    with pytest.raises(ArtifactError):
        evaluate(tmp_path, asked(tmp_path, reviews()))


def test_a_table_without_rows_is_refused(tmp_path):
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "empty.parquet")
    with pytest.raises(ConfigError, match="has no row"):
        read_table(tmp_path / "empty.parquet")


@pytest.mark.parametrize(("least", "status"), [("0.9", 0), ("1.1", 1)])
def test_the_command_prints_figures_writes_a_page_and_ends_as_the_gate_says(tmp_path, least, status):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in reviews()), encoding="utf-8")
    done = commands.run("train.evaluate", MODELS / "sentiment", path, "--out", tmp_path / "out", "--least", f"accuracy={least}")
    assert done.status == status, done.err
    assert "macro_f1" in done.out
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["figures"]["accuracy"]["value"] == 1
    assert (tmp_path / "out" / "evaluation.md").read_text().startswith("# ")


@pytest.mark.parametrize(
    ("flags", "passes", "said"),
    [
        (["--least", "accuracy=0.9"], True, ""),
        (["--least", "accuracy=1.1"], False, "accuracy is 1.0000, at least 1.1 is asked for"),
        (["--slices", "locale", "--largest-gap", "recall=0.05"], True, ""),
        (["--least", "charm=1"], False, "--least charm=…: there is no such figure; use one of ['accuracy'"),
        (["--most", "log_loss=5", "--most", "calibration_error=1"], True, ""),
        (["--most", "log_loss=0"], False, "at most 0 is allowed"),
        (["--most", "accuracy=1"], False, "of accuracy more is better; write --least accuracy=1"),
        (["--least", "log_loss=2"], False, "of log_loss less is better; write --most log_loss=2"),
        (["--least", "accuracy=nan"], False, "--least 'accuracy=nan': nothing can be compared with nan"),
        (["--largest-gap", "recall=0.05"], False, "--largest-gap: nothing to compare; name columns with --slices"),
        (["--slices", "locale,shop", "--largest-gap", "recall=0.05"], False, "shop has 0 value(s) with twenty examples, two are needed"),
        (["--least", "accuracy"], False, "--least 'accuracy': is not NAME=NUMBER"),
    ],
)
def test_a_gate_lets_a_model_pass_or_says_why_not(tmp_path, monkeypatch, flags, passes, said):
    path = tmp_path / "rows.jsonl"
    rows = [row | {"locale": ("zh-CN", "zh-TW")[i % 4 > 1]} for i, row in enumerate(reviews(120))]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["train.evaluate", str(MODELS / "sentiment"), str(path), *flags])
    with nullcontext() if passes else pytest.raises(SystemExit) as stopped:
        run_command(main)
    assert passes or (str(stopped.value).startswith("error: ") and said in str(stopped.value))
