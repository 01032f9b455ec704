"""The scorers from scratch: each learns, is the same after saving, reads padding as nothing, and says in ONNX what it says in torch."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from artifacts.card import read_card, verify, write_card
from serve.scorers.classifier import Classifier
from train.run.settings import ConfigError
from train.texts import classifier
from train.texts.classifier import ClassifierConfig
from train.texts.onnx_form import ONNX, add_onnx, write_onnx
from train.texts.vocabulary import UNKNOWN, train_reader

ARCHITECTURES = ("modernbert", "gru", "textcnn")
LABELS = ("negative", "positive")
GOOD, BAD = ("很好喝", "超级喜欢", "works well", "love it"), ("太难喝了", "不好用", "broke at once", "waste of money")
TEXTS = [f"{text}，{tail}" for text in (*GOOD, *BAD) for tail in ("昨天买的", "as a gift", "第二次买", "for my desk")]
TRUTH = torch.tensor([int(text.split("，")[0] in GOOD) for text in TEXTS])


def config(architecture, **settings):
    sizes = {"hidden_size": 32, "layers": 1, "heads": 2, "intermediate_size": 32, "vocabulary": 300, "max_tokens": 40, "dropout": 0.0}
    return ClassifierConfig(name="c", out=Path("out"), architecture=architecture, **(sizes | settings))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def trained(request, tmp_path_factory):
    """(directory, model, tokenizer) of each architecture after forty steps on a few sentences."""
    torch.manual_seed(0)
    settings = config(request.param)
    tokenizer, model = classifier.start(settings, "sentiment", LABELS, "single_label_classification", TEXTS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batch = classifier.encode(TEXTS, tokenizer, 40)
    for _ in range(40):
        optimizer.zero_grad()
        model(**batch, labels=TRUTH).loss.backward()
        optimizer.step()
    directory = tmp_path_factory.mktemp(request.param) / "model"
    classifier.export(model.eval(), directory, tokenizer, 1.25, settings)
    write_card(directory, kind="sentiment", name="c", command="pytest", seed=0, config={"max_tokens": 40})
    return directory, model, tokenizer


def test_it_learns(trained):
    _, model, tokenizer = trained
    assert (classifier.logits_of(model, TEXTS, tokenizer, 40).argmax(1) == TRUTH.numpy()).all()


def test_padding_changes_nothing(trained):
    _, model, tokenizer = trained
    alone = classifier.logits_of(model, TEXTS[:1], tokenizer, 40)
    padded = classifier.logits_of(model, [TEXTS[0], "很" * 39], tokenizer, 40)[:1]
    np.testing.assert_allclose(alone, padded, atol=1e-4)


def test_what_is_saved_is_what_was_trained(trained):
    directory, model, tokenizer = trained
    loaded = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
    held = AutoTokenizer.from_pretrained(directory)
    np.testing.assert_allclose(classifier.logits_of(loaded, TEXTS, held, 40), classifier.logits_of(model, TEXTS, tokenizer, 40), atol=0.02)
    assert loaded.config.id2label == dict(enumerate(LABELS))


def test_serving_gives_the_same_logits_by_onnx_runtime(trained):
    directory, model, tokenizer = trained
    served = Classifier(str(directory), "sentiment")
    assert served.labels == LABELS
    ours = classifier.logits_of(model, TEXTS, tokenizer, 40) / 1.25
    np.testing.assert_allclose(served.logits(TEXTS), ours, atol=0.02)
    assert served.logits(["", "很" * 400]).shape == (2, 2)


def test_the_onnx_form_keeps_its_large_weights_in_half_precision(trained):
    directory, model, _ = trained
    weights = sum(parameter.numel() for parameter in model.parameters())
    assert (directory / ONNX).stat().st_size < 4 * weights + 250_000  # with fp32 weights and a graph it would be more


def test_a_model_without_its_onnx_form_gets_one_and_a_card_for_it(trained, tmp_path):
    directory = shutil.copytree(trained[0], tmp_path / "model")
    before = read_card(directory)
    (directory / ONNX).unlink()
    (directory / "card.json").unlink()
    write_card(directory, kind="sentiment", name="c", command="pytest", seed=3, config={"max_tokens": 40}, metrics={"accuracy": 0.5})
    card = add_onnx(directory)
    assert verify(directory, "sentiment").files.keys() == before.files.keys()
    assert (card.seed, card.metrics, card.config) == (3, {"accuracy": 0.5}, {"max_tokens": 40})
    assert not directory.with_name("model.partial").exists()


def test_equal_models_have_equal_onnx_forms_in_every_process(tmp_path):
    """ModernBERT goes through a set of kinds of layers, in an order of its own in each process."""
    _, model = classifier.start(config("modernbert", layers=4), "sentiment", LABELS, "single_label_classification", TEXTS)
    model.save_pretrained(tmp_path)
    script = (
        "import sys; from pathlib import Path; from transformers import AutoModelForSequenceClassification as Model; "
        "from train.texts.onnx_form import write_onnx; write_onnx(Model.from_pretrained(sys.argv[1]).eval(), Path(sys.argv[1]))"
    )
    forms = set()
    for seed in "1", "2":
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, env=os.environ | {"PYTHONHASHSEED": seed})
        forms.add((tmp_path / ONNX).read_bytes())
    assert len(forms) == 1


def test_logits_that_differ_are_refused_and_leave_no_file(tmp_path, monkeypatch):
    class Liar:
        def __init__(self, *_, **__):
            pass

        def run(self, _, fed):
            return [np.full((len(fed["input_ids"]), 2), 9.0)]

    _, model = classifier.start(config("textcnn"), "sentiment", LABELS, "single_label_classification", TEXTS)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Liar)
    with pytest.raises(ConfigError, match=r"onnx = True: logits of TextCnn.* differ by .*--set onnx=false"):
        write_onnx(model.eval(), tmp_path)
    assert not (tmp_path / ONNX).exists()


def test_a_base_with_other_labels_keeps_its_encoder_and_gets_a_new_last_layer(trained):
    directory, _, _ = trained
    settings = config("modernbert", base=directory)
    same = classifier.start(settings, "sentiment", LABELS, "single_label_classification")[1]
    other = classifier.start(settings, "sentiment", ("negative", "neutral", "positive"), "single_label_classification")[1]
    assert (same.config.num_labels, other.config.num_labels) == (2, 3)
    assert torch.equal(same.get_input_embeddings().weight, other.get_input_embeddings().weight)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"hidden_size = 30 is no multiple of heads = 4; change one of them"):
        config("modernbert", hidden_size=30, heads=4)


def test_a_reader_s_tokenizer_puts_width_and_case_aside_and_knows_what_it_does_not_know(tmp_path):
    tokenizer = train_reader([*TEXTS, *TEXTS, *TEXTS], 300)
    assert tokenizer("ＬＯＶＥ it")["input_ids"] == tokenizer("love it")["input_ids"]
    assert UNKNOWN in tokenizer.convert_ids_to_tokens(tokenizer("𠮷")["input_ids"])
    tokenizer.save_pretrained(tmp_path)
    assert len(json.loads((tmp_path / "tokenizer.json").read_text())["model"]["vocab"]) <= 300
    with pytest.raises(ValueError, match="no text to learn a tokenizer from"):
        train_reader([], 300)
