"""Shopper state: a profile with its consent, and the last 200 events of each shopper who consents.

An event is known by its id: sent again it is acknowledged again and stored once, also by several writers at once. Ids are remembered as
long as the event is among its shopper's last 200. A shopper is locked while their events are written, always in the same order.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from copywriting.shopper import Event
from feedback.database import Database, events, shoppers
from feedback.records import Behaviour, Profile, Receipt, holds

KEPT_EVENTS = 200
_BODY = ("shopper_id", "product_id", "kind", "value", "quantity", "currency", "text", "at")


class ShopperState:
    """Profiles and events of all shoppers in one database. Threads and processes may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, shopper_id: str, now: datetime | None = None) -> Profile | None:
        """What is known of a shopper; None for one never seen. Without consent at `now`, attributes and events are not even read.

        Raises DatabaseUnavailable."""
        if "\x00" in shopper_id:
            return None  # can't be stored, and PostgreSQL refuses to be asked
        with self._database.reading() as connection:
            mine = shoppers.c.shopper_id == shopper_id
            row = connection.execute(sa.select(shoppers.c.consent, shoppers.c.consent_until, shoppers.c.locale).where(mine)).one_or_none()
            if row is None:
                return None
            if not holds(row.consent, row.consent_until, now or datetime.now(UTC)):
                return Profile(shopper_id, row.consent, row.consent_until, row.locale)
            attributes = connection.scalar(sa.select(shoppers.c.attributes).where(mine))
            return Profile(shopper_id, row.consent, row.consent_until, row.locale, attributes or {}, _events_of(connection, shopper_id))

    def record(self, batch: Sequence[Behaviour], now: datetime | None = None) -> list[Receipt]:
        """Store events in one transaction and say what became of each, in order. What it acknowledges is durable.

        A shopper who is not known is created where an event of the batch says `consent: true` with a locale, and none says otherwise.
        Raises DatabaseUnavailable, and then nothing of the batch was stored or may be told to be."""
        with self._database.writing() as connection:
            self._welcome(connection, batch)
            consenting = _consenting(connection, {event.shopper_id for event in batch}, now or datetime.now(UTC))
            allowed = [event for event in batch if _may_store(event, consenting)]
            fresh = self._insert(connection, allowed)
            kept = _bodies(connection, {event.event_id for event in allowed})
            trim(connection, {event.shopper_id for event in allowed})
        return [_receipt(event, fresh, kept) if _may_store(event, consenting) else _no_consent(event) for event in batch]

    def forget(self, shopper_id: str) -> bool:
        """Delete a shopper's profile and every event of theirs. False where there was none. Raises DatabaseUnavailable."""
        with self._database.writing() as connection:
            _consenting(connection, {shopper_id}, datetime.now(UTC))  # locks the shopper: nothing is stored behind our back
            connection.execute(events.delete().where(events.c.shopper_id == shopper_id))
            return bool(connection.execute(shoppers.delete().where(shoppers.c.shopper_id == shopper_id)).rowcount)

    def _welcome(self, connection: sa.Connection, batch: Sequence[Behaviour]) -> None:
        """Create the shoppers who consent with this batch; those who are known stay as they are."""
        locales = {event.shopper_id: event.locale for event in reversed(batch) if event.consent and event.locale}
        for event in batch:
            if event.consent is False:
                locales.pop(event.shopper_id, None)
        rows = [{"shopper_id": who, "consent": True, "locale": locales[who], "attributes": {}} for who in sorted(locales)]
        if rows:
            connection.execute(self._database.insert(shoppers).on_conflict_do_nothing(), rows)

    def _insert(self, connection: sa.Connection, batch: Sequence[Behaviour]) -> set[str]:
        """Ids that were not there before. The first of those that share an id in this batch is stored."""
        first = {event.event_id: event for event in reversed(batch)}
        rows = [{"event_id": name, **{column: getattr(first[name], column) for column in _BODY}} for name in sorted(first)]
        if not rows:
            return set()
        statement = self._database.insert(events).on_conflict_do_nothing().returning(events.c.event_id)
        return set(connection.scalars(statement, rows))


def trim(connection: sa.Connection, shopper_ids: Collection[str] | None = None) -> None:
    """Keep the last 200 events of each of these shoppers, or of everybody."""
    newest_first = (events.c.at.desc(), events.c.event_id.desc())
    place = sa.func.row_number().over(partition_by=events.c.shopper_id, order_by=newest_first).label("place")
    ranked = sa.select(events.c.event_id, place)
    if shopper_ids is not None:
        ranked = ranked.where(events.c.shopper_id.in_(shopper_ids))
    places = ranked.subquery()
    connection.execute(events.delete().where(events.c.event_id.in_(sa.select(places.c.event_id).where(places.c.place > KEPT_EVENTS))))


def _may_store(event: Behaviour, consenting: Collection[str]) -> bool:
    return event.shopper_id in consenting and event.consent is not False


def _consenting(connection: sa.Connection, shopper_ids: Collection[str], now: datetime) -> set[str]:
    """Those whose consent holds. Locks their rows until the transaction ends (SQLite has locked the whole file), in one order for all."""
    columns = (shoppers.c.shopper_id, shoppers.c.consent, shoppers.c.consent_until)
    query = sa.select(*columns).where(shoppers.c.shopper_id.in_(shopper_ids)).order_by(shoppers.c.shopper_id).with_for_update()
    return {row.shopper_id for row in connection.execute(query) if holds(row.consent, row.consent_until, now)}


def _bodies(connection: sa.Connection, event_ids: Collection[str]) -> dict[str, tuple[Any, ...]]:
    query = sa.select(events.c.event_id, *(events.c[name] for name in _BODY)).where(events.c.event_id.in_(event_ids))
    return {row[0]: tuple(row[1:]) for row in connection.execute(query)}


def _events_of(connection: sa.Connection, shopper_id: str) -> tuple[Event, ...]:
    columns = (events.c.kind, events.c.product_id, events.c.at, events.c.value, events.c.quantity, events.c.text)
    newest_first = (events.c.at.desc(), events.c.event_id.desc())
    query = sa.select(*columns).where(events.c.shopper_id == shopper_id).order_by(*newest_first).limit(KEPT_EVENTS)
    return tuple(Event(*row) for row in reversed(connection.execute(query).all()))


def _receipt(event: Behaviour, fresh: set[str], kept: dict[str, tuple[Any, ...]]) -> Receipt:
    if event.event_id in fresh:
        fresh.remove(event.event_id)  # whoever comes after it in the batch is a second one
        return Receipt(event.event_id, "stored")
    if kept.get(event.event_id) == tuple(getattr(event, name) for name in _BODY):
        return Receipt(event.event_id, "duplicate")
    detail = "another event with this id is stored" if event.event_id in kept else "an event with this id has just been deleted"
    return Receipt(
        event.event_id, "conflict", "event_id", detail, "give every event an id of its own; send the same event with the same body"
    )


def _no_consent(event: Behaviour) -> Receipt:
    detail = "no_consent: the shopper has not agreed to personalisation, no longer does, or is not known"
    remedy = "send `consent: true` with a `locale` once a new shopper has agreed; otherwise send nothing about them"
    return Receipt(event.event_id, "refused", "shopper_id", detail, remedy)
