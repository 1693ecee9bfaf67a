"""The compiled form of a query: conditions that a stored record meets or not.

Dates are spans over the columns kept beside the records, so that the common queries need no JSON; everything else
reads the record. A wild record (see `records`) meets every condition.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from intercom_sync.sandbox.date_spans import Span
from intercom_sync.sandbox.fields import values
from intercom_sync.sandbox.stored_record import NULL, UNUSABLE, Record, load, usable_time


class Row:
    """A record while a query looks at it; its JSON is read once, and only when a condition needs it."""

    __slots__ = ("_value", "record")

    def __init__(self, record: Record) -> None:
        self.record = record
        self._value: Any = None

    @property
    def value(self) -> Any:
        """The record's value, without a conversation's parts."""
        if self._value is None:
            self._value = load(self.record.body)
        return self._value


@dataclass(frozen=True)
class Dates:
    """A time lies in one of the spans, or in none of them when negated (then null meets it too)."""

    way: tuple[str, ...]
    column: int | None
    spans: tuple[Span, ...]
    negated: bool = False

    def met(self, row: Row) -> bool:
        """Whether the record meets the condition."""
        moment = row.record.times[self.column] if self.column is not None else self._read(row)
        return moment == UNUSABLE or any(low <= moment < high for low, high in self.spans) is not self.negated

    def _read(self, row: Row) -> int:
        found = values(row.value, self.way)
        return usable_time(found[0], nullable=True) if found else NULL


@dataclass(frozen=True)
class Test:
    """The values at a place pass a test; all of them go in at once, as `!=` is about every one."""

    way: tuple[str, ...]
    passes: Callable[[list[Any]], bool]

    def met(self, row: Row) -> bool:
        """Whether the record meets the condition."""
        return not isinstance(row.value, dict) or self.passes(values(row.value, self.way))


@dataclass(frozen=True)
class Group:
    """All (`AND`) or any (`OR`) of several conditions."""

    all: bool
    inner: Sequence["Condition"]

    def met(self, row: Row) -> bool:
        """Whether the record meets the condition."""
        return (all if self.all else any)(each.met(row) for each in self.inner)


Condition = Dates | Test | Group


def one_span(condition: Condition, column: int) -> Span | None:
    """The single span of a column that the condition comes to, or None when there is more to it."""
    if isinstance(condition, Dates):
        plain = condition.column == column and not condition.negated and len(condition.spans) == 1
        return condition.spans[0] if plain else None
    if isinstance(condition, Group) and condition.all:
        spans = [one_span(each, column) for each in condition.inner]
        known = [span for span in spans if span is not None]
        if len(known) == len(spans):
            return max(low for low, _ in known), min(high for _, high in known)
    return None
