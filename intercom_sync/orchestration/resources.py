"""Resources for Intercom, the warehouse and Slack, and the translation of their errors for Dagster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
from dagster_slack import SlackResource
from pydantic import Field
from slack_sdk import WebClient

from intercom_sync.domain.clocks import machine_clock
from intercom_sync.domain.errors import RetryableError, SyncError
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.pipeline.stream_result import no_progress
from intercom_sync.redaction import UnexpectedError, redact_unexpected
from intercom_sync.settings import Settings
from intercom_sync.slack.slack_client import Channels, channels, quiet_client
from intercom_sync.warehouse.postgres.connect import open_warehouse
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.extractions import ExtractionLease

FOREGROUND_TAG = "intercom_sync/foreground"
SCHEMA_TAG = "intercom_sync/schema"
"""The schema of a foreground run; deployments with different schemas may share one Dagster instance."""

_EXPECTED_ERRORS = (SyncError, dg.Failure, dg.RetryRequested)
_RETRIES = 2
_RETRY_SECONDS = 60


class IntercomResource:
    """Intercom's API for the workspace of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @contextmanager
    def client(self) -> Iterator[IntercomClient]:
        """Open a client for the duration of the block.

        Raises:
            SettingsError: there is no access token.
        """
        with IntercomClient(
            self._settings.require_api_key(),
            base_url=self._settings.base_url,
            version=self._settings.api_version,
            contacts_per_second=self._settings.contact_searches_per_second,
        ) as client:
            yield client


class WarehouseResource:
    """The configured Postgres, or the embedded one. The first use migrates its tables.

    Attributes:
        lease: the lease on the extraction of the run, which its steps share.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connect: Callable[[], Session] | None = None
        self.lease = ExtractionLease(self.connect)

    def connect(self) -> Session:
        """Open a session, which the caller closes."""
        if self._connect is None:
            self._connect = open_warehouse(self._settings)
        return self._connect()


class AlertsSlackResource(SlackResource):
    """Slack with the URL and token of the settings, and without automatic retries."""

    token: str = Field(default="", repr=False)
    api_url: str
    channel: str
    operations_channel: str

    def is_set_up(self) -> bool:
        """Return whether a token is configured."""
        return bool(self.token)

    def get_client(self) -> WebClient:
        """Return a client for Slack's Web API."""
        return quiet_client(self.token, self.api_url)

    def channels(self) -> Channels:
        """Return the channels of the alerts."""
        return channels(self.channel, self.operations_channel)


def build_resources(settings: Settings) -> dict[str, dg.ResourceDefinition]:
    """Return the resources of a workspace.

    Dagster stores and shows the configuration of a resource. The settings hold secrets, so they are not configuration:
    the functions that make the resources at the start of a run or a tick hold them.
    """
    return {
        "intercom": dg.ResourceDefinition(lambda _: IntercomResource(settings), description=IntercomResource.__doc__),
        "warehouse": dg.ResourceDefinition(
            lambda _: open_warehouse_resource(settings), description=WarehouseResource.__doc__
        ),
        "slack": dg.ResourceDefinition(
            lambda _: build_slack_resource(settings), description=AlertsSlackResource.__doc__
        ),
        "clock": dg.ResourceDefinition.hardcoded_resource(machine_clock),
        "progress": dg.ResourceDefinition.hardcoded_resource(no_progress),
    }


def open_warehouse_resource(settings: Settings) -> Iterator[WarehouseResource]:
    """Yield the warehouse; the extraction is released at the end of a run, or of a step with its own process."""
    warehouse = WarehouseResource(settings)
    with warehouse.lease:
        yield warehouse


def build_slack_resource(settings: Settings) -> AlertsSlackResource:
    """Return the Slack of the settings."""
    return AlertsSlackResource(
        token=settings.slack_token,
        api_url=settings.slack_api_url,
        channel=settings.slack_channel,
        operations_channel=settings.slack_operations_channel,
    )


@contextmanager
def translate_errors(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> Iterator[None]:
    """Translate every error to one sentence for the UI, and retry the step after a `RetryableError`.

    Dagster stores the text of an error and its causes, so only the sentence is passed on.

    Raises:
        dagster.RetryRequested: the error is retryable and the run is in the background.
        dagster.Failure: any other error, or any error of a foreground run, where a person waits.
    """
    try:
        with warehouse.lease.release_on_error(), redact_unexpected(*_EXPECTED_ERRORS):
            yield
    except UnexpectedError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
    except SyncError as error:
        if isinstance(error, RetryableError) and FOREGROUND_TAG not in context.run.tags:
            context.log.warning("%s", error)
            # After the last attempt Dagster shows the cause; without one it shows only the number of attempts.
            cause = dg.Failure(description=str(error))
            raise dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=_RETRY_SECONDS) from cause
        raise dg.Failure(description=str(error), allow_retries=False) from None
