"""The sentiment scorer's data: what is held out holds clauses that no training text has, of the base model and of its fine-tuning alike."""

import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from demo.reviews import polarity_of
from demo.training_data import clauses_set_aside, write_reviews, write_sentiment
from retrieval import tables
from retrieval.features import consenting
from tests.demo.conftest import TODAY
from tests.fakes import ROOT

NOW = datetime.datetime.combine(TODAY, datetime.time(12, tzinfo=datetime.UTC))


@pytest.fixture(scope="module")
def reviews(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    return pq.read_table(write_reviews(shop, tmp_path_factory.mktemp("training"), NOW)).to_pylist()


def test_a_review_is_held_out_where_it_has_a_clause_that_the_base_model_never_read(tmp_path: Path, reviews: list[dict]):
    base = pq.read_table(write_sentiment(tmp_path, 11, 6000)).to_pylist()
    read_in_training = " ".join(row["text"].lower() for row in (*base, *reviews) if not row["held_out"])
    aside = clauses_set_aside(11)
    assert not [clause for clause in aside if clause in read_in_training]
    held_out = [row["text"].lower() for row in reviews if row["held_out"]]
    assert all(any(clause in text for clause in aside) for text in held_out)
    assert 0.08 < len(held_out) / len(reviews) < 0.25


def test_only_reviews_of_consenting_shoppers_are_written_once_with_their_stars_as_labels(shop: Path, reviews: list[dict]):
    consent = set(consenting(tables.read(shop, "shoppers"), NOW)["shopper_id"].to_pylist())
    events = [event for event in tables.read(shop, "events").to_pylist() if event["kind"] == "review"]
    expected = {(event["text"], polarity_of(int(event["value"]))) for event in events if event["shopper_id"] in consent}
    assert {(row["text"], row["label"]) for row in reviews} == expected
    assert {event["text"] for event in events if event["shopper_id"] not in consent} - {text for text, _ in expected}


def test_the_demonstration_fine_tunes_on_the_file_that_it_writes():
    config = yaml.safe_load((ROOT / "train" / "configs" / "demo_sentiment.yaml").read_text(encoding="utf-8"))
    assert config["data"] == "var/training/reviews.parquet"
