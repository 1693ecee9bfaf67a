"""The sign of life that a run renews every few seconds while its process works on it."""

import threading
from collections.abc import Callable

from intercom_sync.warehouse import liveness
from intercom_sync.warehouse.errors import DatabaseBusyError, DatabaseUnreachableError, WarehouseError
from intercom_sync.warehouse.session import Session

INTERVAL_SECONDS = 5.0
_beating: set[str] = set()
_lock = threading.Lock()


def keep_beating(connect: Callable[[], Session], run: str) -> None:
    """Renew a run's sign of life from a thread, until the run is closed or this process ends."""
    with _lock:
        if run in _beating:
            return
        _beating.add(run)
    threading.Thread(target=_beat, args=(connect, run), name="heartbeat", daemon=True).start()


def _beat(connect: Callable[[], Session], run: str) -> None:
    pause = threading.Event()
    try:
        while _is_open(connect, run):
            pause.wait(INTERVAL_SECONDS)
    finally:
        with _lock:
            _beating.discard(run)


def _is_open(connect: Callable[[], Session], run: str) -> bool:
    try:
        with connect() as session:
            return liveness.beat(session, run)
    except (DatabaseUnreachableError, DatabaseBusyError):
        return True  # it may come back
    except WarehouseError:
        return False
