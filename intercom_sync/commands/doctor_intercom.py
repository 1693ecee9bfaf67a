"""What `intercom-sync doctor` checks at Intercom: the token, what it may read, and how the Stripe data is stored."""

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
"""Whether something is good, and the sentence that says so or what to do."""

_SAMPLE = 150


@dataclass(frozen=True)
class Workspace:
    """What the checks share: an open client, the settings, and what Intercom says of the app."""

    client: IntercomClient
    settings: Settings
    app: dict[str, Any]


def check_intercom(settings: Settings) -> Iterator[Line]:
    """Run every check of `WORKSPACE_CHECKS`; the first refusal ends them."""
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
    """Check that links in alerts open the app of the workspace's region."""
    reported, configured = region_of(workspace.app), workspace.settings.region
    if configured and reported and configured != reported:
        said = f"Intercom says {reported}, the settings say {configured}"
        yield False, f"region: {said}: set INTERCOM_REGION={reported} for the links"
    elif not reported and not configured:
        yield True, "region: Intercom does not say; links in alerts open the app of us: set INTERCOM_REGION for others"
    else:
        yield True, f"region: links in alerts open {WEB_APPS[configured or reported]}"


def _time_zone(workspace: Workspace) -> Iterator[Line]:
    yield True, f"time zone: {workspace.app.get('timezone', 'unknown')} (windows are right in any)"


def _agreement(workspace: Workspace) -> Iterator[Line]:
    """Compare the time and the workspace with the database's."""
    yield from check_agreement(workspace.client, workspace.settings)


def _contacts(workspace: Workspace) -> Iterator[Line]:
    contacts = _newest(workspace.client, CONTACTS)
    yield True, f"contacts: may be searched, {contacts['total_count']:,} there"
    yield True, f"conversations: may be searched, {_newest(workspace.client, CONVERSATIONS)['total_count']:,} there"
    yield from _stripe(contacts["data"], workspace.client.data_attributes(), workspace.settings.rules)


WORKSPACE_CHECKS: tuple[Callable[[Workspace], Iterator[Line]], ...] = (
    _token,
    _agreement,
    _region,
    _time_zone,
    _contacts,
)
"""Every check at Intercom, in the order of the lines."""


def _newest(client: IntercomClient, stream: Stream) -> dict[str, Any]:
    body = streams.search("updated_at", descending=True, after=1, before=None, cursor=None)
    return client.search(stream, body, PageSize(_SAMPLE))


def _stripe(contacts: list[Any], declared: list[dict[str, Any]], rules: Rules) -> Iterator[Line]:
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
        return parse_revenue(attributes, rules)
    except InvalidRecordError:
        return None


def _unit(revenues: list[Revenue]) -> Line:
    """Compare the flat last charge with the newest payment, whose unit is known."""
    pairs = [
        (revenue.last_payment_amount, revenue.newest_payment_amount, minor_units(revenue.currency))
        for revenue in revenues
        if revenue.last_payment_amount and revenue.newest_payment_amount
    ]
    off = sum(units > 1 and (newest == flat * units or flat == newest * units) for flat, newest, units in pairs)
    if off > len(pairs) / 2:
        return False, "unit of the last charge: off by 100 from the payments; switch INTERCOM_SYNC_LAST_CHARGE_UNIT"
    return (
        True,
        f"unit of the last charge: {f'agrees with {len(pairs)} payments' if pairs else 'no payment to compare'}",
    )
