"""How answers of the warehouse become verdicts: records that were refused, and rows that should not be there.

What is asked stands in the module of the asset.
"""

from collections.abc import Sequence

from intercom_sync.checks.declare import Ask
from intercom_sync.domain.verdicts import Verdict
from intercom_sync.warehouse.offenders import Offenders, offenders, refused
from intercom_sync.warehouse.session import Session


def none_refused(kind: str, reasons: Sequence[str], *, others: bool = False) -> Ask:
    """Return the question whether records are refused for these reasons, or for all others."""

    def ask(session: Session, run: str) -> Verdict:
        return refusals(refused(session, kind, reasons, others=others), kind)

    return ask


def refusals(found: dict[str, Offenders], kind: str) -> Verdict:
    """Word refused records: how many for each reason, and some of them."""
    number = sum(one.count for one in found.values())
    told = "; ".join(f"{reason}: {one.count}" for reason, one in found.items())
    return Verdict(
        not number,
        f"{kind.capitalize()}s left out until someone mends them in Intercom: {told}."
        if number
        else "None is refused.",
        {"rejected": number},
        [example for one in found.values() for example in one.examples],
    )


def ids_unique(kind: str) -> Ask:
    """Return the question whether each landed record stands once."""
    return no_row(
        f"SELECT id FROM intercom_{kind}s GROUP BY id HAVING count(*) > 1",
        f"{kind.capitalize()}s that stand more than once",
        "Each id stands once.",
    )


def no_row(query: str, wrong: str, right: str, *, personal: bool = False) -> Ask:
    """Return the question whether a query for offenders finds none; it selects one id or (personal) email each."""

    def ask(session: Session, run: str) -> Verdict:
        return none_of(offenders(session, query, personal=personal), wrong, right)

    return ask


def none_of(found: Offenders, wrong: str, right: str) -> Verdict:
    """Word the answer to a question for what should not be there."""
    sentence = f"{wrong}: {found.count}." if found.count else right
    return Verdict(not found.count, sentence, {"violations": found.count}, found.examples)
