"""The n-gram path: Chinese words are read as their characters, anything else as it is; what hides counts nowhere; what is fitted is right,
stays as it is, and is the same after saving and in ONNX Runtime."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from artifacts.card import write_card
from serve.scorers.classifier import Classifier
from train.texts import classifier
from train.texts.classifier import ClassifierConfig
from train.texts.ngrams import NgramClassifier
from train.texts.vocabulary import train_reader

GOOD, BAD = ("质量很好", "非常喜欢", "works well"), ("质量很差", "非常失望", "broke at once")
TEXTS = [f"{text}，{tail}" for text in (*GOOD, *BAD) for tail in ("昨天买的", "as a gift", "第二次买", "for my desk")]
TRUTH = torch.tensor([int(text.split("，")[0] in GOOD) for text in TEXTS])


@pytest.fixture(scope="module")
def tokenizer():
    return train_reader(TEXTS, 300)


def path_over(units, labels=2, buckets=2**16):
    path = NgramClassifier(buckets, labels, *units.shape)
    path.units.copy_(units)
    return path


def counted(path, ids):
    """The buckets that count, sorted."""
    places, there = path.ngrams(torch.tensor([ids]), torch.ones(1, len(ids)))
    return sorted(places[there > 0].tolist())


def test_a_tokenizer_for_reading_learns_chinese_words_and_they_consist_of_characters(tokenizer):
    numbers = tokenizer.get_vocab()
    units = classifier.units_of(tokenizer)
    assert units[numbers["质量很"]].tolist()[:3] == [numbers[character] + 1 for character in "质量很"]
    assert units[numbers["broke"]].tolist() == [numbers["broke"] + 1] + [0] * (units.shape[1] - 1)


def test_a_word_and_its_characters_one_by_one_have_the_same_n_grams():
    path = path_over(torch.tensor([[0, 0, 0], [2, 0, 0], [3, 0, 0], [4, 0, 0], [2, 3, 4], [3, 4, 0]]))
    apart = counted(path, [1, 2, 3, 1, 2])
    assert counted(path, [4, 1, 2]) == counted(path, [1, 5, 1, 2]) == apart
    assert len(apart) == 5 + 4 + 3


def test_no_n_gram_reaches_over_a_hidden_token():
    path = path_over(torch.tensor([[0], [2], [3], [4]]))
    places, there = path.ngrams(torch.tensor([[1, 2, 3, 1]]), torch.tensor([[1, 0, 1, 1]]))
    assert there.sum() == 3 + 1
    assert set(places[there > 0].tolist()) == set(counted(path, [3, 1]))


def fitted(tokenizer, targets, several=False, weights=()):
    batch = classifier.encode(TEXTS, tokenizer, 40)
    path = path_over(classifier.units_of(tokenizer), targets.shape[1])
    path.fit([(batch["input_ids"], batch["attention_mask"], targets)], several=several, weights=weights)
    return path, path(batch["input_ids"], batch["attention_mask"].float())


def test_it_is_fitted_to_two_labels_and_does_not_move_any_more(tokenizer):
    path, logits = fitted(tokenizer, torch.nn.functional.one_hot(TRUTH))
    assert (logits.argmax(1) == TRUTH).all()
    torch.testing.assert_close(logits[:, 0], -logits[:, 1])
    assert not any(parameter.requires_grad for parameter in path.parameters())


def test_it_is_fitted_to_several_labels_of_a_text_and_to_one_that_all_have(tokenizer):
    english = torch.tensor([int(text[0].isascii()) for text in TEXTS])
    targets = torch.stack([TRUTH, english, torch.ones_like(TRUTH)], 1)
    _, logits = fitted(tokenizer, targets, several=True)
    assert ((logits > 0).long() == targets).all()


def test_a_label_of_more_weight_is_likelier(tokenizer):
    targets = torch.nn.functional.one_hot(TRUTH)
    plain, weighted = (fitted(tokenizer, targets, weights=weights)[1][:, 1].mean() for weights in ((), (1.0, 5.0)))
    assert weighted > plain


def test_a_model_with_a_fitted_path_learns_beside_it_and_serves_what_it_says(tmp_path, tokenizer):
    settings = ClassifierConfig(name="c", out=Path("out"), architecture="textcnn", hidden_size=16, ngram_buckets=2**14, max_tokens=40)
    names = ("negative", "positive")
    reader, model = classifier.start(settings, "sentiment", names, "single_label_classification", TEXTS)
    classifier.fit_ngrams(model, TEXTS, torch.nn.functional.one_hot(TRUTH), reader, settings)
    before = model.ngrams.weight.clone()
    model(**classifier.encode(TEXTS, reader, 40), labels=TRUTH).loss.backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
    assert torch.equal(before, model.ngrams.weight)
    classifier.export(model.eval(), tmp_path / "model", reader, 1.5, settings)
    write_card(tmp_path / "model", kind="sentiment", name="c", command="pytest", seed=0, config={"max_tokens": 40})
    ours = classifier.logits_of(model, TEXTS, reader, 40)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model", dtype=torch.float32).eval()
    np.testing.assert_allclose(classifier.logits_of(loaded, TEXTS, reader, 40), ours, atol=0.02)
    np.testing.assert_allclose(Classifier(str(tmp_path / "model"), "sentiment").logits(TEXTS), ours / 1.5, atol=0.02)
