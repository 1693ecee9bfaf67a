"""The deployment's Dagster instance: files in the home folder, storage in the sync's Postgres.

If DAGSTER_HOME is set, the instance there is used instead.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import yaml
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager

from intercom_sync.domain.window import Window
from intercom_sync.orchestration.partitions import WINDOW, partition_key, window_containing
from intercom_sync.settings import Settings, SettingsError
from intercom_sync.warehouse.postgres.connect import database_url, notice_broken_connections
from intercom_sync.warehouse.postgres.error_translation import from_storage
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.postgres.urls import driver_url, with_timeouts
from intercom_sync.warehouse.schema.dagster_schema import (
    choose_schema,
    claim_schema,
    lock_storages,
    storages_are_made,
)
from intercom_sync.warehouse.schema.migrate import create_schema

_NEVER = -1
_MAX_CONNECTIONS = 20
_CONFIGURATION = Path(__file__).with_name("dagster.yaml")


def use_instance(settings: Settings) -> None:
    """Configure this process and its children to use the deployment's Dagster instance, creating it if needed.

    Raises:
        SettingsError: the home folder cannot be used.
        WarehouseError: the database is unavailable.
    """
    if os.environ.get("DAGSTER_HOME"):
        _require_instance(Path(os.environ["DAGSTER_HOME"]))
        return
    folder = make_home(settings.home, "dagster")
    try:
        shutil.copyfile(_CONFIGURATION, folder / "dagster.yaml")
    except OSError as error:
        raise _unusable(folder / "dagster.yaml", error) from None
    url = database_url(settings)
    with Session(url, settings.schema_name) as session, session.transaction():
        name = choose_schema(session, settings.schema_name)
    create_schema(url, name)
    os.environ["INTERCOM_SYNC_DAGSTER_URL"] = _in_schema(driver_url(with_timeouts(url)), name)
    os.environ["DAGSTER_HOME"] = str(folder)
    _create_storage(settings, url, name)


def make_home(home: Path, *parts: str) -> Path:
    """Create the home folder or a subfolder and return its path.

    Raises:
        SettingsError: the folder cannot be created.
    """
    folder = home.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from None
    return folder


def _unusable(path: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"INTERCOM_SYNC_HOME is not right: it must be a folder that can be written to; {path} cannot "
        f"({error.strerror})."
    )


def _require_instance(folder: Path) -> None:
    """Validate DAGSTER_HOME before anything starts.

    Raises:
        SettingsError: it is not a folder, or its dagster.yaml cannot be read.
    """
    requirement = "DAGSTER_HOME is not right: it must be the absolute path of a folder"
    if not folder.is_absolute() or not folder.is_dir():
        raise SettingsError(f"{requirement} that exists, not {folder}. Unset it to use an instance in the home folder.")
    file = folder / "dagster.yaml"
    try:
        yaml.safe_load(file.read_bytes() if file.exists() else b"")
    except OSError as error:
        raise SettingsError(f"{requirement} whose dagster.yaml can be read ({error.strerror}).") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "unknown"
        raise SettingsError(f"{requirement} whose dagster.yaml is YAML; line {line} of {file} is not.") from None


def _create_storage(settings: Settings, url: str, name: str) -> None:
    """Create Dagster's tables under a lock: Dagster fails if two processes create them at the same time."""
    with Session(url, name) as session, session.transaction():
        lock_storages(session)
        if not storages_are_made(session, name):
            with translate_storage_errors(settings), dg.DagsterInstance.get():
                pass
        claim_schema(session, name, settings.schema_name)


@contextmanager
def translate_storage_errors(settings: Settings) -> Iterator[None]:
    """Translate errors of Dagster's storage, which is in the same database, to warehouse errors.

    Raises:
        WarehouseError: the database is unavailable, busy or rejects the statement.
    """
    logging.getLogger().addFilter(_is_not_retry_message)
    try:
        yield
    except Exception as error:
        if translated := from_storage(error, settings.database_url):
            raise translated from None
        raise
    finally:
        logging.getLogger().removeFilter(_is_not_retry_message)


def use_pooled_connections(instance: dg.DagsterInstance) -> None:
    """Pool Dagster's connections, as its web server does; without a pool a sync opens about 400 of them.

    A connection that a server restart has broken is replaced before use.
    """
    notice_broken_connections()
    for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
        if storage:
            storage.optimize_for_webserver(statement_timeout=0, pool_recycle=_NEVER, max_overflow=_MAX_CONNECTIONS)


def capture_no_output(instance: dg.DagsterInstance) -> None:
    """Disable the capture of standard output and error for a run in this process.

    Dagster captures them in helper processes, and each of them prints a traceback on Ctrl-C.
    """
    instance._compute_log_manager = NoOpComputeLogManager()
    instance._compute_log_manager.register_instance(instance)


def _is_not_retry_message(record: logging.LogRecord) -> bool:
    """Return whether a log record is anything but Dagster's message about a connection retry."""
    return not record.getMessage().startswith("Retrying failed database connection")


def _in_schema(url: str, schema: str) -> str:
    separator = "&" if "?" in url else "?"
    # Dagster commits each event separately. A server crash may lose the last events, as a worker crash does. The
    # sync's own tables are written with synchronous commits.
    options = quote(f'-csearch_path="{schema}" -csynchronous_commit=off')
    return f"{url}{separator}options={options}"


_MAX_PARTITIONS = 28
"""One week. Each window costs one event per asset, and reporting must not take longer than the extraction."""


def report_partitions(
    instance: dg.DagsterInstance,
    run_id: str,
    covered: Window,
    assets: list[dg.AssetKey],
    partitions: dg.PartitionsDefinition,
) -> list[str]:
    """Report the newest complete windows before the run's own as materialized by it.

    Args:
        instance: the Dagster instance.
        run_id: the run that covered the windows.
        covered: the time range that the run extracted.
        assets: the assets to report.
        partitions: their windows.

    Returns:
        The partition keys, newest first.
    """
    window = window_containing(covered.end)
    keys = []
    for _ in range(_MAX_PARTITIONS):
        window = Window(window.start - WINDOW, window.start)
        # The first sync after a gap starts inside a window whose beginning the previous sync extracted.
        if window.end <= covered.start or not partitions.has_partition_key(partition_key(window)):
            break
        keys.append(partition_key(window))
    for key in keys:
        for asset in assets:
            event = dg.AssetMaterialization(asset, partition=key, metadata={"covered_by_run": run_id})
            instance.report_runless_asset_event(event)
    return keys
