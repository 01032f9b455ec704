"""Differentially private steps: what is spent, what one example can do, what is refused, and a run from end to end."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from opacus.accountants import PRVAccountant
from responsekit import config_for, table
from torch import nn

from artifacts.response import ResponseModel
from train import sentiment
from train.job import launch
from train.response import make
from train.run.private import CountingOptimizer, PerExample, PrivateSteps, epsilon_of, noise_for
from train.run.private_settings import Privacy, TextPrivacy
from train.run.settings import ConfigError
from train.sentiment import KIND, SentimentConfig, loop
from train.shoppers.response_private import grouped
from train.texts import labelled_loop
from train.texts.classifier import ClassifierConfig, encode, start

TEXTS = ("fine and good", "bad", "很好用，喜欢", "不好")


def squares(model, batch):
    return ((model(batch["points"]) - batch["sums"]) ** 2).mean()


def line() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def points(count: int, scale: float = 1.0) -> dict[str, torch.Tensor]:
    drawn = torch.randn(count, 3, generator=torch.Generator().manual_seed(1)) * scale
    return {"points": drawn, "sums": drawn.sum(1, keepdim=True)}


def steps(model: nn.Module, **changed) -> PrivateSteps:
    settings = {"units": 400, "batch_size": 20, "steps": 10} | changed
    return PrivateSteps(model, torch.optim.SGD(model.parameters(), lr=1.0), squares, Privacy(target_epsilon=2.0), **settings)


# What is spent


def test_epsilon_is_what_opacus_own_accountant_says():
    accountant = PRVAccountant()
    for _ in range(30):
        accountant.step(noise_multiplier=1.1, sample_rate=0.05)
    assert epsilon_of([(1.1, 0.05, 30)], 1e-4) == accountant.get_epsilon(1e-4)
    assert epsilon_of([], 1e-4) == 0


def test_the_noise_spends_the_budget_and_no_more():
    noise = noise_for(2.0, 1e-4, 0.05, 60)
    assert 1.9 < epsilon_of([(noise, 0.05, 60)], 1e-4) <= 2.0
    assert epsilon_of([(noise, 0.05, 30)], 1e-4) < 1.7


def test_every_step_is_counted_and_an_empty_batch_is_a_step_with_noise():
    model = line()
    guard = steps(model)
    before = model.weight.detach().clone()
    assert guard.step([]) == (0.0, 0)
    assert not torch.equal(model.weight, before)
    guard.step([points(3), points(2)])
    assert guard.optimizer.accountant.history == [(guard.optimizer.noise_multiplier, 0.05, 2)]
    spent = guard.spent()
    assert spent["delta"] == 1e-3 and spent["epsilon"] == epsilon_of(guard.optimizer.accountant.history, 1e-3)
    assert 0 < spent["epsilon"] < 2.0


def test_a_resumed_run_counts_on_and_one_with_other_settings_is_refused():
    guard = steps(line())
    for _ in range(4):
        guard.step([points(5)])
    state = guard.optimizer.state_dict()
    resumed = steps(line())
    resumed.optimizer.load_state_dict(state)
    resumed.step([points(5)])
    assert resumed.optimizer.accountant.history[0][2] == 5
    with pytest.raises(ConfigError, match=r"resume with the epochs, batch_size, data and private settings of its start"):
        steps(line(), batch_size=40).optimizer.load_state_dict(state)


@pytest.mark.parametrize(("units", "delta"), [(999, 1e-3), (1000, 1e-4), (1001, 1e-4), (48_000, 1e-5)])
def test_delta_is_the_largest_power_of_ten_below_one_over_the_units(units, delta):
    assert Privacy(target_epsilon=1.0).delta_for(units) == pytest.approx(delta)
    assert Privacy(target_epsilon=1.0).delta_for(units) < 1 / units


# What one example can do


def test_batches_are_drawn_by_chance_with_the_sample_rate_and_not_by_the_seed():
    torch.manual_seed(0)
    first = [drawn for drawn, _ in zip(steps(line()).drawn(), range(300), strict=False)]
    torch.manual_seed(0)
    second = [drawn for drawn, _ in zip(steps(line()).drawn(), range(300), strict=False)]
    sizes = np.array([len(drawn) for drawn in first])
    assert first != second
    assert sizes.mean() == pytest.approx(20, abs=1.5) and sizes.std() == pytest.approx(np.sqrt(400 * 0.05 * 0.95), rel=0.25)
    assert np.bincount(np.concatenate(first), minlength=400).max() < 45  # no example is drawn much more often than the others


def without_noise(model: nn.Module) -> CountingOptimizer:
    sgd = torch.optim.SGD(model.parameters(), lr=1.0)
    return CountingOptimizer(sgd, sample_rate=0.1, noise_multiplier=0.0, max_grad_norm=0.5, expected_batch_size=4)


def moved(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """How far a step without noise moves the weights."""
    model = line()
    optimizer, before = without_noise(model), torch.cat([each.detach().flatten() for each in model.parameters()])
    PerExample(model, squares)(batch)
    optimizer.step()
    return torch.cat([each.detach().flatten() for each in model.parameters()]) - before


def test_a_gradient_is_clipped_for_each_example_by_itself():
    near, far = points(1), points(1, scale=1000.0)
    assert moved(far).norm() == pytest.approx(0.5 / 4, rel=1e-3)  # clipped to 0.5, over the expected batch of 4
    both = {key: torch.cat([near[key], far[key]]) for key in near}
    assert torch.allclose(moved(both), moved(near) + moved(far), atol=1e-6)


def test_a_planted_outlier_moves_a_step_by_no_more_than_the_bound():
    ordinary = points(6)
    planted = {key: torch.cat([ordinary[key], value]) for key, value in points(1, scale=1e6).items()}
    assert (moved(planted) - moved(ordinary)).norm() <= 0.5 / 4 * 1.001


def test_the_noise_has_the_size_that_epsilon_is_computed_from():
    model = nn.Linear(100, 100)
    guard = steps(model, batch_size=20)
    before = model.weight.detach().clone()
    guard.step([])
    assert (model.weight - before).std().item() == pytest.approx(guard.optimizer.noise_multiplier * 1.0 / 20, rel=0.05)


def classifier_of(architecture: str, directory: Path):
    config = ClassifierConfig(
        name="s", out=directory / "out", tokenizer=directory, architecture=architecture, hidden_size=16, layers=1, heads=2,
        intermediate_size=16, ngram_buckets=1024, dropout=0.0, onnx=False,
    )  # fmt: skip
    torch.manual_seed(0)
    tokenizer, model = start(config, KIND, ("negative", "positive"), "single_label_classification")
    return model, encode(TEXTS, tokenizer, 32) | {"labels": torch.tensor([1, 0, 1, 0])}


@pytest.mark.parametrize(("architecture", "stacks"), [("textcnn", True), ("gru", False), ("modernbert", False)])
def test_each_example_s_gradient_is_that_of_the_example_alone(tokenizer_directory, architecture, stacks):
    model, batch = classifier_of(architecture, tokenizer_directory)
    gradients = PerExample(model, lambda model, batch: model(**batch).loss)
    losses = gradients(batch)
    assert gradients.stacks is stacks
    for number in range(len(TEXTS)):
        model.zero_grad()
        loss = model(**{key: value[number : number + 1] for key, value in batch.items()}).loss
        loss.backward()
        assert losses[number].item() == pytest.approx(loss.item(), rel=1e-4)
        for name, parameter in model.named_parameters():
            alone = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            assert torch.allclose(parameter.grad_sample[number], alone, atol=1e-5), name


def test_a_model_with_batch_statistics_is_refused():
    with pytest.raises(ValueError, match="'1' computes statistics over a batch"):
        PerExample(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), squares)


# What is refused


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"workers": 2}, "workers = 2: .* pass --set workers=1"),
        ({"optimizer": "muon"}, "optimizer = 'muon'"),
        ({"precision": "bf16"}, "precision = 'bf16'"),
        ({"adversarial": 0.1}, "adversarial = 0.1"),
        ({"tokenizer": None}, "a tokenizer learned from the training texts would publish their words"),
        ({"private": {"target_epsilon": 0}}, "greater than 0"),
        ({"private": {"target_epsilon": 1, "covers": "everything"}}, "covers is what the card says"),
    ],
)
def test_settings_that_would_undo_it_are_refused(tmp_path, tokenizer_directory, changed, said):
    data = tmp_path / "data.jsonl"
    data.touch()
    settings = {"name": "s", "out": tmp_path / "out", "data": data, "tokenizer": tokenizer_directory, "private": {"target_epsilon": 1}}
    SentimentConfig.model_validate(settings)
    with pytest.raises(ValueError, match=said):
        SentimentConfig.model_validate(settings | changed)


def test_a_delta_that_allows_publishing_somebody_and_a_batch_of_everybody_are_refused():
    with pytest.raises(ConfigError, match=r"private.delta = 0.01: is no less than 1/100"):
        TextPrivacy(target_epsilon=1, delta=0.01).delta_for(100)
    with pytest.raises(ConfigError, match=r"batch_size = 400: is no less than the 400 units"):
        steps(line(), batch_size=400)


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"model": "all"}, "model = 'all'"), ({"model": "gradient_boosting"}, "trees"), ({"features": "auto"}, "features = 'auto'"),
     ({"propensity": "price"}, "propensity = 'price'")],
)  # fmt: skip
def test_response_settings_that_look_at_the_rows_are_refused(tmp_path, changed, said):
    settings = {"model": "logistic", "features": ["channel", "price"], "private": {"target_epsilon": 1}}
    with pytest.raises(ValueError, match=said):
        config_for(tmp_path, table(100), **(settings | changed))


# From end to end


def test_who_else_is_in_a_batch_tells_nothing_of_what_is_hidden(tmp_path, tokenizer_directory, monkeypatch):
    """By the seed on the card anybody could tell what is hidden; of a private run nobody can, and no two runs hide the same."""
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(json.dumps({"text": f"thing {i}", "label": ("negative", "positive")[i % 2]}) for i in range(40)))
    settings = {"name": "p", "out": tmp_path / "out", "data": data, "tokenizer": tokenizer_directory, "architecture": "textcnn",
                "hidden_size": 8, "heads": 1, "ngram_buckets": 1024, "word_dropout": 0.5}  # fmt: skip

    def hidden(**more):
        config, caught = SentimentConfig.model_validate(settings | more), []
        monkeypatch.setattr(sentiment, "tell", lambda record: None)
        monkeypatch.setattr(labelled_loop, "fit", lambda _, __, recipe: caught.append(recipe.batch(range(30), 0)["attention_mask"]))
        loop(config)
        return caught[0]

    assert torch.equal(hidden(), hidden())
    private = {"private": {"target_epsilon": 8.0}, "workers": 1, "precision": "fp32"}
    assert not torch.equal(hidden(**private), hidden(**private))


def test_a_shopper_s_rows_are_one_unit_and_no_more_than_asked_for():
    rows = [torch.arange(7), torch.arange(7.0)[:, None], torch.ones(7), torch.ones(7)]
    units = np.array(["a", "b", "a", "a", "c", "b", "a"])
    found = grouped(rows, units, 2, seed=0)
    assert found["codes"].shape == (3, 2) and found["values"].shape == (3, 2, 1)
    assert found["weights"].sum(1).tolist() == [2.0, 2.0, 1.0]
    assert set(found["codes"][0].tolist()) <= {0, 2, 3, 6} and sorted(found["codes"][1].tolist()) == [1, 5]


@pytest.mark.parametrize("model", ["logistic", "factorisation_machine"])
def test_a_private_response_model_learns_and_says_what_it_spent(tmp_path, model):
    settings = {"target_epsilon": 8.0, "batch_size": 64, "epochs": 15}
    config = config_for(tmp_path, table(4000), model=model, features=["channel", "member", "principles", "price"], private=settings)
    card = make(config)
    assert 7.5 < card.metrics["epsilon"] <= 8.0 and card.metrics["delta"] == 1e-3
    assert card.metrics["test_roc_auc"] > 0.6
    assert card.data_hash == "" and "happened" not in card.metrics
    assert "with all its training rows" in card.config["private"]["unit"] and "Not covered" in card.config["private"]["covers"]
    chances = ResponseModel.read(config.out).probability([{"channel": "push", "member": True, "principles": [], "price": 3.0}])
    assert 0 < chances[0] < 1


def test_a_private_sentiment_model_is_trained_from_end_to_end(tmp_path, tokenizer_directory):
    data = tmp_path / "data.jsonl"
    rows = [{"text": f"{('bad', 'good')[i % 2]} thing {i}", "label": ("negative", "positive")[i % 2]} for i in range(300)]
    data.write_text("\n".join(map(json.dumps, rows)))
    config = SentimentConfig(
        name="private", out=tmp_path / "out", storage=str(tmp_path / "runs"), data=data, tokenizer=tokenizer_directory,
        architecture="textcnn", hidden_size=8, heads=1, ngram_buckets=1024, dropout=0.0, batch_size=64, accumulate=4, epochs=12,
        learning_rate=0.02, threads_per_worker=1, workers=0, precision="fp32", onnx=False, private=TextPrivacy(target_epsilon=8.0),
    )  # fmt: skip
    card = launch(loop, config, kind=KIND, data=[tokenizer_directory])
    assert 7 < card.metrics["epsilon"] <= 8.0 and card.metrics["delta"] == 1e-3
    assert card.metrics["step"] == 48 and card.metrics["sample_rate"] == pytest.approx(64 / 270, abs=1e-5)
    assert "Not covered: the held-out texts" in card.config["private"]["covers"]
