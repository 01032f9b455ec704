"""How loud the paths of a GRU or TextCNN speak: what is right on held-out texts is louder, and what is fitted is what the model says."""

from pathlib import Path

import numpy as np
import pytest
import torch

from train.texts import classifier
from train.texts.classifier import ClassifierConfig
from train.texts.mixing import fitted_scales, mixed

TEXTS = [f"{word} {number}" for number in range(10) for word in ("good", "bad")]
TRUTH = np.array([1, 0] * 10)


@pytest.mark.parametrize("several", [False, True])
def test_the_path_that_is_right_is_louder_and_none_falls_silent(several):
    random = np.random.default_rng(0)
    truth = random.integers(2, size=400)
    right = np.stack([1 - truth, truth], 1) * 2.0 - 1 + random.normal(size=(400, 2))
    sure_and_wrong = random.normal(size=(400, 2)) * 8
    deep, wide = fitted_scales(sure_and_wrong, right, np.eye(2)[truth] if several else truth)
    assert 0 < deep < 0.2 < wide


def test_what_is_fitted_is_what_the_model_says():
    sizes = {"hidden_size": 16, "layers": 1, "vocabulary": 300, "ngram_buckets": 1024, "max_tokens": 20}
    settings = ClassifierConfig(name="c", out=Path("out"), architecture="gru", **sizes)
    tokenizer, model = classifier.start(settings, "sentiment", ("negative", "positive"), "single_label_classification", TEXTS)
    classifier.fit_ngrams(model, TEXTS, torch.nn.functional.one_hot(torch.from_numpy(TRUTH)), tokenizer, settings)
    half = np.arange(20) < 10
    logits = mixed(model.eval(), TEXTS, TRUTH, fitted_on=half, tokenizer=tokenizer, max_tokens=20)
    np.testing.assert_allclose(logits, classifier.logits_of(model, TEXTS, tokenizer, 20), atol=1e-5)
    assert model.scales[1] > 1 and (logits.argmax(1) == TRUTH).all()


def test_a_model_of_one_path_says_what_it_said():
    settings = ClassifierConfig(name="c", out=Path("out"), hidden_size=16, heads=2, layers=1, intermediate_size=16, vocabulary=300)
    tokenizer, model = classifier.start(settings, "sentiment", ("negative", "positive"), "single_label_classification", TEXTS)
    before = classifier.logits_of(model.eval(), TEXTS, tokenizer, 20)
    after = mixed(model, TEXTS, TRUTH, fitted_on=np.arange(20) < 10, tokenizer=tokenizer, max_tokens=20)
    np.testing.assert_array_equal(before, after)
