"""Intercom checks of `intercom-sync doctor`: token, permissions, region, and the format of the Stripe data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from intercom_sync.commands.doctor_agreement import check_agreement
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.revenue.contact_revenue import Revenue, parse_revenue
from intercom_sync.domain.revenue.money import minor_units
from intercom_sync.domain.rules import WEB_APPS, Rules
from intercom_sync.intercom import streams
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.errors import IntercomError
from intercom_sync.intercom.search_pages import PageSize
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, Stream
from intercom_sync.pipeline.workspace_identity import region_of
from intercom_sync.settings import Settings, SettingsError

Line = tuple[bool, str]
"""Whether a check passes, and a sentence with the result or what to do."""

_SAMPLE_RECORDS = 150


@dataclass(frozen=True)
class Workspace:
    """Context of the checks: an open client, the settings, and Intercom's description of the app."""

    client: IntercomClient
    settings: Settings
    app: dict[str, Any]


def check_intercom(settings: Settings) -> Iterator[Line]:
    """Run every check of `WORKSPACE_CHECKS` until Intercom rejects a request."""
    try:
        with IntercomClient(
            settings.require_api_key(), base_url=settings.base_url, version=settings.api_version
        ) as client:
            workspace = Workspace(client, settings, client.me().get("app") or {})
            for check in WORKSPACE_CHECKS:
                yield from check(workspace)
    except (IntercomError, SettingsError) as error:
        yield False, f"Intercom: {error}"


def _token(workspace: Workspace) -> Iterator[Line]:
    app = workspace.app
    yield True, f"token: workspace {app.get('id_code', 'unknown')}, region {app.get('region', 'unknown')}"


def _region(workspace: Workspace) -> Iterator[Line]:
    """Check that links in alerts open the workspace's region."""
    reported, configured = region_of(workspace.app), workspace.settings.region
    if configured and reported and configured != reported:
        yield (
            False,
            f"region: Intercom reports {reported}, the settings say {configured}: set INTERCOM_REGION={reported} "
            "so that links work",
        )
    elif not reported and not configured:
        yield True, "region: not reported by Intercom; links in alerts open region us: set INTERCOM_REGION to change it"
    else:
        yield True, f"region: links in alerts open {WEB_APPS[configured or reported]}"


def _time_zone(workspace: Workspace) -> Iterator[Line]:
    yield True, f"time zone: {workspace.app.get('timezone', 'unknown')} (windows are in UTC)"


def _agreement(workspace: Workspace) -> Iterator[Line]:
    """Compare clocks and workspace with those of the database."""
    yield from check_agreement(workspace.client, workspace.settings)


def _contacts(workspace: Workspace) -> Iterator[Line]:
    contacts = _newest(workspace.client, CONTACTS)
    yield True, f"contacts: search allowed, {contacts['total_count']:,} found"
    yield True, f"conversations: search allowed, {_newest(workspace.client, CONVERSATIONS)['total_count']:,} found"
    yield from _stripe(contacts["data"], workspace.client.data_attributes(), workspace.settings.rules)


WORKSPACE_CHECKS: tuple[Callable[[Workspace], Iterator[Line]], ...] = (
    _token,
    _agreement,
    _region,
    _time_zone,
    _contacts,
)
"""All Intercom checks, in output order."""


def _newest(client: IntercomClient, stream: Stream) -> dict[str, Any]:
    body = streams.search("updated_at", descending=True, after=1, before=None, cursor=None)
    return client.search(stream, body, PageSize(_SAMPLE_RECORDS))


def _stripe(contacts: list[Any], declared: list[dict[str, Any]], rules: Rules) -> Iterator[Line]:
    attributes = [c["custom_attributes"] for c in contacts if isinstance(c, dict) and c.get("custom_attributes")]
    known = {attribute.get("name") for attribute in declared} | {name for each in attributes for name in each}
    for one in fields(rules.attributes):
        name = getattr(rules.attributes, one.name)
        types = sorted({_describe_type(each[name]) for each in attributes if each.get(name) is not None})
        if name in known:
            yield True, f"attribute {name!r}: {', '.join(types) or 'present, empty in the newest contacts'}"
        else:
            yield (
                True,
                f"attribute {name!r}: not found; if it has another name, set {one.name} in INTERCOM_SYNC_ATTRIBUTES",
            )
    yield _check_last_charge_unit([revenue for each in attributes if (revenue := _revenue(each, rules))])


def _describe_type(value: object) -> str:
    if isinstance(value, dict):
        return f"object with {', '.join(sorted(set(value) & {'instances', 'data', 'items', 'type'})) or 'other keys'}"
    return {"str": "text", "int": "number", "float": "number", "bool": "true or false"}.get(
        type(value).__name__, type(value).__name__
    )


def _revenue(attributes: Any, rules: Rules) -> Revenue | None:
    try:
        return parse_revenue(attributes, rules)
    except InvalidRecordError:
        return None


def _check_last_charge_unit(revenues: list[Revenue]) -> Line:
    """Compare the last charge attribute with the newest payment, whose unit is known."""
    pairs = [
        (revenue.last_payment_amount, revenue.newest_payment_amount, minor_units(revenue.currency))
        for revenue in revenues
        if revenue.last_payment_amount and revenue.newest_payment_amount
    ]
    mismatches = sum(units > 1 and (newest == flat * units or flat == newest * units) for flat, newest, units in pairs)
    if mismatches > len(pairs) / 2:
        return (
            False,
            "unit of the last charge: differs from the payments by a factor of 100; "
            "change INTERCOM_SYNC_LAST_CHARGE_UNIT",
        )
    return (
        True,
        f"unit of the last charge: {f'agrees with {len(pairs)} payments' if pairs else 'no payment to compare'}",
    )
