"""A fixed world for tests without random data: a sandbox, a client and a store."""

from collections.abc import Iterator
from contextlib import contextmanager

from intercom_sync.sandbox.server import Sandbox
from intercom_sync_tests.model.harness import Harness
from intercom_sync_tests.model.pool import Pool
from intercom_sync_tests.model.run import Syncs
from intercom_sync_tests.model.store import THEIRS, Store
from intercom_sync_tests.model.world import World


@contextmanager
def tables(url: str, schema: str, theirs: str = THEIRS) -> Iterator[tuple[Pool, Store]]:
    """Open connections to one schema: the pool of the syncs, and one of another system, which adds its own columns."""
    pool, store = Pool(url, schema), Store(url, schema)
    store.query(f"ALTER TABLE unified_customers {theirs}")
    try:
        yield pool, store
    finally:
        pool.close()
        store.close()


@contextmanager
def syncs(
    world: World, pool: Pool, store: Store, *, version: str = "2.16", per_page: int = 150, bucket: int = 50_000
) -> Iterator[Syncs]:
    """Return the syncs of a world on empty tables."""
    store.empty()
    with Sandbox(world.company, clock=lambda: world.now) as sandbox:
        harness = Harness(world, sandbox, pool.connect, version, per_page, bucket)
        try:
            yield Syncs(world, harness, store)
        finally:
            harness.close()
