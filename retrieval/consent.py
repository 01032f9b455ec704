"""Whether a shopper's behaviour may be used: yes only where no row of theirs says otherwise, and until the earliest of the dates given.

Rows of one shopper disagree in real exports: a newer order without the tick, an account that lapsed. So consent is read off every row
before rows are folded into shoppers, and the strictest reading holds, unless the mapping's `combine` names which row counts (`last` in
a log of consent changes). What can't be read is no consent.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.cleaning import CHANGED, REFUSED, Cleaned, joined, note, places
from retrieval.expressions import FILE, ROW, column
from retrieval.folding import Folded, key_codes
from retrieval.mapping import TableMapping
from retrieval.rules import Known, differ, mask, replaced
from retrieval.schemas import SHOPPERS
from retrieval.shaping import column_of

CONSENT, UNTIL = "consent", "consent_until"


def statements(mapping: TableMapping, folded: Folded) -> pa.Table:
    """What each row says: shopper_id, consent, consent_until, with FILE and ROW."""
    read = {name for said in (CONSENT, UNTIL) if said in mapping.columns for name in mapping.columns[said].columns()}
    rows = folded.rows if read & mapping.combine.keys() else folded.members
    made = {name: column_of(rows, SHOPPERS.field(name), mapping.columns.get(name)) for name in ("shopper_id", CONSENT, UNTIL)}
    unread = np.isin(places(rows), places(joined([*made[CONSENT][1], *made[UNTIL][1]])))
    said = {name: values for name, (values, _) in made.items()}
    said[CONSENT] = pc.if_else(pa.array(unread), False, said[CONSENT])
    return pa.table({FILE: column(rows, FILE), ROW: column(rows, ROW)} | said)


def consents(rows: pa.Table, known: Known) -> Cleaned:
    """The strictest consent of each shopper. Rows that said more are noted: changed, or refused where they only repeat the shopper."""
    said = known.statements if known.statements is not None else rows
    strict = said.group_by("shopper_id").aggregate([(CONSENT, "all"), (UNTIL, "min")])
    repeats = np.ones(rows.num_rows, np.bool_)
    repeats[np.unique(key_codes(rows, ["shopper_id"]), return_index=True)[1]] = False
    repeated = np.isin(places(said), places(rows)[repeats])
    notes, gone = [], np.zeros(rows.num_rows, np.bool_)
    for name, outcome in ((CONSENT, f"{CONSENT}_all"), (UNTIL, f"{UNTIL}_min")):
        old, new = column(said, name), _by_shopper(said, strict, outcome)
        conflict = mask(differ(old, new))
        # a row that doesn't consent has no date to disagree about, one without a word on consent nothing at all
        conflict &= mask(pc.is_valid(old)) if name == CONSENT else mask(_by_shopper(said, strict, f"{CONSENT}_all"))
        notes += [
            note(said, conflict & ~repeated, (CHANGED, "consent_conflict", name), old, new),
            note(said, conflict & repeated, (REFUSED, "consent_conflict", name), old, new),
        ]
        gone |= repeats & np.isin(places(rows), places(said)[conflict])
        values = _by_shopper(rows, strict, outcome)
        rows = replaced(rows, name, pc.coalesce(values, column(rows, name)))
    return Cleaned(rows.filter(pa.array(~gone)), joined(notes))


def _by_shopper(rows: pa.Table, strict: pa.Table, name: str) -> pa.Array:
    """A column of the strictest consents, for each row's shopper."""
    return column(strict, name).take(pc.index_in(column(rows, "shopper_id"), value_set=column(strict, "shopper_id")))
