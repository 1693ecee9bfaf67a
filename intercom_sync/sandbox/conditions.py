"""Compiled queries: conditions on stored records.

Date conditions use indexed time columns, so that common queries need no JSON; other conditions parse the record. An
unusable record (see `stored_record`) meets every condition.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from intercom_sync.sandbox.date_spans import Span
from intercom_sync.sandbox.fields import values
from intercom_sync.sandbox.stored_record import NULL, UNUSABLE, Record, load, usable_time


class Row:
    """A record during a query; its JSON is parsed at most once, when a condition needs it."""

    __slots__ = ("_value", "record")

    def __init__(self, record: Record) -> None:
        self.record = record
        self._value: Any = None

    @property
    def value(self) -> Any:
        """The parsed record, without the parts of a conversation."""
        if self._value is None:
            self._value = load(self.record.body)
        return self._value


@dataclass(frozen=True)
class Dates:
    """A time is in one of the spans, or, if negated, in none of them; null also meets a negated condition."""

    path: tuple[str, ...]
    column: int | None
    spans: tuple[Span, ...]
    negated: bool = False

    def met(self, row: Row) -> bool:
        """Return whether the record meets the condition."""
        time = row.record.times[self.column] if self.column is not None else self._read(row)
        return time == UNUSABLE or any(low <= time < high for low, high in self.spans) is not self.negated

    def _read(self, row: Row) -> int:
        found = values(row.value, self.path)
        return usable_time(found[0], nullable=True) if found else NULL


@dataclass(frozen=True)
class Test:
    """All values at a path pass a test together, because `!=` applies to every one of them."""

    path: tuple[str, ...]
    passes: Callable[[list[Any]], bool]

    def met(self, row: Row) -> bool:
        """Return whether the record meets the condition."""
        return not isinstance(row.value, dict) or self.passes(values(row.value, self.path))


@dataclass(frozen=True)
class Group:
    """A conjunction (`AND`) or disjunction (`OR`) of conditions."""

    all: bool
    inner: Sequence["Condition"]

    def met(self, row: Row) -> bool:
        """Return whether the record meets the condition."""
        return (all if self.all else any)(each.met(row) for each in self.inner)


Condition = Dates | Test | Group


def one_span(condition: Condition, column: int) -> Span | None:
    """Return the single span of a column that is equivalent to the condition, or None."""
    if isinstance(condition, Dates):
        is_single = condition.column == column and not condition.negated and len(condition.spans) == 1
        return condition.spans[0] if is_single else None
    if isinstance(condition, Group) and condition.all:
        spans = [one_span(each, column) for each in condition.inner]
        known = [span for span in spans if span is not None]
        if len(known) == len(spans):
            return max(low for low, _ in known), min(high for _, high in known)
    return None
