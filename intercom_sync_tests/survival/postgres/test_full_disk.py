"""The disk of the tables is full: a sentence, nothing half written, and right again when there is space."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from intercom_sync_tests.end_to_end.scenario import why
from intercom_sync_tests.survival.postgres import command, fixtures
from intercom_sync_tests.survival.postgres.conftest import Base
from intercom_sync_tests.survival.postgres.fault_injection import inject_fault
from intercom_sync_tests.survival.postgres.fixtures import THEN, WRITTEN, FaultyScenario
from intercom_sync_tests.survival.postgres.server import owned_by_server

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
_MEGABYTES = 24


@pytest.fixture(scope="module")
def small_disk() -> Iterator[Path]:
    """A file system of a few megabytes that the server may use."""
    folder = Path(tempfile.mkdtemp(prefix="intercom_sync_disk_"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "tmpfs", str(folder)], check=True)
    owned_by_server(folder)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture
def cramped(base: Base, small_disk: Path) -> Iterator[FaultyScenario]:
    """The scene with all its tables on the small disk."""
    base.server.ask(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    with fixtures.struck(base.sandbox, base.server, base.database) as made:
        base.server.ask(f"ALTER DATABASE {made.database} SET TABLESPACE small")
        yield made
    base.server.ask(f"DROP DATABASE {made.database}")
    base.server.ask("DROP TABLESPACE small")


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


@pytest.mark.parametrize("point", ["intercom_contacts", "revenue_metrics", "customer_alerts"])
def test_a_full_disk_is_a_sentence_and_nothing_is_half_written(
    base: Base, cramped: FaultyScenario, small_disk: Path, point: str
) -> None:
    before = cramped.kept(*WRITTEN)
    fillers = []

    def strike() -> None:
        fillers.append(_fill(small_disk))
        base.server.ask(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s",
            cramped.database,
        )

    at = f"BEFORE INSERT ON {point} FOR EACH STATEMENT"
    with inject_fault(base.server, cramped.database, at, strike, on_cancel="NULL"):
        failed = cramped.run(THEN)
    assert why(failed.result).startswith("PostgreSQL has no disk space left: free some and sync again: ")
    assert cramped.kept(*WRITTEN) == before
    fillers[0].unlink()
    cramped.sync(THEN)
    assert cramped.kept() == base.clean


def test_the_command_on_a_full_disk_ends_with_one_sentence(
    base: Base, cramped: FaultyScenario, small_disk: Path
) -> None:
    before = cramped.kept(*WRITTEN)
    filler = _fill(small_disk)
    ended = command.sync()
    filler.unlink()
    assert (ended.code, ended.printed, len(ended.told)) == (1, "", 1)
    assert ended.told[0].startswith("PostgreSQL has no disk space left: ")
    assert cramped.kept(*WRITTEN) == before
