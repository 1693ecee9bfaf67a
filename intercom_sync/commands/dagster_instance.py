"""The Dagster instance that the commands use: its files under the home folder, its storage in our Postgres.

Somebody who sets DAGSTER_HOME has an instance of their own, and keeps it.
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
from intercom_sync.orchestration.partitions import WINDOW, partition_key, six_hour_partitions, window_containing
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
_CONNECTIONS = 20
_CONFIGURATION = Path(__file__).with_name("dagster.yaml")


def use_instance(settings: Settings) -> None:
    """Point this process and its children at the deployment's Dagster instance, made when absent.

    Raises:
        SettingsError: the home folder cannot be used.
        WarehouseError: the database is not to be had.
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
    _make_tables(settings, url, name)


def make_home(home: Path, *parts: str) -> Path:
    """Make the home folder, or one under it, and return it.

    Raises:
        SettingsError: it cannot be made.
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
    """Refuse a DAGSTER_HOME that Dagster could not start with, before anything starts.

    Raises:
        SettingsError: it is no folder, or its dagster.yaml cannot be read.
    """
    right = "DAGSTER_HOME is not right: it must be the absolute path of a folder"
    if not folder.is_absolute() or not folder.is_dir():
        raise SettingsError(f"{right} that exists, not {folder}. Without it the sync has an instance of its own.")
    file = folder / "dagster.yaml"
    try:
        yaml.safe_load(file.read_bytes() if file.exists() else b"")
    except OSError as error:
        raise SettingsError(f"{right} whose dagster.yaml can be read ({error.strerror}).") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "unknown"
        raise SettingsError(f"{right} whose dagster.yaml is YAML; line {line} of {file} is not.") from None


def _make_tables(settings: Settings, url: str, name: str) -> None:
    """Let Dagster make its tables, one process at a time: it fails when another makes them at the same moment."""
    with Session(url, name) as session, session.transaction():
        lock_storages(session)
        if not storages_are_made(session, name):
            with translate_storage_errors(settings), dg.DagsterInstance.get():
                pass
        claim_schema(session, name, settings.schema_name)


@contextmanager
def translate_storage_errors(settings: Settings) -> Iterator[None]:
    """Say in one sentence what goes wrong with Dagster's storage, which lies in the same database.

    Raises:
        WarehouseError: the database is away, busy or refuses.
    """
    logging.getLogger().addFilter(_is_news)
    try:
        yield
    except Exception as error:
        if told := from_storage(error, settings.database_url):
            raise told from None
        raise
    finally:
        logging.getLogger().removeFilter(_is_news)


def use_pooled_connections(instance: dg.DagsterInstance) -> None:
    """Keep Dagster's connections open, as its web server does; it would open 400 of them for a sync, one a step.

    One that a restart of the server broke is noticed and made anew before it is used.
    """
    notice_broken_connections()
    for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
        if storage:
            storage.optimize_for_webserver(statement_timeout=0, pool_recycle=_NEVER, max_overflow=_CONNECTIONS)


def capture_no_output(instance: dg.DagsterInstance) -> None:
    """Leave standard output and error to the terminal during a run in this process.

    Dagster copies them to files by helper processes, which would die with a traceback each when a person types Ctrl-C.
    """
    instance._compute_log_manager = NoOpComputeLogManager()
    instance._compute_log_manager.register_instance(instance)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record says more than that Dagster tries to connect once more."""
    return not record.getMessage().startswith("Retrying failed database connection")


def _in_schema(url: str, schema: str) -> str:
    joint = "&" if "?" in url else "?"
    # Dagster commits each of its events by itself. After a crash of the server the last ones may be missing, as after
    # that of a worker; the sync's own tables wait for the disk.
    options = quote(f'-csearch_path="{schema}" -csynchronous_commit=off')
    return f"{url}{joint}options={options}"


_MAX_PARTITIONS = 28
"""Windows marked at the most, a week of them: each costs as many events as there are assets, and marking must never
take longer than reading."""


def report_partitions(
    instance: dg.DagsterInstance, run_id: str, covered: Window, assets: list[dg.AssetKey]
) -> list[str]:
    """Report each whole window before the run's own as materialized by it, the newest ones; return their keys."""
    window = window_containing(covered.end)
    keys = []
    for _ in range(_MAX_PARTITIONS):
        window = Window(window.start - WINDOW, window.start)
        # The first sync after a gap starts inside a window that the sync before it had read the beginning of.
        if window.end <= covered.start or not six_hour_partitions.has_partition_key(partition_key(window)):
            break
        keys.append(partition_key(window))
    for key in keys:
        for asset in assets:
            event = dg.AssetMaterialization(asset, partition=key, metadata={"covered_by_run": run_id})
            instance.report_runless_asset_event(event)
    return keys
