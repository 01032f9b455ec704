"""Adversarial training: the move hurts, is as long as it was asked to be, leaves nothing behind, and training by it resists it."""

from pathlib import Path

import pytest
import torch

from train.texts import classifier
from train.texts.adversarial import attacked, hardened
from train.texts.classifier import ClassifierConfig

TEXTS = [f"{mood} {thing}" for mood in ("good", "bad") for thing in ("tea", "coat", "lamp", "bag", "shoe", "hat")]
LABELS = torch.tensor([0] * 6 + [1] * 6)
SIZES = {"vocabulary": 300, "hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 16, "max_tokens": 16, "dropout": 0.0}


def loss(model, batch):
    return model(**batch).loss


def start(architecture, seed=0):
    torch.manual_seed(seed)
    config = ClassifierConfig(name="c", out=Path("out"), architecture=architecture, **SIZES)
    tokenizer, model = classifier.start(config, "sentiment", ("good", "bad"), "single_label_classification", TEXTS * 3)
    return model, classifier.encode(TEXTS, tokenizer, 16) | {"labels": LABELS}


def trained(architecture, size):
    model, batch = start(architecture)
    step = hardened(loss, size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        step(model.train(), batch).backward()
        optimizer.step()
    return model.eval(), batch


@pytest.mark.parametrize("architecture", ["modernbert", "gru", "textcnn"])
def test_the_move_hurts_and_leaves_nothing_behind(architecture):
    model, batch = start(architecture)
    plain = float(loss(model.eval(), batch))
    assert float(attacked(loss, model, batch, 0.2)) > plain
    assert float(loss(model, batch)) == plain
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_text_s_move_has_the_length_that_was_asked_for():
    model, batch = start("textcnn")
    layer, outputs = model.get_input_embeddings(), []
    with torch.no_grad():
        before = layer(batch["input_ids"])

    def noted(model, batch):
        handle = layer.register_forward_hook(lambda *given: outputs.append(given[-1].detach()))  # after the one that moves
        try:
            return loss(model, batch)
        finally:
            handle.remove()

    attacked(noted, model.eval(), batch, 0.25)
    moved = (outputs[-1] - before).flatten(1).norm(dim=1)
    torch.testing.assert_close(moved, 0.25 * before.flatten(1).norm(dim=1), rtol=1e-4, atol=1e-5)


def test_no_move_is_the_plain_loss():
    assert hardened(loss, 0.0) is loss


def test_training_by_it_resists_it():
    hurt = {}
    for size in (0.0, 0.3):
        model, batch = trained("modernbert", size)
        hurt[size] = float(attacked(loss, model, batch, 0.3))
    assert hurt[0.3] < 0.5 * hurt[0.0]
