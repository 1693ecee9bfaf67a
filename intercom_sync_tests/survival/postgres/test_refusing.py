"""The server is there and will not do: read-only, a standby, or too old."""

from collections.abc import Iterator

import pytest

from intercom_sync.commands.doctor import doctor
from intercom_sync.settings import Settings
from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.schema.migrate import prepare
from intercom_sync_tests.end_to_end.scenario import why
from intercom_sync_tests.survival.postgres import command
from intercom_sync_tests.survival.postgres.conftest import Base
from intercom_sync_tests.survival.postgres.fixtures import THEN, FaultyScenario
from intercom_sync_tests.survival.postgres.tcp_proxy import TcpProxy

_READ_ONLY = "PostgreSQL is read-only: name a primary server in INTERCOM_SYNC_DATABASE_URL: "


@pytest.fixture(params=["default_transaction_read_only", "hot standby"])
def read_only(request: pytest.FixtureRequest, base: Base, struck: FaultyScenario) -> Iterator[FaultyScenario]:
    """The scene on a server that takes no writes."""
    base.server.stop()
    signal = base.server.data / "standby.signal"
    if request.param == "hot standby":
        signal.touch(0o644)
        base.server.start()
    else:
        base.server.start("default_transaction_read_only=on")
    yield struck
    base.server.stop("fast" if request.param != "hot standby" else "immediate")
    signal.unlink(missing_ok=True)
    base.server.start()


def test_a_read_only_server_is_one_sentence(base: Base, read_only: FaultyScenario) -> None:
    before = read_only.kept()
    ended = command.sync()
    assert (ended.code, ended.printed, len(ended.told)) == (1, "", 1)
    assert ended.told[0].startswith(_READ_ONLY)
    failed = read_only.execute(THEN)
    assert why(failed).startswith(_READ_ONLY)
    assert read_only.kept() == before
    assert read_only.sessions() == 0


def test_a_read_only_server_without_our_tables_is_the_same_sentence(base: Base, read_only: FaultyScenario) -> None:
    with pytest.raises(DatabaseRefusedError, match=_READ_ONLY):
        prepare(base.server.url, "none_yet")


def test_a_server_older_than_15_is_one_sentence_that_says_so(base: Base) -> None:
    ((version,),) = base.server.ask("SELECT current_setting('server_version_num')")
    with (
        TcpProxy(base.server.port, answer=lambda told: told.replace(version.encode(), b"140012")) as proxy,
        pytest.raises(DatabaseRefusedError) as refused,
    ):
        prepare(proxy.url_of(base.database), "public")
    assert str(refused.value) == (
        "PostgreSQL 14 is too old: 15 or newer is needed; name one in INTERCOM_SYNC_DATABASE_URL."
    )


def test_the_doctor_names_the_version(base: Base, struck: FaultyScenario, capsys: pytest.CaptureFixture[str]) -> None:
    doctor(Settings.load())
    assert f"ok    database: PostgreSQL {base.server.version}." in capsys.readouterr().out
