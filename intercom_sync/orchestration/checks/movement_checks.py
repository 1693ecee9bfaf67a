"""The checks on `mrr_movements`: the ledger is compared with what the sync last wrote."""

from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.reconciliation import CheckResult
from intercom_sync.orchestration.checks.build_checks import Check, none_of
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries import movement_summaries


def _add_up(session: Session, run_id: RunId) -> CheckResult:
    found = movement_summaries.totals(session)
    if not found.has_begun:
        return CheckResult(True, "The ledger begins with the first full sync.")
    number = found.different.count
    passed = not number and found.counted == found.moved
    return CheckResult(
        passed,
        f"The movements of every customer add up to the counted MRR, {found.counted:,.2f} in total."
        if passed
        else f"Customers whose movements do not add up to their counted MRR: {number}. All movements add up to "
        f"{found.moved:,.2f}; the counted MRR is {found.counted:,.2f}. Another program changed mrr_movements: restore "
        "it, or truncate it, and the next sync rebuilds it.",
        {"violations": number, "counted_mrr": float(found.counted), "moved_mrr": float(found.moved)},
        found.different.examples,
    )


def _kept(session: Session, run_id: RunId) -> CheckResult:
    if not movement_summaries.was_rebuilt(session, run_id):
        return CheckResult(True, "The ledger has all its movements.")
    return CheckResult(
        False,
        "mrr_movements was dropped or truncated. This sync rebuilt it with openings; the earlier movements are lost "
        "unless you restore them from a backup.",
    )


def _kinds(session: Session, run_id: RunId) -> CheckResult:
    return none_of(
        movement_summaries.unknown_kinds(session), "Movements of an unknown kind", "Every movement has a known kind."
    )


def _once(session: Session, run_id: RunId) -> CheckResult:
    return none_of(
        movement_summaries.moved_twice(session),
        "Customers with two movements of one sync",
        "No customer has two movements of one sync, but for a transfer and its remainder.",
    )


MOVEMENT_CHECKS = (
    Check(
        "movements_add_up",
        "For every customer and in total, the sum of the movements is the counted MRR: what the sync last wrote.",
        _add_up,
        error=True,
    ),
    Check("movement_kinds_known", "Every movement is of a known kind.", _kinds),
    Check(
        "one_movement_per_sync", "No customer has two movements of one sync; a transfer may leave a remainder.", _once
    ),
    Check("ledger_kept", "The sync found the ledger as the one before left it, neither dropped nor truncated.", _kept),
)
