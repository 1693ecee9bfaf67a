"""Inject a fault at an exact point of a sync: a write to a table waits until the fault has been injected.

The wait is a trigger that sleeps; the statement, its transaction and its locks are real.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from intercom_sync_tests.survival.postgres.server import Server

_PATIENCE = 60
_HELD = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s"
_OFF = "UPDATE inject_fault.armed SET armed = FALSE"


@contextmanager
def inject_fault(
    server: Server, database: str, when: str, strike: Callable[[], object], on_cancel: str = "RAISE"
) -> Iterator[Event]:
    """Inject a fault once while the sync executes a statement; the event is set when it has been injected.

    Args:
        server: the server.
        database: the database.
        when: the statement, as in `AFTER INSERT ON revenue_metrics FOR EACH STATEMENT`.
        strike: the fault.
        on_cancel: the effect if the fault cancels the statement: it fails, or (NULL) continues.
    """
    struck, over = Event(), Event()

    def wait() -> None:
        while not over.is_set():
            ((held,),) = server.ask(_HELD, database)
            if held:
                # Later attempts do not wait.
                server.ask(_OFF, database=database)
                strike()
                struck.set()
                return
            time.sleep(0.02)

    server.ask(
        "CREATE SCHEMA inject_fault; CREATE TABLE inject_fault.armed AS SELECT TRUE AS armed; "
        "CREATE FUNCTION inject_fault.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF (SELECT armed FROM inject_fault.armed) THEN PERFORM pg_sleep({_PATIENCE}); END IF; RETURN NULL; "
        f"EXCEPTION WHEN query_canceled THEN {on_cancel}; RETURN NULL; END $$; "
        f"CREATE TRIGGER inject_fault {when} EXECUTE FUNCTION inject_fault.hold()",
        database=database,
    )
    thread = Thread(target=wait)
    thread.start()
    try:
        yield struck
    finally:
        over.set()
        thread.join()
