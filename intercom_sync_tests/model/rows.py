"""The expected rows of unified_customers and alerts, computed one customer at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from intercom_sync_tests.model.support import NONE
from intercom_sync_tests.model.valid_records import Json
from intercom_sync_tests.model.words import DAY

COUNTS = ("intercom_convos_total", "intercom_convos_30d", "open_tickets", "mentioned_cancel")
INTERCOM = (
    "external_id", "stripe_customer_id", "location_country", "location_city", "signup_date", "mrr", "arr", "ltv",
    "plan_name", "plan_price", "subscription_status", "subscription_count", "currency", "is_delinquent",
    "last_payment_amount", "last_payment_date", "last_seen_at", "csat_score",
)  # fmt: skip
TIMED = ("days_since_seen", "quality_score")
COLUMNS = ("email", "intercom_contact_id", "name", *INTERCOM, *COUNTS, *TIMED, "intercom_deleted_at")
EMPTY = dict.fromkeys((*COLUMNS, "last_intercom_sync"))
# Values of other systems that the sync cannot represent: they are kept and count as unknown.
STRANGE = ("NaN", "Infinity", "-Infinity", "infinity", "-infinity")


@dataclass
class Written:
    """The result of a write: created and updated keys, alerts, and rejected keys with their contact."""

    new: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)
    alerts: list[tuple[str, str]] = field(default_factory=list)
    refused: dict[str, tuple[str, bool]] = field(default_factory=dict)


def write(
    contacts: dict[str, Json],
    support: dict[str, Json],
    rows: dict[str, Json],
    wrote: dict[str, Json],
    now: int,
    read: set[str],
    refuses: Callable[[Json], bool],
) -> Written:
    """Update every row in place as of an instant; a row that the table rejects is unchanged."""
    done = Written()
    by_key: dict[str, list[Json]] = {}
    for contact in contacts.values():
        by_key.setdefault(contact["key"], []).append(contact)
    by_key.pop(None, None)  # type: ignore[call-overload]
    for key in {*by_key, *rows}:
        before, sharing, wrote_before = rows.get(key), by_key.get(key), wrote.get(key)
        after = dict(before or EMPTY)
        if sharing:
            _from_contact(after, key, sharing, support.get(key, NONE), before, wrote)
        elif key in wrote:
            after["intercom_deleted_at"] = min(after["intercom_deleted_at"] or now, now)
        else:
            after |= {name: NONE[name] for name in COUNTS}
        if sharing or key not in wrote:
            after["days_since_seen"] = _days(known(after["last_seen_at"]), now)
            after["quality_score"] = _quality(after, now)
        was_read = any(contact["id"] in read for contact in sharing or ())
        if refuses(after):
            done.refused[key] = (after["intercom_contact_id"], was_read)
            wrote.pop(key)
            wrote |= {key: wrote_before} if wrote_before else {}
            continue
        if before is None:
            done.new.add(key)
        elif was_read:
            done.updated.add(key)
        # A customer that stays deleted creates no alert, even if its deletion time was in the future.
        if before != after and (sharing or key not in wrote):
            is_known = before is not None and before["intercom_deleted_at"] is None
            done.alerts += [(kind, key) for kind in _alerts(before if before and is_known else EMPTY, after)]
        if before != after or was_read:
            after["last_intercom_sync"] = now
        # No time in the future is kept, as a sync with a fast clock writes it.
        after["last_intercom_sync"] = min(after["last_intercom_sync"] or 0, now) or None
        rows[key] = after
    _leave_ids(rows, {key for key in by_key if key not in done.refused})
    return done


def winners(contacts: dict[str, Json]) -> dict[str, str]:
    """The contact that gives each customer its values, by key."""
    by_key: dict[str, Json] = {}
    for contact in sorted(contacts.values(), key=_newest):
        by_key[contact["key"]] = contact
    return {key: contact["id"] for key, contact in by_key.items() if key is not None}


def _newest(contact: Json) -> tuple[Any, ...]:
    return contact["updated_at"], contact["created_at"], contact["id"]


def _leave_ids(rows: dict[str, Json], written: set[str]) -> None:
    """Remove a contact's id, which is unique, from all rows except that of its customer."""
    owners = {rows[key]["intercom_contact_id"]: key for key in written}
    for key, row in rows.items():
        if owners.get(row["intercom_contact_id"], key) != key:
            row["intercom_contact_id"] = None


def known(value: Any) -> Any:
    """Return a value as the sync reads it."""
    return None if isinstance(value, str) and value in STRANGE else value


def _from_contact(
    row: Json, key: str, sharing: list[Json], support: Json, before: Json | None, wrote: dict[str, Json]
) -> None:
    winner = max(sharing, key=_newest)
    given = {**winner, **support, "signup_date": winner["created_at"]}
    ours, writes = wrote.get(key, {}), {}
    for name in INTERCOM:
        writes[name] = given[name]
        if given[name] is not None:
            row[name] = given[name]
        elif row[name] == ours.get(name):
            row[name] = None
    theirs = row["name"] if (row["name"] or "").strip() and row["name"] != ours.get("name") else None
    writes["name"] = winner["name"] or (None if theirs else key.rpartition("@")[0])
    row["name"] = writes["name"] or theirs
    row |= {name: given[name] for name in COUNTS}
    row |= {"intercom_contact_id": winner["id"], "intercom_deleted_at": None}
    row["email"] = before["email"] if before else key
    wrote[key] = writes


def _days(seen: int | None, now: int) -> int | None:
    return None if seen is None else max((now - seen) // DAY, 0)


def _quality(row: Json, now: int) -> int:
    count = row["subscription_count"]
    active = count > 0 if count is not None else row["subscription_status"] == "active"
    seen, ltv = known(row["last_seen_at"]), known(row["ltv"])
    recent = seen is not None and seen >= now - 7 * DAY
    return (
        20 * bool(row["stripe_customer_id"])
        + 20 * active
        + 15 * ((ltv or 0) > 0)
        + 15 * recent
        + 10 * bool(row["location_country"] or row["location_city"])
        + 10 * (row["intercom_convos_total"] > 0)
        + 10 * (known(row["csat_score"]) is not None)
    )


def _alerts(before: dict[str, Any], after: Json) -> list[str]:
    old, new = known(before["mrr"]), known(after["mrr"])
    found = {
        "new_high_value": (new or 0) > 500 and (old or 0) <= 500,
        "cancel_mention": bool(after["mentioned_cancel"]) and not before["mentioned_cancel"],
        "payment_delinquent": bool(after["is_delinquent"]) and not before["is_delinquent"],
        "mrr_change": old is not None and new is not None and old > 0 and abs(new - old) > old * Decimal("0.5"),
    }
    return [kind for kind, is_so in found.items() if is_so]
