"""The judge of 10,000 answers counts every line: answered, at fault, or not answered and why."""

import json
from pathlib import Path

import yaml

from benchmarks.catalogues import config_for, figures_of, lines
from retrieval.catalogue import Catalogue
from serve.config import parse
from serve.messages import CopyRequest
from tests.benchmarks.test_answers import answer_of, choice_of
from tests.fakes import make_product, product_rows


def test_every_request_is_valid_and_two_of_three_name_a_product(tmp_path):
    catalogue = Catalogue(product_rows([make_product(locale="en-US")]), tmp_path)
    bodies = [json.loads(line)["body"] for line in lines(catalogue, 300)]
    assert [CopyRequest(**body).seed for body in bodies] == list(range(300))
    assert sum("product_id" in body for body in bodies) == 200
    assert len({(body["channel"], body["locale"]) for body in bodies}) == 33


def test_what_is_at_fault_or_was_not_answered_is_counted(tmp_path):
    catalogue = Catalogue(product_rows([make_product(locale="en-US", stock=7, rating=4.8, rating_count=1284)]), tmp_path)
    good, bad = choice_of("{name}, {price}."), choice_of("{name}")
    bad |= {"text": bad["text"] + ", 95% off", "origin": "template", "reasons": ["cut 'best': house.claim"]}
    nameless = {"errors": [{"detail": "its name can't stand in copy: ['{']"}]}
    replies = [
        {"status": 200, "body": answer_of(good)},
        {"status": 200, "body": answer_of(bad) | {"degraded": ["generator: gone"]}},
        {"status": 422, "body": nameless},
        {"status": 503, "body": {"errors": [{"detail": "too busy"}]}},
    ]
    figures = figures_of(replies, catalogue)
    assert (figures["requests"], figures["answers"], figures["choices"]) == (4, 2, 2)
    assert (figures["ungrounded_number_choices"], figures["unfilled_slot_choices"]) == (1, 0)
    assert (figures["repaired_choices_percent"], figures["first_by_the_model_percent"], figures["degraded_answers"]) == (50.0, 50.0, 1)
    assert (figures["name_can_not_stand_in_copy"], figures["otherwise_unanswered"]) == (1, 1)


def test_the_graph_that_is_measured_has_the_shipped_models_and_this_shop(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.catalogues.VAR", tmp_path)
    path = config_for("mine", tmp_path / "shop", tmp_path / "index")
    settings = parse(yaml.safe_load(path.read_text())["applications"][0]["args"])
    assert settings.shop == tmp_path / "shop"
    assert Path(settings.generator.model).name == "generator"
    assert settings.state == f"sqlite:///{tmp_path}/shops/mine-state.db"
