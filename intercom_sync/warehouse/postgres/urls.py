"""Database URLs in the forms that libpq, the ADBC driver and SQLAlchemy accept."""

import re
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit, urlunsplit

# Timeouts for an unresponsive server or network; parameters in the URL take precedence.
_TIMEOUTS = {
    "connect_timeout": "10",  # seconds
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "6",
    "tcp_user_timeout": "120000",  # milliseconds
}


def plain_url(url: str) -> str:
    """Return a URL in libpq's form, `postgresql://`, without a driver name."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


def with_timeouts(url: str) -> str:
    """Return a URL with timeouts for an unresponsive server; timeouts in the URL take precedence.

    The client encoding is always UTF-8, whatever the database and the URL say, because the drivers expect it.
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
    """Return a URL for SQLAlchemy and Dagster's storage, with the driver that dagster-postgres installs."""
    return re.sub(r"^postgresql://", "postgresql+psycopg2://", plain_url(url))
