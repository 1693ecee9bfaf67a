"""What a session says when the database refuses: a sentence for a person, without values and without the password."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import adbc_driver_manager
import polars as pl
import pytest

from intercom_sync.warehouse.errors import DatabaseBusyError, DatabaseRefusedError, DatabaseUnreachableError
from intercom_sync.warehouse.postgres.session import Session, quoted
from intercom_sync.warehouse.postgres.urls import driver_url, plain_url

Connect = Callable[[], Session]


@pytest.mark.parametrize("password", ["s3cret", "s%40cr%2Fet", "p%3Dq"])
def test_an_unreachable_server_is_named_without_the_password(password: str) -> None:
    with pytest.raises(DatabaseUnreachableError) as refused:
        Session(f"postgresql://ada:{password}@127.0.0.1:1/none", "public")
    told = str(refused.value)
    assert "INTERCOM_SYNC_DATABASE_URL" in told
    assert password not in told
    assert not {"s@cr/et", "p=q"} & set(told.split())
    assert "\n" not in told


def test_a_missing_database_says_so(database_url: str) -> None:
    missing = database_url.replace("/postgres?", "/no_such_one?")
    with pytest.raises(DatabaseUnreachableError, match=r"no_such_one.*INTERCOM_SYNC_DATABASE_URL"):
        Session(missing, "public")


def test_a_refused_statement_tells_neither_its_text_nor_its_values(connect: Connect) -> None:
    with connect() as session:
        insert = "INSERT INTO unified_customers (email) VALUES ('ada@example.com')"
        with session.transaction():
            session.execute(insert)
        with pytest.raises(DatabaseRefusedError) as refused, session.transaction():
            session.execute(insert)
        assert "unified_customers_lower_email" in str(refused.value)
        assert "ada@example.com" not in str(refused.value)
        assert "INSERT" not in str(refused.value)
        # The session goes on.
        assert session.value("SELECT count(*) FROM unified_customers") == 1


def test_a_role_that_may_not_be_idle_in_a_transaction_may_be_in_ours(database_url: str) -> None:
    with Session(f"{database_url}&options=-cidle_in_transaction_session_timeout%3D1h", "public") as session:
        assert session.value("SELECT current_setting('idle_in_transaction_session_timeout')") == "0"


def test_a_connection_that_breaks_is_a_matter_of_trying_again(connect: Connect) -> None:
    with connect() as session, connect() as other:
        pid = session.value("SELECT pg_backend_pid()")
        with other.transaction():
            other.execute(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(DatabaseUnreachableError, match="went away"), session.transaction():
            session.value("SELECT 1")


def test_giving_way_to_another_writer_is_a_matter_of_trying_again(connect: Connect) -> None:
    """What REPEATABLE READ does where a row changed after the transaction's one moment."""
    take = "UPDATE unified_customers SET name = 'taken'"
    with connect() as session, connect() as other:
        with other.transaction():
            other.execute("INSERT INTO unified_customers (email) VALUES ('ada@example.com')")
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.value("SELECT count(*) FROM unified_customers")
        with other.transaction():
            other.execute(take)
        with (
            pytest.raises(DatabaseBusyError, match=r"another program writes to unified_customers: sync"),
            session.transaction(),
        ):
            session.execute(take)
        with session.transaction():
            session.execute(take)


def _insert_and_fail(session: Session) -> None:
    with session.transaction():
        session.execute("INSERT INTO unified_customers (email) VALUES ('a@b')")
        raise KeyError


def test_a_transaction_is_all_or_nothing(connect: Connect) -> None:
    with connect() as session:
        with pytest.raises(KeyError):
            _insert_and_fail(session)
        assert session.value("SELECT count(*) FROM unified_customers") == 0


def test_staging_replaces_and_staging_more_adds(connect: Connect) -> None:
    frame = pl.DataFrame({"id": ["a", "b"]})
    with connect() as session, session.transaction():
        session.stage("things", frame)
        session.stage("things", frame)
        assert session.value("SELECT count(*) FROM things") == 2
        session.append_staged("things", frame)
        assert session.value("SELECT count(*) FROM things") == 4


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_every_spelling_of_a_postgres_address_is_understood(scheme: str) -> None:
    assert plain_url(f"{scheme}://ada@host/db") == "postgresql://ada@host/db"
    assert driver_url(f"{scheme}://ada@host/db") == "postgresql+psycopg2://ada@host/db"


def test_an_identifier_cannot_end_its_quotes() -> None:
    assert quoted('a"b') == '"a""b"'


def test_connections_open_and_close_one_at_a_time(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the driver miscounts them, about once in a hundred thousand times: too seldom to wait for."""
    under_way: list[str] = []
    at_once: set[int] = set()

    @contextmanager
    def seen(what: str) -> Iterator[None]:
        under_way.append(what)
        time.sleep(0.002)
        at_once.add(len(under_way))
        try:
            yield
        finally:
            under_way.remove(what)

    class Watched(adbc_driver_manager.AdbcConnection):
        def __init__(self, *values: Any, **named: Any) -> None:
            with seen("opening"):
                super().__init__(*values, **named)

        def close(self) -> None:
            with seen("closing"):
                super().close()

    monkeypatch.setattr(adbc_driver_manager, "AdbcConnection", Watched)
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(lambda: connect().close()) for _ in range(20)]:
            done.result()
    assert at_once == {1}
