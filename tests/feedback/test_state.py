"""What `feedback/state.py` promises, one behaviour a test, on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from copywriting.shopper import Event
from feedback.database import events, shoppers
from feedback.records import Behaviour, Profile
from feedback.state import KEPT_EVENTS
from tests.fakes import NOW
from tests.feedback.statekit import add_shopper, behaviour, statuses, stored_ids

PURCHASE = {"kind": "purchase", "value": 0.1 + 0.2, "quantity": 2, "currency": "GBP"}


def count(database, table: sa.Table) -> int:
    with database.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table))


def test_a_shopper_never_seen_is_none(state):
    assert state.read("nobody") is None
    assert state.read("no\x00body") is None


def test_events_come_back_as_they_were_sent_and_oldest_first(state, database):
    add_shopper(database, name="安", city="苏州")
    moment = datetime(2026, 1, 15, 20, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    search = behaviour("e2", at=moment, kind="search", product_id=None, text="适合冬天的 “羽绒服” 🧥")
    state.record([behaviour("e3", minutes_ago=-5, **PURCHASE), search, behaviour("e1", minutes_ago=60)], NOW)
    read = state.read("ann", NOW)
    assert read == Profile(
        "ann", True, None, "en-GB", {"name": "安", "city": "苏州"},
        (
            Event("view", "coat", NOW - timedelta(minutes=60)),
            Event("search", None, moment, text="适合冬天的 “羽绒服” 🧥"),
            Event("purchase", "coat", NOW + timedelta(minutes=5), 0.1 + 0.2, 2),
        ),
    )  # fmt: skip
    assert all(event.at.tzinfo is UTC for event in read.events)


def test_an_event_sent_again_is_acknowledged_and_stored_once(state, database):
    add_shopper(database)
    event = behaviour(**PURCHASE)
    assert [statuses(state.record([event], NOW)) for _ in range(3)] == [["stored"], ["duplicate"], ["duplicate"]]
    assert stored_ids(database) == ["e1"]


def test_the_same_instant_in_another_timezone_is_the_same_event(state, database):
    add_shopper(database)
    state.record([behaviour()], NOW)
    elsewhere = behaviour(at=behaviour().at.astimezone(timezone(timedelta(hours=-5))))
    assert statuses(state.record([elsewhere], NOW)) == ["duplicate"]


@pytest.mark.parametrize(
    "changes",
    [{"kind": "cart"}, {"product_id": "tea"}, {"value": 1.0}, {"quantity": 3}, {"currency": "EUR"}, {"text": "x"}, {"minutes_ago": 2}],
)
def test_another_body_under_a_known_id_is_a_conflict_and_changes_nothing(state, database, changes):
    add_shopper(database)
    state.record([behaviour(**PURCHASE)], NOW)
    before = state.read("ann", NOW)
    (receipt,) = state.record([behaviour(**{**PURCHASE, **changes})], NOW)
    assert (receipt.status, receipt.field) == ("conflict", "event_id")
    assert receipt.detail and receipt.remedy
    assert state.read("ann", NOW) == before


def test_an_id_that_another_shopper_used_is_a_conflict(state, database):
    add_shopper(database)
    add_shopper(database, "bob")
    assert statuses(state.record([behaviour(), behaviour(shopper_id="bob")], NOW)) == ["stored", "conflict"]
    assert stored_ids(database, "bob") == []


def test_one_batch_may_hold_an_event_twice_and_another_under_its_id(state, database):
    add_shopper(database)
    batch = [behaviour(), behaviour(), behaviour(kind="cart"), behaviour("e2"), behaviour()]
    assert statuses(state.record(batch, NOW)) == ["stored", "duplicate", "conflict", "stored", "duplicate"]
    assert [receipt.event_id for receipt in state.record(batch, NOW)] == [event.event_id for event in batch]
    assert len(stored_ids(database)) == 2


def test_the_last_200_events_by_time_are_kept(state, database):
    add_shopper(database)
    add_shopper(database, "bob")
    state.record([behaviour("bobs", "bob", minutes_ago=10_000)], NOW)
    batch = [behaviour(f"e{minutes:03}", minutes_ago=minutes) for minutes in range(250)]
    assert set(statuses(state.record(batch, NOW))) == {"stored"}
    assert stored_ids(database, "ann") == [f"e{minutes:03}" for minutes in reversed(range(KEPT_EVENTS))]
    state.record([behaviour("new", minutes_ago=-1), behaviour("old", minutes_ago=9999)], NOW)
    assert stored_ids(database, "ann") == [*(f"e{minutes:03}" for minutes in reversed(range(KEPT_EVENTS - 1))), "new"]
    assert stored_ids(database, "bob") == ["bobs"], "nobody else's events are cut"
    assert len(state.read("ann", NOW).events) == KEPT_EVENTS


@pytest.mark.parametrize(
    "consent",
    [{"consent": False}, {"until": NOW}, {"until": NOW - timedelta(days=1)}, {"consent": False, "until": NOW + timedelta(days=1)}],
)
def test_without_consent_nothing_is_stored_or_told(state, database, consent):
    add_shopper(database, **consent, name="Ann")
    (receipt,) = state.record([behaviour(consent=True, locale="en-US")], NOW)
    assert (receipt.status, receipt.field) == ("refused", "shopper_id")
    assert receipt.detail.startswith("no_consent") and receipt.remedy
    assert stored_ids(database) == []
    profile = state.read("ann", NOW)
    assert (profile.locale, profile.attributes, profile.events) == ("en-GB", {}, ())
    assert not profile.consents(NOW)


def test_without_consent_neither_attributes_nor_events_are_read_from_the_database(state, database):
    add_shopper(database, name="Ann", until=NOW)
    asked = []
    sa.event.listen(database._engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    state.read("ann", NOW)
    assert not any("attributes" in statement or "events" in statement for statement in asked)
    state.read("ann", NOW - timedelta(seconds=1))
    assert any("attributes" in statement for statement in asked) and any("events" in statement for statement in asked)


def test_consent_until_a_date_holds_before_it(state, database):
    add_shopper(database, until=NOW + timedelta(seconds=1))
    assert statuses(state.record([behaviour()], NOW)) == ["stored"]
    assert state.read("ann", NOW).consents(NOW)
    assert state.read("ann", NOW + timedelta(seconds=1)).events == ()


def test_a_new_shopper_comes_with_consent_and_a_locale(state, database):
    assert statuses(state.record([behaviour("e0"), behaviour("e1", consent=True, locale="zh-CN"), behaviour("e2")], NOW)) == ["stored"] * 3
    profile = state.read("ann", NOW)
    assert (profile.consent, profile.consent_until, profile.locale, len(profile.events)) == (True, None, "zh-CN", 3)
    assert statuses(state.record([behaviour("e3")], NOW)) == ["stored"], "consent is remembered"


@pytest.mark.parametrize(
    "said", [{}, {"consent": True}, {"locale": "en-GB"}, {"consent": False, "locale": "en-GB"}], ids=["nothing", "consent", "locale", "no"]
)
def test_a_shopper_who_is_unknown_is_refused_and_not_created_otherwise(state, database, said):
    assert statuses(state.record([behaviour(**said)], NOW)) == ["refused"]
    assert (count(database, shoppers), count(database, events)) == (0, 0)


def test_a_batch_that_says_both_yes_and_no_creates_nobody(state, database):
    batch = [behaviour("e1", consent=True, locale="en-GB"), behaviour("e2", consent=False)]
    assert statuses(state.record(batch, NOW)) == ["refused", "refused"]
    assert count(database, shoppers) == 0


def test_an_event_that_says_no_is_refused_though_the_shopper_agreed_before(state, database):
    add_shopper(database)
    assert statuses(state.record([behaviour("e1", consent=False), behaviour("e2")], NOW)) == ["refused", "stored"]


def test_forgetting_leaves_nothing_of_a_shopper_and_all_of_the_others(state, database):
    add_shopper(database, name="Ann")
    add_shopper(database, "bob")
    state.record([behaviour("e1"), behaviour("e2", "bob")], NOW)
    assert state.forget("ann")
    assert state.read("ann", NOW) is None
    assert stored_ids(database) == ["e2"] and count(database, shoppers) == 1
    assert not state.forget("ann")
    assert statuses(state.record([behaviour("e1")], NOW)) == ["refused"], "and they are unknown from then on"


def test_a_batch_that_fails_stores_nothing_of_it(state, database):
    add_shopper(database)
    broken = Behaviour("e2", "ann", "coat", "view", at=None)  # type: ignore[arg-type]  # `at` may not be null
    with pytest.raises(sa.exc.IntegrityError):
        state.record([behaviour("e1"), broken], NOW)
    assert stored_ids(database) == []


def test_an_empty_batch_has_no_receipts(state):
    assert state.record([]) == []
