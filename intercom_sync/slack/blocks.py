"""Build Slack messages from pending alerts.

Up to `DIGEST_THRESHOLD` alerts of one run are a message each. More of them are one digest with counts by kind, the
largest customers by MRR, and a query for the rest. Messages keep Slack's limits: 50 blocks, 3,000 characters a text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from intercom_sync.domain.alerts import Alert
from intercom_sync.domain.incidents import INCIDENT_KINDS
from intercom_sync.domain.movements import SETTINGS
from intercom_sync.slack.formatting import KINDS, details, kind_of, line, summary

DIGEST_THRESHOLD = 5
"""Maximum number of alerts of one run that are sent one by one."""

SECTION_LIMIT = 3_000
_MAX_LISTED = 10


@dataclass(frozen=True)
class Message:
    """Hold one message.

    Attributes:
        ids: ids of its alerts.
        text: plain text, for notifications and as a fallback for the blocks.
        blocks: Slack's layout blocks; None after Slack has rejected them.
        operations: whether it is about incidents and not about customers; no message is about both.
    """

    ids: tuple[int, ...]
    text: str = field(repr=False)
    blocks: list[dict[str, Any]] | None = field(default=None, repr=False)
    operations: bool = False


def build_messages(pending: Iterable[Alert]) -> list[Message]:
    """Return the messages for all pending alerts, oldest first; each alert is in exactly one message."""
    groups: dict[tuple[str | None, bool], list[Alert]] = {}
    for alert in pending:
        # Incidents of all runs form one group, so that a bad week is not one message an hour.
        run_id = None if alert.kind in INCIDENT_KINDS else alert.run_id
        groups.setdefault((run_id, _is_of_rules(alert)), []).append(alert)
    messages = [
        replace(message, operations=group[0].kind in INCIDENT_KINDS)
        for group in groups.values()
        for message in _group_messages(group)
    ]
    return sorted(messages, key=lambda message: message.ids[0])


def _is_of_rules(alert: Alert) -> bool:
    """Whether changed revenue rules caused an alert: all of those are one message."""
    return bool(alert.details.get("movement_cause") == SETTINGS)


def _group_messages(group: Sequence[Alert]) -> Iterator[Message]:
    rejected = [alert for alert in group if alert.refusal_count]
    new = [alert for alert in group if not alert.refusal_count]
    for part in (new, rejected):
        if len(part) > (1 if _is_of_rules(group[0]) else DIGEST_THRESHOLD):
            yield _digest(part)
        else:
            yield from (_single(alert) for alert in part)


def _single(alert: Alert) -> Message:
    if alert.refusal_count:
        return Message((alert.id,), summary(alert))
    where = f"customer_alerts {alert.id}{_run(alert)} · {alert.created_at:%Y-%m-%d %H:%M} UTC"
    return Message((alert.id,), summary(alert), [_section(details(alert)), _context(where)])


def _digest(group: Sequence[Alert]) -> Message:
    """Combine alerts into one message; after a rejection it has counts only, which contain no customer text."""
    ordered = sorted(group, key=lambda alert: (_rank(alert), -alert.mrr, alert.id))
    kinds = [list(of_kind) for _, of_kind in groupby(ordered, key=lambda alert: alert.kind)]
    counts = ", ".join(kind_of(of_kind[0]).counted(len(of_kind)) for of_kind in kinds)
    ids = tuple(sorted(alert.id for alert in group))
    title = f"{len(group):,} alerts"
    if _is_of_rules(group[0]):
        title = f"Other revenue rules (a setting or an upgrade) caused {title}"
    text = f"{title}: {counts}"
    if any(alert.refusal_count for alert in group):
        return Message(ids, f"{text}. {_where(group)}")
    heading = {"type": "header", "text": {"type": "plain_text", "text": title}}
    return Message(ids, text, [heading, *(_list(of_kind) for of_kind in kinds), _context(_where(group))])


def _rank(alert: Alert) -> tuple[int, str]:
    order = list(KINDS)
    return (order.index(alert.kind) if alert.kind in order else len(order), alert.kind)


def _list(of_kind: Sequence[Alert]) -> dict[str, Any]:
    kind = kind_of(of_kind[0])
    heading = f"{kind.emoji} *{kind.counted(len(of_kind))}*"
    lines = [heading]
    size = len(heading)
    for alert in of_kind[:_MAX_LISTED]:
        entry = line(alert)
        if size + len(entry) > SECTION_LIMIT - 100:
            break
        lines.append(entry)
        size += len(entry) + 1
    hidden = len(of_kind) - len(lines) + 1
    return _section("\n".join([*lines, f"… and {hidden:,} more"] if hidden else lines))


def _where(group: Sequence[Alert]) -> str:
    runs = {alert.run_id for alert in group}
    first, last = min(alert.id for alert in group), max(alert.id for alert in group)
    condition = f"run = '{_run_id(group[0])}'" if len(runs) == 1 else f"id BETWEEN {first} AND {last}"
    return f"All of them: SELECT * FROM customer_alerts WHERE {condition} · {group[0].created_at:%Y-%m-%d %H:%M} UTC"


def _run(alert: Alert) -> str:
    return f" · run {_run_id(alert)}" if alert.run_id else ""


def _run_id(alert: Alert) -> str:
    return "".join(char for char in alert.run_id if char.isalnum() or char in "-_")[:80]


def _section(text: str) -> dict[str, Any]:
    # verbatim: Slack does not convert parts of the text to links, channels or mentions.
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}
