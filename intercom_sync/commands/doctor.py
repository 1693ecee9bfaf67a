"""`intercom-sync doctor`: what a sync needs, looked at one by one; a line each, good or what to do."""

import sys
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from intercom_sync.domain.rejection import RejectionError
from intercom_sync.domain.report import harmless
from intercom_sync.domain.revenue import Revenue, read_revenue
from intercom_sync.domain.rules import Rules
from intercom_sync.intercom import queries
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.errors import IntercomError
from intercom_sync.intercom.pages import PageSize
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, Stream
from intercom_sync.settings import Settings, SettingsError
from intercom_sync.warehouse.connect import open_warehouse
from intercom_sync.warehouse.errors import WarehouseError

_SAMPLE = 150


def doctor(settings: Settings) -> int:
    """Print what is good and what to do; return 0 when a sync can run, 1 when not."""
    found = [*_intercom(settings), *_database(settings), *_slack(settings)]
    for good, line in found:
        print(f"{'ok  ' if good else 'MEND'}  {harmless(line)}", file=sys.stdout)
    return 0 if all(good for good, _ in found) else 1


def _intercom(settings: Settings) -> Iterator[tuple[bool, str]]:
    try:
        with IntercomClient(
            settings.require_api_key(), base_url=settings.base_url, version=settings.api_version
        ) as client:
            app = client.me().get("app") or {}
            yield True, f"token: workspace {app.get('id_code', 'unknown')}, region {app.get('region', 'unknown')}"
            yield True, f"time zone: {app.get('timezone', 'unknown')} (windows are right in any)"
            contacts = _newest(client, CONTACTS)
            yield True, f"contacts: may be searched, {contacts['total_count']:,} there"
            yield True, f"conversations: may be searched, {_newest(client, CONVERSATIONS)['total_count']:,} there"
            yield from _stripe(contacts["data"], client.data_attributes(), settings.rules)
    except (IntercomError, SettingsError) as error:
        yield False, f"Intercom: {error}"


def _newest(client: IntercomClient, stream: Stream) -> dict[str, Any]:
    body = queries.search("updated_at", descending=True, after=1, before=None, cursor=None)
    return client.search(stream, body, PageSize(_SAMPLE))


def _stripe(contacts: list[Any], declared: list[dict[str, Any]], rules: Rules) -> Iterator[tuple[bool, str]]:
    attributes = [c["custom_attributes"] for c in contacts if isinstance(c, dict) and c.get("custom_attributes")]
    known = {one.get("name") for one in declared} | {name for each in attributes for name in each}
    for one in fields(rules.attributes):
        name = getattr(rules.attributes, one.name)
        shapes = sorted({_shape(each[name]) for each in attributes if each.get(name) is not None})
        if name in known:
            yield True, f"attribute {name!r}: {', '.join(shapes) or 'there, empty in the newest contacts'}"
        else:
            yield (
                True,
                f"attribute {name!r}: not there; if it has another name, give {one.name} in INTERCOM_SYNC_ATTRIBUTES",
            )
    yield _unit([revenue for each in attributes if (revenue := _revenue(each, rules))])


def _shape(value: object) -> str:
    if isinstance(value, dict):
        return f"object with {', '.join(sorted(set(value) & {'instances', 'data', 'items', 'type'})) or 'other keys'}"
    return {"str": "text", "int": "number", "float": "number", "bool": "true or false"}.get(
        type(value).__name__, type(value).__name__
    )


def _revenue(attributes: Any, rules: Rules) -> Revenue | None:
    try:
        return read_revenue(attributes, rules)
    except RejectionError:
        return None


def _unit(revenues: list[Revenue]) -> tuple[bool, str]:
    """Compare the flat last charge with the newest payment, whose unit is known."""
    pairs = [
        (revenue.last_payment_amount, revenue.newest_payment_amount)
        for revenue in revenues
        if revenue.last_payment_amount and revenue.newest_payment_amount
    ]
    hundredfold = sum(newest == flat * factor for flat, newest in pairs for factor in (100, Decimal("0.01")))
    if hundredfold > len(pairs) / 2:
        return False, "unit of the last charge: off by 100 from the payments; switch INTERCOM_SYNC_LAST_CHARGE_UNIT"
    return (
        True,
        f"unit of the last charge: {f'agrees with {len(pairs)} payments' if pairs else 'no payment to compare'}",
    )


def _database(settings: Settings) -> Iterator[tuple[bool, str]]:
    try:
        with open_warehouse(settings)() as session, session.transaction():
            version = session.value("SELECT current_setting('server_version')")
            where = "the named server" if settings.database_url else f"embedded under {settings.home}"
            yield True, f"database: PostgreSQL {version}, {where}, tables up to date in schema {settings.schema}"
    except WarehouseError as error:
        yield False, f"database: {error}"


def _slack(settings: Settings) -> Iterator[tuple[bool, str]]:
    if not settings.slack_token:
        yield True, "Slack: no SLACK_BOT_TOKEN; alerts stay readable in customer_alerts"
        return
    try:
        answer = WebClient(settings.slack_token, base_url=settings.slack_api_url, timeout=10).auth_test()
        yield True, f"Slack: bot of {answer.get('team', 'unknown')}, channel {settings.slack_channel}"
    except SlackApiError as error:
        yield False, f"Slack: SLACK_BOT_TOKEN is refused ({error.response['error']})"
    except (SlackClientError, OSError) as error:
        yield False, f"Slack: cannot be reached at SLACK_API_URL ({type(error).__name__})"
