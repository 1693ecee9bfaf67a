"""`suppression_list`: erased people, whose records are not landed again. Entries are never removed.

Emails are stored as salted digests: a reader of the table can test an email but cannot read one. Contacts and their
conversations are stored by Intercom's ids, with their newest version, so that our counts can be reconciled with
Intercom's.
"""

from collections.abc import Iterable

import polars as pl

from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.warehouse.postgres.session import Session

# Computed by the database, because its lower-casing is also used to match customers.
_DIGEST = (
    "encode(sha256(convert_to((SELECT identifier FROM suppression_list WHERE kind = 'salt') || lower({email}), "
    "'UTF8')), 'hex')"
)
_CLAIMS = {"id": pl.String, "email": pl.String, "updated_at": pl.Int64}
Claim = tuple[str | None, str | None, int | None]
"""A contact's id, its email as given and trimmed, and its version; each None where unknown."""


def has_entries(session: Session) -> bool:
    """Return whether the list has entries. It is usually empty, and further queries are skipped then."""
    return bool(session.value("SELECT EXISTS (SELECT FROM suppression_list)"))


def add_email(session: Session, email: str) -> None:
    """Add an email to the list; idempotent. Runs inside the caller's transaction."""
    session.execute(
        "INSERT INTO suppression_list (kind, identifier) SELECT 'salt', gen_random_uuid()::text "
        "WHERE NOT EXISTS (SELECT FROM suppression_list WHERE kind = 'salt')"
    )
    session.execute(
        f"INSERT INTO suppression_list (kind, identifier) SELECT 'email', {_DIGEST.format(email='$1::text')} "
        "ON CONFLICT DO NOTHING",
        email,
    )


def match(session: Session, claims: Iterable[Claim]) -> pl.DataFrame:
    """Return the suppressed contacts: `place` in the input, `id`, `updated_at`, and whether the id is `new` here."""
    frame = pl.DataFrame(list(claims), schema=_CLAIMS, orient="row").with_row_index("place")
    session.stage("claimed", frame.cast({"place": pl.Int64}))
    by_id = "EXISTS (SELECT FROM suppression_list f WHERE f.kind = 'contact' AND f.identifier = c.id)"
    digest = _DIGEST.format(email="c.email")
    by_email = f"EXISTS (SELECT FROM suppression_list f WHERE f.kind = 'email' AND f.identifier = {digest})"
    return session.frame(
        f"SELECT c.place, c.id, c.updated_at, c.id IS NOT NULL AND NOT {by_id} AS new FROM claimed c "
        f"WHERE {by_id} OR {by_email} ORDER BY c.place"
    )


def suppressed_ids(session: Session, contacts: Iterable[str]) -> set[str]:
    """Return those of the contact ids that are on the list."""
    session.stage("named", pl.DataFrame({"id": list(contacts)}, schema={"id": pl.String}))
    return set(
        session.frame(
            "SELECT id FROM named WHERE id IN (SELECT identifier FROM suppression_list WHERE kind = 'contact')"
        )["id"]
    )


def add_records(session: Session, kind: RecordKind, versions: pl.DataFrame) -> None:
    """Upsert records to the list by `id` and `updated_at` (UNIX seconds). Runs inside the caller's transaction."""
    session.stage("forgetting", versions.select("id", "updated_at"))
    session.execute(
        "INSERT INTO suppression_list AS old (kind, identifier, updated_at) SELECT $1, id, "
        "to_timestamp(max(updated_at)) FROM forgetting WHERE id IS NOT NULL GROUP BY id "
        "ON CONFLICT (kind, identifier) DO UPDATE SET updated_at = GREATEST(old.updated_at, EXCLUDED.updated_at)",
        kind,
    )
