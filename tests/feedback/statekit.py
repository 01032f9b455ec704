"""Events and profiles that the tests of the state share."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from feedback.database import Database, events, shoppers
from feedback.records import Behaviour, Receipt
from tests.fakes import NOW


def behaviour(event_id: str = "e1", shopper_id: str = "ann", minutes_ago: float = 1, **changes) -> Behaviour:
    """Ann looks at a coat."""
    fields = {"product_id": "coat", "kind": "view", "at": NOW - timedelta(minutes=minutes_ago)}
    return Behaviour(event_id, shopper_id, **{**fields, **changes})


def add_shopper(database: Database, shopper_id: str = "ann", *, consent: bool = True, until: datetime | None = None, **attributes) -> None:
    """A profile as a load leaves it."""
    row = {"shopper_id": shopper_id, "consent": consent, "consent_until": until, "locale": "en-GB", "attributes": attributes}
    with database.writing() as connection:
        connection.execute(shoppers.insert(), row)


def stored_ids(database: Database, shopper_id: str | None = None) -> list[str]:
    """Ids of the events that are stored, in order of time."""
    query = events.select() if shopper_id is None else events.select().where(events.c.shopper_id == shopper_id)
    with database.reading() as connection:
        return [row.event_id for row in connection.execute(query.order_by(events.c.at, events.c.event_id))]


def statuses(receipts: Sequence[Receipt]) -> list[str]:
    return [receipt.status for receipt in receipts]
