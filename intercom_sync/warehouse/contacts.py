"""What share of the landed contacts can become customers: those with an email."""

from dataclasses import dataclass

from intercom_sync.warehouse.session import Session


@dataclass(frozen=True)
class EmailShares:
    """How many contacts there are, and how many have an email; users apart, as leads often have none."""

    contacts: int
    with_email: int
    users: int
    users_with_email: int


def email_shares(session: Session) -> EmailShares:
    """Count them."""
    user = "FILTER (WHERE role = 'user')"
    row = session.frame(
        f"SELECT count(*) AS contacts, count(email_key) AS with_email, count(*) {user} AS users, "
        f"count(email_key) {user} AS users_with_email FROM intercom_contacts"
    ).row(0, named=True)
    return EmailShares(**row)
