"""A request through the whole graph: HTTP, FAISS, vLLM under a grammar, rerankers, CLIP; and what happens to bad input and lost nodes."""

import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from benchmarks.answers import faults_of, requests
from demo.showcase import ask, scenes
from retrieval import tables
from retrieval.catalogue import Catalogue
from serve.launch import Server

pytestmark = pytest.mark.ray
MOMENT = datetime.now(UTC).isoformat()


def post(graph: Server, body: dict[str, Any], **headers: str) -> httpx.Response:
    return httpx.post(f"{graph.url}/v1/copy", json={"deadline_ms": 30_000, **body}, headers=headers, timeout=60)


def processes(graph: Server, mark: str) -> list[psutil.Process]:
    found = psutil.Process(graph.pid).children(recursive=True)
    return [process for process in found if mark in " ".join(process.cmdline())]


def purchase(shopper_id: str) -> dict[str, Any]:
    """A new shopper, who agrees, buys tea."""
    return {
        "event_id": f"{shopper_id}-1", "shopper_id": shopper_id, "kind": "purchase", "product_id": "food-tea-1", "value": 88, "quantity": 1,
        "currency": "CNY", "at": MOMENT, "consent": True, "locale": "zh-CN",
    }  # fmt: skip


def send(graph: Server, *events: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{graph.url}/v1/events", json={"events": events}, timeout=30)


@pytest.fixture(scope="module")
def catalogue(sample_shop: Path) -> Catalogue:
    return Catalogue.read(sample_shop / "shop")


def test_six_scenes_are_answered_in_their_language_with_every_stage(graph: Server, sample_shop: Path) -> None:
    answers = [ask(graph.url, scene.body) for scene in scenes(sample_shop / "shop")]
    assert [answer["locale"].split("-")[0] for answer in answers] == ["zh", "en", "zh", "en", "en", "zh"]
    for answer in answers:
        assert answer["degraded"] == []
        best = answer["choices"][0]
        assert best["origin"] == "model"
        assert best["image"].startswith("media/")
        assert all(best["scores"][name] is not None for name in ("utility", "persuasion", "sentiment", "image_fit", "response"))
    personalised = [answer["personalised"] for answer in answers]
    assert personalised[0] and not personalised[3] and not personalised[4]
    assert answers[4]["notices"][0]["field"] == "shopper_id"


def test_forty_answers_over_all_channels_have_no_fault(graph: Server, sample_shop: Path, catalogue: Catalogue) -> None:
    answers = [ask(graph.url, body) for body in requests(sample_shop / "shop", 40, seed=3)]
    faults = {c["text"]: found for a in answers for c in a["choices"] if (found := faults_of(a, c, catalogue))}
    assert faults == {}
    assert all(len(answer["choices"]) == 4 for answer in answers)
    assert sum(answer["choices"][0]["origin"] == "model" for answer in answers) >= 36


def test_claims_point_at_the_text_they_prove(graph: Server) -> None:
    answer = ask(graph.url, {"product_id": "fashion-outerwear-1", "channel": "product_page", "locale": "zh-CN"})
    for choice in answer["choices"]:
        spans = [choice["text"][claim["start"] : claim["end"]] for claim in choice["claims"]]
        assert all(spans)
        assert any(claim["slot"] == "name" for claim in choice["claims"])


def test_choices_are_ranked_different_and_at_most_n(graph: Server) -> None:
    answer = ask(graph.url, {"product_id": "food-tea-1", "channel": "push", "locale": "zh-CN", "n": 4})
    texts = [choice["text"] for choice in answer["choices"]]
    assert 1 < len(texts) <= 4 and len(set(texts)) == len(texts)
    assert answer["chosen"] == answer["choices"][0]["variant_id"]
    assert [choice["probability"] for choice in answer["choices"]] == [1.0] + [0.0] * (len(texts) - 1)


def test_drafts_are_cached_without_a_seed(graph: Server) -> None:
    body = {"product_id": "toys-plush-1", "channel": "banner", "locale": "en-GB", "tone": "playful"}
    first, second = ask(graph.url, body), ask(graph.url, body)
    assert second["usage"]["cached"] and second["usage"]["output_tokens"] == 0
    drafts = [{c["text"] for c in answer["choices"] if c["origin"] == "model"} for answer in (first, second)]
    assert drafts[0] and drafts[0] == drafts[1]  # the copybook's pieces beside them are chosen anew for each request without a seed


def test_answer_without_consent_equals_that_of_anybody(graph: Server, sample_shop: Path) -> None:
    without = next(s for s in tables.read(sample_shop / "shop", "shoppers").to_pylist() if not s["consent"])
    body = {"channel": "sms", "locale": "en-US", "seed": 5}
    refused, nobody = ask(graph.url, {**body, "shopper_id": without["shopper_id"]}), ask(graph.url, body)
    assert refused["products"] == nobody["products"]
    assert [c["text"] for c in refused["choices"] if c["origin"] == "model"] == [
        c["text"] for c in nobody["choices"] if c["origin"] == "model"
    ]
    assert not refused["personalised"]


def test_an_event_is_stored_once_and_the_shopper_is_known_from_then_on(graph: Server) -> None:
    event = purchase("buyer")
    unknown = {**event, "event_id": "unknown", "product_id": "no-such"}
    first, later = send(graph, event, unknown).json(), send(graph, event, {**event, "value": 1}).json()
    assert [receipt["status"] for receipt in first["receipts"]] == ["stored", "refused"]
    assert first["receipts"][1]["field"] == "product_id"
    assert [receipt["status"] for receipt in later["receipts"]] == ["duplicate", "conflict"]
    refused = send(graph, {**event, "at": "2026-01-15T12:00:00"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "events.0.at")
    answer = post(graph, {"shopper_id": "buyer", "channel": "push"}).json()
    assert (answer["locale"], answer["personalised"], answer["degraded"], answer["notices"]) == ("zh-CN", True, [], [])
    assert answer["timings_ms"]["shopper"] > 0
    assert "food-tea-1" not in {product["product_id"] for product in answer["products"]}, "what was bought is not advertised again"


def viewed(shopper_id: str, number: int, product_id: str) -> dict[str, Any]:
    """A new shopper, who agrees, looks at a product."""
    return {
        "event_id": f"{shopper_id}-{number}", "shopper_id": shopper_id, "kind": "view", "product_id": product_id,
        "at": datetime.now(UTC).isoformat(), "consent": True, "locale": "en-US",
    }  # fmt: skip


def test_one_event_changes_the_very_next_answer(graph: Server) -> None:
    def products() -> list[str]:
        answer = post(graph, {"shopper_id": "wanderer", "channel": "push", "seed": 61}).json()
        assert answer["degraded"] == []
        return [product["product_id"] for product in answer["products"]]

    send(graph, viewed("wanderer", 1, "food-tea-1"))
    before = products()
    assert products() == before, "nothing has happened, nothing changes"
    send(graph, viewed("wanderer", 2, "home-lighting-1"))
    after = products()
    assert after != before
    assert any(name.startswith("home-lighting") for name in after)
    assert not any(name.startswith("home-lighting") for name in before)


def test_losing_the_shopper_state_costs_no_answer_and_no_event(graph: Server) -> None:
    assert send(graph, purchase("survivor")).json()["counts"]["stored"] == 1
    (victim,) = processes(graph, "ServeReplica:suasion:State")
    os.kill(victim.pid, signal.SIGKILL)
    answer = post(graph, {"shopper_id": "survivor", "product_id": "home-lighting-1", "channel": "sms", "locale": "en-US", "seed": 60})
    assert answer.status_code == 200
    missed = any(entry.startswith("state") for entry in answer.json()["degraded"])
    assert answer.json()["personalised"] != missed, "either it was not missed, or the answer says so and knows nobody"
    until = time.monotonic() + 60
    while httpx.get(f"{graph.url}/readyz", timeout=10).status_code != 200 and time.monotonic() < until:
        time.sleep(1)
    assert send(graph, purchase("survivor")).json()["counts"]["duplicate"] == 1, "what was acknowledged outlives the process"


def test_a_short_deadline_costs_quality_not_the_answer(graph: Server) -> None:
    started = time.monotonic()
    response = post(graph, {"product_id": "pet-cat_food-1", "channel": "email", "locale": "en-US", "deadline_ms": 300, "seed": 987})
    assert response.status_code == 200
    answer = response.json()
    assert any(entry.startswith("generator") for entry in answer["degraded"])
    assert answer["choices"][0]["origin"] == "template"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"product_id": "no-such", "channel": "sms"}, 404, "product_id"),
        ({"channel": "fax"}, 422, "channel"),
        ({"channel": "sms", "locale": "fr-FR"}, 422, "locale"),
        ({"channel": "sms", "n": 9}, 422, "n"),
        ({"channel": "sms", "nn": 3}, 422, "nn"),
        ({"locale": "en-US"}, 422, "channel"),
        ({"channel": "sms", "query": ""}, 422, "query"),
        ({"channel": "sms", "shopper": {"consent": True, "age": 3}}, 422, "shopper.age"),
    ],
)
def test_bad_input_names_field_value_and_remedy(graph: Server, body: dict[str, Any], status: int, field: str) -> None:
    response = post(graph, body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["request_id"] == response.headers["x-request-id"]
    (error,) = problem["errors"]
    assert error["field"] == field and error["remedy"] and "value" in error


def test_malformed_and_oversized_bodies_are_refused(graph: Server) -> None:
    broken = httpx.post(f"{graph.url}/v1/copy", content=b"{", headers={"content-type": "application/json"})
    assert broken.status_code == 422 and broken.json()["code"] == "invalid_request"
    large = httpx.post(f"{graph.url}/v1/copy", content=b"x" * (300 << 10), headers={"content-type": "application/json"})
    assert large.status_code == 413


def test_health_metrics_and_openapi_answer(graph: Server) -> None:
    assert httpx.get(f"{graph.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{graph.url}/readyz").json()["status"] == "ready"
    assert "suasion_copy_requests_total" in httpx.get(f"{graph.url}/metrics").text
    assert {"/v1/copy", "/v1/events"} <= httpx.get(f"{graph.url}/openapi.json").json()["paths"].keys()
    assert post(graph, {"channel": "banner"}, **{"X-Request-ID": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert httpx.get(f"{graph.url}/nowhere").json()["code"] == "not_found"


def test_losing_a_scorer_costs_no_answer(graph: Server) -> None:
    (victim,) = processes(graph, "ServeReplica:suasion:Persuasion")
    os.kill(victim.pid, signal.SIGKILL)
    answers = [post(graph, {"product_id": "home-lighting-1", "channel": "sms", "locale": "en-US", "seed": 70 + i}) for i in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    for answer in map(httpx.Response.json, answers):  # either it was not missed, or the answer says that it was
        missing = answer["choices"][0]["scores"]["persuasion"] is None
        assert missing == any(entry.startswith("persuasion") for entry in answer["degraded"])
    until = time.monotonic() + 90
    while httpx.get(f"{graph.url}/readyz", timeout=10).status_code != 200 and time.monotonic() < until:
        time.sleep(1)
    whole = post(graph, {"product_id": "home-lighting-1", "channel": "sms", "locale": "en-US", "seed": 80}).json()
    assert whole["degraded"] == [] and whole["choices"][0]["scores"]["persuasion"] is not None


def test_only_loopback_is_listened_on_for_http(graph: Server) -> None:
    port = int(graph.url.rsplit(":", 1)[1])
    addresses = {c.laddr.ip for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port}
    assert addresses == {"127.0.0.1"}
