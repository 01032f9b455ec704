"""What `serve/scorers/` promises, one behaviour a test; by torch and by ONNX Runtime alike."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from artifacts.card import ArtifactError, write_card
from copywriting.principles import PRINCIPLES
from serve.scorers import SCORERS, opened
from serve.scorers.classifier import MAX_TOKENS, Classifier
from serve.scorers.persuasion import PersuasionScorer
from serve.scorers.sentiment import SentimentScorer
from tests.models import make_bert

ROOT = Path(__file__).parents[2]
TEXTS = ["a warm wool coat", "cold broken tea", "茶"]
MOODS = ("positive", "negative", "neutral")


@pytest.fixture(scope="module")
def persuasion(tmp_path_factory) -> PersuasionScorer:
    return PersuasionScorer(str(make_bert(tmp_path_factory.mktemp("persuasion"), ("persuasive", *reversed(PRINCIPLES)))))


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    """The same model without and with its ONNX form."""
    from transformers import AutoModelForSequenceClassification

    from train.texts.onnx_form import write_onnx

    torch_form = make_bert(tmp_path_factory.mktemp("sentiment"), MOODS)
    onnx_form = shutil.copytree(torch_form, tmp_path_factory.mktemp("onnx") / "sentiment")
    write_onnx(AutoModelForSequenceClassification.from_pretrained(onnx_form).eval(), onnx_form)
    return {"torch": torch_form, "onnx": onnx_form}


@pytest.fixture(scope="module", params=["torch", "onnx"])
def sentiment(request, directories) -> SentimentScorer:
    return SentimentScorer(str(directories[request.param]))


def test_both_forms_of_a_model_say_the_same(directories):
    logits = [Classifier(str(path), "sentiment").logits([*TEXTS, "", "tea " * MAX_TOKENS * 2]) for path in directories.values()]
    np.testing.assert_allclose(*logits, atol=2e-2)  # weights of 1.0 in half precision


def test_the_onnx_form_needs_neither_torch_nor_transformers(directories):
    """A replica that scores by it is small and starts at once."""
    code = (
        "import sys; from serve.scorers.sentiment import SentimentScorer; "
        f"SentimentScorer({str(directories['onnx'])!r}).score(['a warm coat', '']); "
        "assert not {'torch', 'transformers'} & sys.modules.keys(), 'loaded'"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_a_replica_with_a_gpu_takes_the_torch_form(directories, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    (directories["onnx"] / "model.onnx").rename(held := directories["onnx"] / "held")
    held.with_name("model.onnx").write_bytes(b"no model")  # nothing that could be loaded
    try:
        assert len(SentimentScorer(str(directories["onnx"])).score(TEXTS)) == 3
    finally:
        held.replace(held.with_name("model.onnx"))


def test_a_model_that_knows_no_neutral_gives_it_no_chance(tmp_path):
    score = SentimentScorer(str(make_bert(tmp_path, ("negative", "positive")))).score(TEXTS)[0]
    assert (score.neutral, score.negative + score.positive) == (0, pytest.approx(1))


def test_persuasion_gives_a_probability_for_itself_and_each_principle(persuasion):
    scores = persuasion.score(TEXTS)
    assert len(scores) == 3
    for score in scores:
        assert tuple(score.principles) == PRINCIPLES
        assert all(0 < value < 1 for value in (score.persuasive, *score.principles.values()))
    assert len({score.persuasive for score in scores}) == 3


def test_scores_go_by_label_and_not_by_position(tmp_path):
    """Two models with the same weights whose labels stand the other way round."""
    labels = ("persuasive", *PRINCIPLES)
    one, other = (PersuasionScorer(str(make_bert(tmp_path / name, given))) for name, given in (("one", labels), ("other", labels[::-1])))
    assert one.score(TEXTS)[0].persuasive == pytest.approx(other.score(TEXTS)[0].principles[PRINCIPLES[-1]])


def test_moods_sum_to_one_and_the_likeliest_is_the_label(sentiment):
    for score in sentiment.score(TEXTS):
        assert score.negative + score.neutral + score.positive == pytest.approx(1)
        assert getattr(score, score.label) == max(score.negative, score.neutral, score.positive)


@pytest.mark.parametrize("text", TEXTS)
def test_a_score_does_not_depend_on_what_else_is_in_the_batch(sentiment, text):
    assert sentiment.score([text])[0].positive == pytest.approx(
        dict(zip(TEXTS, sentiment.score(TEXTS), strict=True))[text].positive, abs=1e-5
    )


def test_long_and_empty_texts_are_scored(sentiment):
    assert len(sentiment.score(["tea " * MAX_TOKENS * 2, ""])) == 2


def test_temperature_softens_the_verdict(tmp_path, sentiment):
    soft = SentimentScorer(str(make_bert(tmp_path, MOODS, temperature=4.0)))
    sharp_score, soft_score = sentiment.score(TEXTS)[0], soft.score(TEXTS)[0]
    assert abs(soft_score.positive - 1 / 3) < abs(sharp_score.positive - 1 / 3)


def test_a_persuasion_model_that_lacks_labels_is_refused(tmp_path):
    model = str(make_bert(tmp_path, ("persuasive", "scarcity")))
    with pytest.raises(ValueError, match=r"persuasion model: .* lacks the labels \['authority', .*train\.persuasion"):
        PersuasionScorer(model)


@pytest.mark.parametrize("labels", [("LABEL_0", "LABEL_1"), ("negative", "neutral"), (*MOODS, "mixed")])
def test_a_sentiment_model_with_other_labels_is_refused(tmp_path, labels):
    model = str(make_bert(tmp_path, labels))
    with pytest.raises(ValueError, match=r"sentiment model: .* has the labels .*train\.sentiment"):
        SentimentScorer(model)


def test_a_model_that_does_not_match_its_card_is_refused(tmp_path):
    model = make_bert(tmp_path / "model", MOODS)
    write_card(model, kind="sentiment", name="m", command="python -m train.sentiment", seed=0)
    with pytest.raises(ArtifactError, match="'persuasion' was expected"):
        Classifier(str(model), "persuasion")
    (model / "config.json").write_text((model / "config.json").read_text() + " ")
    with pytest.raises(ArtifactError, match=r"config\.json"):
        SentimentScorer(str(model))


def test_every_scorer_is_in_the_dict():
    assert {"persuasion": PersuasionScorer, "sentiment": SentimentScorer} == SCORERS


def test_a_scorer_tells_the_version_of_its_model(tmp_path):
    model = make_bert(tmp_path / "model", MOODS)
    assert opened("sentiment", str(model), 1).version == str(model)
    card = write_card(model, kind="sentiment", name="m", command="python -m train.sentiment", seed=0)
    assert opened("sentiment", str(model), 1).version == card.version


def test_a_model_whose_weights_are_damaged_is_refused_before_it_serves(tmp_path):
    from safetensors.torch import load_file, save_file

    model = make_bert(tmp_path / "model", MOODS)
    weights = load_file(model / "model.safetensors")
    weights["classifier.bias"][:] = float("nan")
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"sentiment model: .* gives scores outside \[0, 1\]"):
        opened("sentiment", str(model), 1)
