"""What `serve/errors.py` promises, one behaviour a test."""

import json
import pickle

import pytest

from serve.errors import FieldError, Problem, StageUnavailable, invalid, unavailable, unknown


@pytest.mark.parametrize(
    "problem",
    [
        invalid("query", "yacht", "nothing fits", "ask again"),
        unknown("product_id", "yacht", "name one"),
        unavailable("retrieval", "too busy"),
    ],
)
def test_a_problem_crosses_processes_whole(problem: Problem):
    back = pickle.loads(pickle.dumps(problem))
    assert type(back) is Problem
    assert vars(back) == vars(problem)
    assert str(back) == str(problem)


def test_a_missing_stage_crosses_processes_whole():
    back = pickle.loads(pickle.dumps(StageUnavailable("fusion", "too busy")))
    assert (back.stage, back.reason) == ("fusion", "too busy")


def test_the_document_of_a_problem():
    body = unknown("product_id", "yacht", "name a product of the catalogue").body("request-1")
    assert (body["status"], body["code"], body["type"]) == (404, "unknown_product", "urn:suasion:problem:unknown_product")
    error = {"field": "product_id", "value": "yacht", "detail": "is not known", "remedy": "name a product of the catalogue"}
    assert (body["errors"], body["request_id"]) == ([error], "request-1")
    assert json.dumps(body)


def test_each_kind_has_its_status():
    assert (invalid("a", 1, "b", "c").status, unknown("a_id", "1", "c").status, unavailable("a", "b").status) == (422, 404, 503)
    assert unavailable("a", "b").retry_after_s == 2
    assert invalid("a", 1, "b", "c").retry_after_s is None


def test_the_message_for_logs_names_field_value_and_remedy():
    problem = Problem(422, "c", "Not valid", (FieldError("n", 9, "more than 8", "ask for less"),))
    assert all(words in str(problem) for words in ("Not valid", "n=9", "more than 8", "ask for less"))
