"""The movements of each sync, one customer after another, by the specification's sentences; and what they add up to."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from intercom_sync_tests.model.valid_records import Json

ZERO = Decimal(0)
Movement = tuple[str, str, Decimal]
"""The customer's key, the kind, and the change."""


class Customer(NamedTuple):
    """What the sync last wrote of a customer that counts: MRR, contact and Stripe customer."""

    mrr: Decimal | None
    contact: str | None
    stripe: str | None

    @property
    def counted(self) -> Decimal:
        return self.mrr or ZERO


ABSENT = Customer(None, None, None)


class Ledger:
    """What the ledger must say.

    Attributes:
        counted: the counted MRR of each customer, to which its movements add up.
    """

    def __init__(self) -> None:
        self.counted: dict[str, Decimal] = {}
        self._customers: dict[str, Customer] = {}
        self._known: set[str] = set()
        self._paid: set[str] = set()
        self._is_open = False

    def sync(
        self, winners: dict[str, str], wrote: dict[str, Json], deleted: set[str], refused: set[str], merged: Any
    ) -> list[Movement]:
        """Return the movements of a sync.

        Args:
            winners: the contact that represents each customer that has one.
            wrote: what the sync itself wrote last, by key.
            deleted: customers that were marked as deleted before.
            refused: customers whose row the table refuses: nothing of them moves.
            merged: returns the contacts that one that is gone was merged into, nearest first.
        """
        written = {*winners} - refused  # a customer that was always refused has never been written
        after = {key: Customer(wrote[key]["mrr"], winners[key], wrote[key]["stripe_customer_id"]) for key in written}
        keys = sorted(({*self._customers} | {*winners}) - refused)
        net = dict.fromkeys(keys, ZERO)
        if self._is_open:
            for source, target, amount in self._transfers(keys, after, deleted, merged):
                net[source] -= amount
                net[target] += amount
        found = [one for key in keys for one in self._of(key, after.get(key), key in deleted, net[key])]
        for key in keys:
            self._keep(key, after.get(key))
        self._is_open = True
        return found

    def _of(self, key: str, now: Customer | None, was_deleted: bool, moved: Decimal) -> Iterator[Movement]:
        before, after = self.counted.get(key, ZERO), now.counted if now else ZERO
        if moved:
            yield key, "transfer", moved
        before += moved
        if before != after:
            yield key, self._kind(key, before, after, now, was_deleted), after - before

    def _kind(self, key: str, before: Decimal, after: Decimal, now: Customer | None, was_deleted: bool) -> str:
        if not self._is_open:
            return "opening"
        last = self._customers.get(key, ABSENT)
        if now and not was_deleted and key in self._customers:
            if (last.mrr is None) != (now.mrr is None) and key in self._known:
                return "correction"
            if last.contact != now.contact and last.stripe and now.stripe and last.stripe != now.stripe:
                return "correction"
        if before == 0:
            return "reactivation" if key in self._paid else "new"
        if after == 0:
            return "churn"
        return "expansion" if after > before else "contraction"

    def _transfers(
        self, keys: list[str], after: dict[str, Customer], deleted: set[str], merged: Any
    ) -> Iterator[tuple[str, str, Decimal]]:
        """Yield what left one email and appeared under another: by contacts first, then by Stripe customers."""
        source_balance = {key: self.counted.get(key, ZERO) for key in keys}
        target_balance = {key: after[key].counted for key in keys if key in after}
        for part in ("contact", "stripe"):
            for source in keys:
                entity = getattr(self._customers.get(source, ABSENT), part)
                if source in deleted or entity is None or entity == getattr(after.get(source, ABSENT), part):
                    continue
                entities = [entity, *(merged(entity) if part == "contact" else [])]
                for target in (
                    key for key in target_balance if key != source and getattr(after[key], part) in entities
                ):
                    its = getattr(after[target], part)
                    was_there = target not in deleted and getattr(self._customers.get(target, ABSENT), part) == its
                    gained = after[target].counted - (self.counted.get(target, ZERO) if was_there else ZERO)
                    amount = min(source_balance[source], target_balance[target], gained)
                    if amount > 0:
                        source_balance[source] -= amount
                        target_balance[target] -= amount
                        yield source, target, amount

    def _keep(self, key: str, now: Customer | None) -> None:
        self.counted[key] = now.counted if now else ZERO
        if now:
            self._customers[key] = now
            self._known |= {key} if now.mrr is not None else set()
        self._paid |= {key} if self.counted[key] > 0 else set()
