"""Recommenders trained for real, in miniature: what a run leaves, what it refuses, what it learns."""

import datetime
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # train_fakes: a module that workers import by name

from artifacts.card import verify
from demo.shop import build
from retrieval import tables
from retrieval.recommenders import registry
from retrieval.recommenders.contract import History
from train.recommender import RecommenderConfig, train
from train.run.settings import ConfigError, load_config
from train.shoppers import choices
from train.shoppers.sampled_softmax import Negatives, sampled_softmax

CONFIGS = Path(__file__).parents[2] / "train" / "configs"
LOOP = 12
"""Products that follow each other round and round: what comes next is certain."""


@pytest.fixture(scope="module")
def rounds(tmp_path_factory) -> Path:
    """Shoppers who take five products in a row, round the loop."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("rounds") / "rounds.txt"
    starts = rng.integers(0, LOOP, 300)
    path.write_text("".join(f"u{i} {' '.join(str(int(start + step) % LOOP + 1) for step in range(5))}\n" for i, start in enumerate(starts)))
    return path


def config(directory: Path, data: Path, **changes: object) -> RecommenderConfig:
    common = {"name": "tiny", "out": directory / "model", "storage": str(directory / "runs"), "data": data, "threads_per_worker": 1}
    return RecommenderConfig.model_validate({**common, "max_failures": 0, **changes})


@pytest.mark.ray
def test_the_sequence_model_learns_what_comes_next(ray_cluster, rounds, tmp_path):
    small = {"dim": 16, "layers": 1, "dropout": 0.1, "negatives": 32, "epochs": 12, "batch_size": 32, "learning_rate": 0.01}
    card = train(config(tmp_path, rounds, model="sequence", workers=2, **small))
    assert card.metrics["before_test_hr_5"] < 0.9
    assert card.metrics["test_hr_5"] > 0.95
    fitted = registry.load(tmp_path / "model")
    assert verify(tmp_path / "model", registry.KIND) == card
    row = {product_id: place for place, product_id in enumerate(fitted.product_ids)}
    latest = History(np.array([row["3"], row["4"]]), np.ones(2, np.float32), np.zeros(2, np.float32))
    scores = fitted.model.scores([latest])[0]
    scores[latest.rows] = -np.inf
    assert fitted.product_ids[scores.argmax()] == "5"


def test_a_hybrid_trains_its_parts_and_is_served_with_parts_that_saw_everything(shop, tmp_path):
    parts = {"popularity": {}, "als": {"dim": 4, "iterations": 3}}
    card = train(config(tmp_path, shop, model="hybrid", parts=parts, exam_days=20, workers=0))
    fitted = registry.load(tmp_path / "model")
    assert list(fitted.model.parts) == ["popularity", "als"]
    assert card.metrics["validation_ndcg_10"] > 0 and card.metrics["validation_visit_ndcg_10"] > 0
    assert not any(name.startswith("test_") for name in card.metrics), "what is served saw everything: nothing is left to test it on"
    assert {path.parent.name for path in (tmp_path / "runs" / "tiny-parts").rglob("card.json")} == {"popularity", "als"}
    assert verify(tmp_path / "runs" / "tiny-parts" / "early" / "als", registry.KIND).metrics["test_recall_20"] >= 0
    assert (tmp_path / "model" / "encoder" / "encoder.json").is_file(), "new products are read with the encoder of training"


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("sample") / "shop"
    build(directory, today=datetime.date(2026, 1, 20), render=_no_picture, num_shoppers=200)
    return directory


def _no_picture(shape: str, colour: str, pattern: str, directory: Path, stem: str, seed: int) -> list[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{stem}-front.png"
    path.write_text(f"{shape} {colour} {pattern} {seed}")
    return [path]


def test_what_cannot_work_is_refused_with_key_value_and_remedy(tmp_path, rounds):
    with pytest.raises(ValueError, match="workers = 2: als is solved by one worker"):
        config(tmp_path, rounds, model="als", workers=2)
    with pytest.raises(ValueError, match=r"parts = \['als'\]: a hybrid blends two"):
        config(tmp_path, rounds, model="hybrid", parts={"als": {}})
    with pytest.raises(ValueError, match=r"test = .*: a hybrid's weights need choices held back"):
        config(tmp_path, rounds, model="hybrid", parts={"als": {}, "popularity": {}}, test=rounds)
    with pytest.raises(ValueError, match="heads = 3: must divide dim = 64"):
        config(tmp_path, rounds, model="sequence", heads=3)


def test_a_bad_setting_of_a_part_is_named(tmp_path, rounds):
    with pytest.raises(ConfigError, match=r"parts\.second\.model = 'second': .*change it"):
        train(config(tmp_path, rounds, model="hybrid", parts={"als": {}, "second": {}}))
    with pytest.raises(ConfigError, match=r"parts\.als\.iterations = 0: .* greater than or equal to 1; change it"):
        train(config(tmp_path, rounds, model="hybrid", parts={"als": {"iterations": 0}, "popularity": {}}))


@pytest.mark.parametrize("name", ["recommender.yaml", "recommender_sequence.yaml", "recommender_published.yaml"])
def test_the_shipped_configs_are_valid(name, rounds):
    given = {"data": str(rounds)} | ({"attributes": str(rounds)} if name != "recommender.yaml" else {})
    assert load_config(RecommenderConfig, CONFIGS / name, given).out.name


def test_an_exam_lies_after_its_training_data(shop):
    early = choices.of_shop(shop, hold_back_days=40, exam_days=20)
    late = choices.of_shop(shop, hold_back_days=20, exam_days=20)
    everything = choices.of_shop(shop)
    sizes = [sum(map(len, data.training.histories)) for data in (early, late, everything)]
    assert sizes[0] < sizes[1] < sizes[2]
    assert everything.exams == ()
    known = [set(history.rows.tolist()) for history in late.training.histories]
    assert any(late.exams[0].targets)
    assert all(not taken & before for taken, before in zip(late.exams[0].targets, known, strict=True)), "nothing seen is asked for"


def test_a_shop_is_also_asked_in_the_middle_of_visits_unless_its_log_has_none(shop, tmp_path):
    asked = {exam.name: exam for exam in choices.of_shop(shop, hold_back_days=20, exam_days=20).exams}[choices.VISIT]
    told = [history for history, wanted in zip(asked.histories, asked.targets, strict=True) if wanted]
    assert told and all(history.in_visit for history in told)
    for name in ("products", "shoppers", "events"):
        tables.write(tmp_path, name, tables.read(shop, name))
    events = tables.read(shop, "events")
    days = pc.floor_temporal(events["at"], unit="day")
    tables.write(
        tmp_path, "events", events.set_column(events.schema.get_field_index("at"), "at", days.cast(events.schema.field("at").type))
    )
    assert [exam.name for exam in choices.of_shop(tmp_path, hold_back_days=20, exam_days=20).exams] == ["test"]


def test_a_published_train_and_test_split_is_judged_on_its_test_file(rounds, tmp_path):
    test = tmp_path / "test.txt"
    test.write_text("u0 1 2\nstranger 3\n")
    data = choices.of_file(rounds, test=test)
    assert len(data.exams[0].histories) == 1, "a user without training data can't be judged"
    assert len(data.training.histories[0]) == 5


def test_negatives_follow_popularity_and_are_the_same_for_the_same_key():
    import torch

    history = History(np.array([0] * 90 + [1] * 10), np.ones(100, np.float32), np.zeros(100, np.float32))
    drawing = Negatives([history], 3, 4000)
    drawn = drawing.draw(1, 2)
    assert torch.equal(drawn, drawing.draw(1, 2))
    assert not torch.equal(drawn, drawing.draw(1, 3))
    shares = torch.bincount(drawn, minlength=4)[1:] / 4000
    assert shares.tolist() == pytest.approx([91 / 103, 11 / 103, 1 / 103], abs=0.03)


def test_sampled_softmax_over_all_products_is_the_softmax_with_popularity_taken_out():
    import torch

    torch.manual_seed(0)
    queries, products = torch.randn(5, 4), torch.randn(8, 4)
    targets = torch.tensor([1, 2, 3, 4, 5])
    everyone = torch.arange(1, 8)
    found = sampled_softmax(queries, products, targets, everyone, torch.zeros(8))
    exact = torch.nn.functional.cross_entropy(queries @ products[1:].T, targets - 1)
    assert float(found) == pytest.approx(float(exact), abs=1e-5)
