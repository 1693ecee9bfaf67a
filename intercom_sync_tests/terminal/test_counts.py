"""What a sync in the foreground shows a person beyond the log entry: what became of the contacts, each counted once."""

from intercom_sync.sandbox.builders import contact
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.terminal.pseudo_terminal import START_SECONDS, started

_REJECTED = {"stripe_subscription_status": "no such status"}


def _company() -> Workspace:
    company = Workspace()
    for email in ("ann@example.com", " Ann@example.com", "bob@example.com", "cat@example.com", None, ""):
        company.put_contact(contact(email=email))
    company.put_contact(contact(email="dan@example.com", custom_attributes=_REJECTED))
    return company


def test_the_contacts_read_add_up_and_an_average_over_few_says_over_how_many(named: dict[str, str]) -> None:
    with Sandbox(_company()) as small, started(named | {"INTERCOM_BASE_URL": small.url}, "sync", "--full") as terminal:
        assert terminal.ends(START_SECONDS) == 0, terminal.output
    assert (
        "Contacts read: 7 = 3 customers + 1 merged by email + 2 without an email + "
        "1 rejected (rejected_records says why)\n"
        "The average quality is over 3 customers only.\n"
    ) in terminal.output
    assert "- Synced: 3 contacts\n- New: 3, Updated: 0, Skipped: 3\n" in terminal.output
