"""A server that is slow is waited for; one that has gone silent is given up, where TCP can tell."""

import time
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from intercom_sync.warehouse.errors import DatabaseUnreachableError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.postgres.urls import with_timeouts
from intercom_sync_tests.survival.postgres import fixtures
from intercom_sync_tests.survival.postgres.conftest import Base
from intercom_sync_tests.survival.postgres.fixtures import THEN
from intercom_sync_tests.survival.postgres.tcp_proxy import TcpProxy


def test_a_slow_server_is_waited_for(base: Base) -> None:
    with TcpProxy(base.server.port, delay=0.005) as proxy:
        with fixtures.struck(base.sandbox, base.server, base.database, proxy.url_of("{database}")) as struck:
            struck.sync(THEN)
            assert struck.kept() == base.clean
        assert proxy.pieces > 200


def test_a_server_that_does_not_answer_a_connection_is_given_up(base: Base) -> None:
    with TcpProxy(base.server.port) as proxy:
        proxy.silent.set()
        begun = time.monotonic()
        with pytest.raises(DatabaseUnreachableError, match="timeout expired"):
            Session(proxy.url_of("postgres") + "&connect_timeout=2", "public")
        assert time.monotonic() - begun < 10


def test_a_server_that_takes_no_more_bytes_is_given_up(base: Base) -> None:
    rows = pl.DataFrame({"text": ["x" * 10_000] * 4_000})
    with (
        TcpProxy(base.server.port) as proxy,
        Session(proxy.url_of(base.database) + "&tcp_user_timeout=2000", "public") as session,
    ):
        proxy.silent_at = proxy.pieces + 50
        begun = time.monotonic()
        with pytest.raises(DatabaseUnreachableError, match="went away"), session.transaction():
            session.stage("many", rows)
        assert proxy.silent.is_set()
        assert time.monotonic() - begun < 30


def test_every_connection_has_limits_unless_the_url_names_its_own() -> None:
    assert parse_qs(urlsplit(with_timeouts("postgres://ada@host/db?connect_timeout=3")).query) == {
        "connect_timeout": ["3"],
        "keepalives_idle": ["30"],
        "keepalives_interval": ["10"],
        "keepalives_count": ["6"],
        "tcp_user_timeout": ["120000"],
        "client_encoding": ["UTF8"],
    }
    assert "connect_timeout=10" in with_timeouts("postgresql:///db")
