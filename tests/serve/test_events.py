"""`POST /v1/events`: what is taken, what is refused by which field, and what becomes of a batch when a stage does not answer."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from feedback.database import Database
from feedback.records import Behaviour, Receipt
from feedback.state import ShopperState
from retrieval.schemas import EVENT_KINDS
from serve import events
from serve.errors import StageUnavailable
from serve.events import EventKind, EventsAnswer, EventsRequest, Intake
from serve.framing import framed

AT = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
MONEY = {"kind": "purchase", "value": 5}


class Stages:
    """A catalogue of tea and coats, and a real database behind it. `failures` (reasons) and `delays` (seconds) are keyed by stage."""

    def __init__(self, database: Database) -> None:
        self.state = ShopperState(database)
        self.failures: dict[str, str] = {}
        self.delays: dict[str, float] = {}
        self.recorded: list[Behaviour] = []
        self.asked: list[str] = []

    async def known(self, product_ids: Sequence[str]) -> set[str]:
        await self._arrive("retrieval")
        self.asked += product_ids
        return {"tea", "coat"} & set(product_ids)

    async def record(self, batch: Sequence[Behaviour]) -> list[Receipt]:
        await self._arrive("state")
        self.recorded += batch
        return self.state.record(batch)

    async def _arrive(self, stage: str) -> None:
        await asyncio.sleep(self.delays.get(stage, 0))
        if stage in self.failures:
            raise StageUnavailable(stage, self.failures[stage])


@pytest.fixture
def stages(tmp_path) -> Iterator[Stages]:
    database = Database(f"sqlite:///{tmp_path}/state.db")
    yield Stages(database)
    database.close()


@pytest.fixture
def client(stages) -> Iterator[TestClient]:
    """The route as ingress has it."""
    app = framed(FastAPI())
    intake = Intake(stages.known, stages.record)

    @app.post("/v1/events")
    async def take(body: EventsRequest, request: Request) -> EventsAnswer:
        return await intake.take(body, request.state.request_id)

    with TestClient(app, raise_server_exceptions=False) as connected:
        yield connected


def event(event_id: str = "e1", **changes) -> dict:
    """Ann, who is new and agrees, looks at a coat. None takes a field away."""
    fields = {"event_id": event_id, "shopper_id": "ann", "kind": "view", "product_id": "coat", "at": AT}
    said = {**fields, "consent": True, "locale": "en-GB", **changes}
    return {name: value for name, value in said.items() if value is not None}


def post(client: TestClient, *batch: dict):
    return client.post("/v1/events", json={"events": list(batch)}, headers={"x-request-id": "mine"})


def test_the_kinds_are_those_of_the_events_table():
    assert get_args(EventKind) == EVENT_KINDS


def test_every_event_has_its_receipt_in_order(client):
    batch = [
        event("e1"), event("e2", product_id="yacht"), event("e1"), event("e1", kind="cart"), event("e3", shopper_id="bob", consent=None),
        event("e4", kind="search", product_id=None, text="warm coat"),
    ]  # fmt: skip
    response = post(client, *batch)
    answer = response.json()
    assert (response.status_code, answer["request_id"]) == (200, "mine")
    receipts = answer["receipts"]
    assert [receipt["event_id"] for receipt in receipts] == [sent["event_id"] for sent in batch]
    assert [receipt["status"] for receipt in receipts] == ["stored", "refused", "duplicate", "conflict", "refused", "stored"]
    assert answer["counts"] == {"stored": 2, "duplicate": 1, "refused": 2, "conflict": 1}
    assert [receipt["field"] for receipt in receipts if receipt["field"]] == ["product_id", "event_id", "shopper_id"]
    assert "yacht" in receipts[1]["detail"] and receipts[4]["detail"].startswith("no_consent")
    assert all(receipt["remedy"] for receipt in receipts if receipt["status"] in ("refused", "conflict"))


def test_sending_a_batch_again_is_harmless(client):
    batch = [event(f"e{number}") for number in range(20)]
    assert post(client, *batch).json()["counts"]["stored"] == 20
    assert post(client, *batch).json()["counts"] == {"stored": 0, "duplicate": 20, "refused": 0, "conflict": 0}


def test_what_is_stored_is_what_was_sent(client, stages):
    sent = event(kind="purchase", value=19.5, quantity=2, currency="GBP", text="für Oma 🎁")
    assert post(client, sent).json()["counts"]["stored"] == 1
    (stored,) = stages.state.read("ann").events
    assert (stored.kind, stored.product_id, stored.value, stored.quantity, stored.text) == ("purchase", "coat", 19.5, 2, "für Oma 🎁")
    assert stored.at == datetime.fromisoformat(sent["at"])


def test_a_shopper_may_pay_in_several_currencies(client):
    assert post(client, event("e1", **MONEY, currency="GBP"), event("e2", **MONEY, currency="CNY")).json()["counts"]["stored"] == 2


def test_a_shopper_who_consents_with_a_refused_event_only_is_not_created(client, stages):
    post(client, event(product_id="yacht"))
    assert stages.recorded == [] and stages.state.read("ann") is None


def test_the_catalogue_is_asked_once_for_each_product_and_not_for_searches(client, stages):
    post(client, event("e1"), event("e2"), event("e3", product_id="tea"))
    assert stages.asked == ["coat", "tea"]
    stages.failures["retrieval"] = "not running"
    assert post(client, event("e4", kind="search", product_id=None, text="tea")).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "view"}, {"kind": "cart", "value": 3}, {"kind": "purchase"}, {**MONEY, "value": 0, "currency": "JPY", "quantity": 1},
        {"kind": "cancellation", "value": 5, "currency": "USD"}, {"kind": "review", "value": 1},
        {"kind": "review", "value": 5, "text": "fine"}, {"kind": "review", "text": "warm,\nas promised"}, {"kind": "search", "text": "茶"},
        {"at": (datetime.now(UTC) + timedelta(minutes=4)).isoformat()}, {"at": "2026-01-15T20:00:00.123456+08:00"},
        {"kind": "search", "text": "羽绒服　女 👩‍👩‍👧"}, {"at": "2000-01-01T00:00:00Z"},
        {"event_id": "x" * 200, "shopper_id": "顾客 7"}, {"text": "x" * 2000},
    ],
)  # fmt: skip
def test_what_is_within_the_limits_is_taken(client, changes):
    assert post(client, event(**changes)).json()["counts"]["stored"] == 1


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("kind", {"kind": "wish"}), ("kind", {"kind": None}), ("event_id", {"event_id": None}), ("event_id", {"event_id": ""}),
        ("event_id", {"event_id": "x" * 201}), ("event_id", {"event_id": "a\x00b"}), ("shopper_id", {"shopper_id": "a\nb"}),
        ("shopper_id", {"shopper_id": None}), ("at", {"at": None}), ("at", {"at": "2026-01-15T12:00:00"}), ("at", {"at": 1_768_478_400}),
        ("at", {"at": "yesterday"}), ("at", {"at": "1999-12-31T23:59:59Z"}), ("at", {"at": "1970-01-01T00:00:00Z"}),
        ("at", {"at": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}),
        ("value", {"kind": "cart", "value": -1}), ("value", {**MONEY, "value": -0.01, "currency": "GBP"}),
        ("value", {"kind": "review", "value": 0}), ("value", {"kind": "review", "value": 5.5}),
        ("at", {"at": "9999-12-31T23:59:59-23:59"}), ("at", {"at": "0001-01-01T00:00:00+14:00"}),
        ("value", {"kind": "cart", "value": "3"}), ("value", {"kind": "cart", "value": True}), ("quantity", {"quantity": True}),
        ("value", {"kind": "cart", "value": "many"}), ("value", {"kind": "cart", "value": 1e13}),
        ("quantity", {"kind": "purchase", "quantity": 0}), ("quantity", {"kind": "purchase", "quantity": -2}),
        ("quantity", {"kind": "purchase", "quantity": 1.5}), ("text", {"kind": "search", "product_id": None}),
        ("text", {"kind": "search", "text": "  "}), ("text", {"text": "x" * 2001}), ("text", {"text": "a\x00b"}),
        ("text", {"kind": "review"}), ("product_id", {"product_id": None}), ("product_id", {"kind": "purchase", "product_id": None}),
        ("product_id", {"product_id": ""}), ("currency", MONEY), ("currency", {**MONEY, "kind": "cancellation"}),
        ("currency", {**MONEY, "currency": "QQQ"}), ("currency", {**MONEY, "currency": "gbp"}), ("currency", {**MONEY, "currency": ""}),
        ("consent", {"consent": "yes"}), ("consent", {"consent": 1}),
        ("locale", {"locale": "fr-FR"}), ("price", {"price": 5}), ("channel", {"channel": "sms"}),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong_is_named_with_its_value_and_a_remedy_and_nothing_is_stored(client, stages, field, changes):
    response = post(client, event("good"), event(**changes))
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    (error,) = response.json()["errors"]
    assert error["field"] == f"events.1.{field}"
    assert error["detail"] and error["remedy"] and "value" in error
    assert stages.recorded == []


def test_a_remedy_says_what_to_do_about_this_field(client):
    (error,) = post(client, event(at="1999-12-31T23:59:59Z")).json()["errors"]
    assert error == {
        "field": "events.0.at", "value": error["value"], "detail": "is before 2000", "remedy": "send the instant at which it happened",
    }  # fmt: skip
    assert "1999" in error["value"]


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"null", b"", b'{"events": []}', b'{"events": {}}', b'{}', b'{"events": [1]}', b'{"events": [{}], "x": 1}',
                b'{"events": [{"value": NaN}]}', b'{"events": [{"text": "\\ud800"}]}'],
)  # fmt: skip
def test_a_malformed_body_is_a_problem(client, content):
    response = client.post("/v1/events", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_request"
    assert all(error["field"] and error["remedy"] for error in response.json()["errors"])


def test_500_events_fit_and_501_do_not(client):
    batch = [event(f"e{number}") for number in range(501)]
    assert post(client, *batch[:500]).json()["counts"]["stored"] == 500
    response = post(client, *batch)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "events")


@pytest.mark.parametrize("stage", ["state", "retrieval"])
@pytest.mark.parametrize("how", ["failures", "delays"])
def test_where_a_stage_does_not_answer_nothing_is_acknowledged(client, stages, monkeypatch, stage, how):
    monkeypatch.setattr(events, "STAGE_TIMEOUT_S", 0.2)
    getattr(stages, how)[stage] = "failed (DatabaseUnavailable)" if how == "failures" else 30.0
    response = post(client, event())
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json" and response.headers["retry-after"] == "2"
    assert response.json()["code"] == "stage_unavailable" and "receipts" not in response.json()
    getattr(stages, how).clear()
    assert post(client, event()).json()["counts"]["stored"] == 1, "the sender tries again"
