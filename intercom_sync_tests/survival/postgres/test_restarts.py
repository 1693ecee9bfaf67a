"""The server is restarted in the middle of a sync: one sentence, nothing half written, and the next sync is right."""

import pytest

from intercom_sync_tests.end_to_end.scenario import why
from intercom_sync_tests.survival.postgres.conftest import Base
from intercom_sync_tests.survival.postgres.fault_injection import inject_fault
from intercom_sync_tests.survival.postgres.fixtures import THEN, WRITTEN, FaultyScenario

_POINTS = [
    "AFTER INSERT ON intercom_contacts FOR EACH STATEMENT",
    "AFTER INSERT ON intercom_messages FOR EACH STATEMENT",
    "AFTER INSERT ON revenue_metrics FOR EACH STATEMENT",
    "AFTER INSERT ON support_metrics FOR EACH STATEMENT",
    "AFTER UPDATE ON unified_customers FOR EACH STATEMENT",
    "AFTER INSERT ON customer_alerts FOR EACH STATEMENT",
    "AFTER UPDATE ON sync_runs FOR EACH ROW WHEN (NEW.status = 'succeeded')",
]


@pytest.mark.parametrize(
    ("point", "mode"), [*((point, "fast") for point in _POINTS), *((point, "immediate") for point in _POINTS[::2])]
)
def test_a_restart_while_the_sync_writes_leaves_nothing_half_written(
    base: Base, struck: FaultyScenario, point: str, mode: str
) -> None:
    before = struck.kept(*WRITTEN)
    with inject_fault(base.server, struck.database, point, lambda: base.server.restart(mode)) as hit:
        failed = struck.run(THEN)
    assert hit.is_set()
    assert not failed.result.success
    assert why(failed.result).startswith("PostgreSQL went away: ")
    assert struck.kept(*WRITTEN) == before
    assert struck.sessions() == 0
    struck.sync(THEN)
    assert struck.kept() == base.clean
