"""The server's URL as libpq, the ADBC driver and SQLAlchemy take it. Connecting belongs to `session`."""

import re
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit, urlunsplit

# A server or a network that has gone silent is given up after these, where the URL does not say otherwise.
_TIMEOUTS = {
    "connect_timeout": "10",  # seconds
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "6",
    "tcp_user_timeout": "120000",  # milliseconds
}


def plain_url(url: str) -> str:
    """Return a URL as libpq takes it: `postgresql://`, whatever driver a host's or SQLAlchemy's form names."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


def with_timeouts(url: str) -> str:
    """Return a URL with limits to how long a silent server is waited for; those that the URL names itself hold.

    Text is always sent and read as UTF-8, whatever the database's encoding and the URL say: the drivers expect it.
    """
    plain = _in_utf8(plain_url(url))
    given = parse_qs(urlsplit(plain).query, keep_blank_values=True)
    limits = urlencode({name: limit for name, limit in _TIMEOUTS.items() if name not in given})
    return f"{plain}{'&' if '?' in plain else '?'}{limits}" if limits else plain


def _in_utf8(url: str) -> str:
    parts = urlsplit(url)
    given = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "client_encoding"]
    query = urlencode([*given, ("client_encoding", "UTF8")], quote_via=quote)
    return urlunsplit(parts._replace(query=query))


def driver_url(url: str) -> str:
    """Return a URL as SQLAlchemy and Dagster's storage take it, naming the driver that dagster-postgres brings."""
    return re.sub(r"^postgresql://", "postgresql+psycopg2://", plain_url(url))
