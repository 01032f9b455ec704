"""HTTP around a pipeline of fakes: every answer has an id, whatever goes wrong is problem+json, and nothing unbounded is read."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from serve.framing import MAX_BODY_BYTES, framed
from serve.messages import CopyRequest
from serve.pipeline import Pipeline
from serve.telemetry import telemetry
from serve.templates import Templates
from tests.fake_stages import FakeStages
from tests.fakes import make_product, percent_off

COAT = make_product(offer=percent_off(20))


@pytest.fixture
def client() -> Iterator[TestClient]:
    """The routes of an application as ingress has them, with a fault built in."""
    app = framed(FastAPI())
    stages = FakeStages(COAT, ["{name}，今天的风有点凉"])
    pipeline = Pipeline(stages.stages(), Templates([]), prompt_style="compact", spare_drafts=0, versions={})

    @app.post("/v1/copy")
    async def copy(body: CopyRequest, request: Request) -> dict[str, object]:
        return (await pipeline.answer(body, request.state.request_id)).model_dump()

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError("secret words of a shopper")

    with TestClient(app, raise_server_exceptions=False) as connected:
        yield connected


def post(client: TestClient, content: bytes):
    return client.post("/v1/copy", content=content, headers={"content-type": "application/json"})


def test_a_good_request_is_answered_under_the_callers_id(client):
    response = client.post("/v1/copy", json={"channel": "sms", "product_id": "coat"}, headers={"x-request-id": "mine"})
    assert response.status_code == 200
    assert response.json()["request_id"] == "mine"


@pytest.mark.parametrize(
    "content",
    [
        b'{"channel": "sms", "n": NaN}',
        b'{"channel": "sms", "n": Infinity}',
        b'{"channel": "sms", "n": 1e999}',
        b'{"channel": "sms", "query": "\\ud800"}',
        b'{"channel": "\\ud800"}',
        b'{"channel": "sms", "\\ud800": 1}',
        b'{"channel": "sms", "shopper": {"name": "\\udfff"}}',
        b'{"channel": "sms", "must_include": ["a\\nb"]}',
        b'{"channel": "sms", "must_include": ["{price}"]}',
        b'{"channel": "sms", "must_include": ["\\u2028"]}',
        b"[]",
        b"{",
        b"\xff\xfe",
        b"null",
        b"",
    ],
)
def test_whatever_json_can_hold_is_refused_as_a_problem(client, content):
    response = post(client, content)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == "invalid_request" and problem["request_id"]
    assert all(error["field"] and error["remedy"] and "value" in error for error in problem["errors"])


def test_a_body_is_too_large_by_what_it_says_and_by_what_it_is(client):
    said = post(client, b"x" * (MAX_BODY_BYTES + 1))
    chunked = client.post("/v1/copy", content=iter([b"x" * 65_536] * 100), headers={"content-type": "application/json"})
    for response in (said, chunked):
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        assert response.headers["content-type"] == "application/problem+json"


def test_a_body_at_the_limit_is_read(client):
    padded = b'{"channel": "sms"' + b" " * (MAX_BODY_BYTES - 18) + b"}"
    assert len(padded) == MAX_BODY_BYTES
    assert post(client, padded).status_code == 200


def test_a_fault_of_ours_is_a_problem_that_says_nothing_of_its_cause(client):
    response = client.get("/fault")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "secret" not in response.text and response.json()["request_id"]


def test_unknown_paths_and_methods_are_problems(client):
    assert client.get("/nowhere").json()["code"] == "not_found"
    assert client.get("/v1/copy").json()["status"] == 405


def test_every_end_of_a_request_for_copy_is_counted(client):
    def count(status: int) -> float:
        line = f'suasion_copy_requests_total{{status="{status}"}} '
        return next((float(row.removeprefix(line)) for row in telemetry().exposition().decode().splitlines() if row.startswith(line)), 0.0)

    before = {status: count(status) for status in (200, 413, 422)}
    post(client, b'{"channel": "sms"}')
    post(client, b'{"channel": "fax"}')
    post(client, b"x" * (MAX_BODY_BYTES + 1))
    client.get("/nowhere")
    assert {status: count(status) - before[status] for status in before} == {200: 1, 413: 1, 422: 1}
