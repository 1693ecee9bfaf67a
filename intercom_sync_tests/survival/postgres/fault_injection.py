"""Strike a server at an exact point of a sync: when it writes to a table, it is held there until it has been struck.

The hold is a trigger that sleeps: the statement, its transaction and its locks are real.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from intercom_sync_tests.survival.postgres.server import Server

_PATIENCE = 60
_HELD = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s"
_OFF = "UPDATE ambush.armed SET armed = FALSE"


@contextmanager
def ambush(
    server: Server, database: str, when: str, strike: Callable[[], object], on_cancel: str = "RAISE"
) -> Iterator[Event]:
    """Strike once, while the sync is at a statement; the event says that it was struck.

    Args:
        server: the server.
        database: the database on it.
        when: the statement, as in `AFTER INSERT ON revenue_metrics FOR EACH STATEMENT`.
        strike: what happens then.
        on_cancel: what becomes of the statement when the strike cancels it: it fails, or (NULL) is only let go.
    """
    struck, over = Event(), Event()

    def wait() -> None:
        while not over.is_set():
            ((held,),) = server.ask(_HELD, database)
            if held:
                # No later try is held there.
                server.ask(_OFF, database=database)
                strike()
                struck.set()
                return
            time.sleep(0.02)

    server.ask(
        "CREATE SCHEMA ambush; CREATE TABLE ambush.armed AS SELECT TRUE AS armed; "
        "CREATE FUNCTION ambush.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF (SELECT armed FROM ambush.armed) THEN PERFORM pg_sleep({_PATIENCE}); END IF; RETURN NULL; "
        f"EXCEPTION WHEN query_canceled THEN {on_cancel}; RETURN NULL; END $$; "
        f"CREATE TRIGGER ambush {when} EXECUTE FUNCTION ambush.hold()",
        database=database,
    )
    thread = Thread(target=wait)
    thread.start()
    try:
        yield struck
    finally:
        over.set()
        thread.join()
