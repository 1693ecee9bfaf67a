"""What the assets get from outside: Intercom and the warehouse; and what becomes of their errors.

Resources hold configuration and make plain objects; secrets come as environment variables and never as values.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster_slack import SlackResource
from pydantic import PrivateAttr
from slack_sdk import WebClient

from intercom_sync.domain.errors import RetryableError, SyncError
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.redaction import UnexpectedError, redact_unexpected
from intercom_sync.settings import Settings
from intercom_sync.slack.slack_client import quiet_client
from intercom_sync.warehouse.postgres.connect import open_warehouse
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.extractions import ExtractionLease

FOREGROUND_TAG = "intercom_sync/foreground"
SCHEMA_TAG = "intercom_sync/schema"
"""Whose a run in the foreground is: deployments with schemas of their own may share one Dagster instance."""

_EXPECTED_ERRORS = (SyncError, dg.Failure, dg.RetryRequested)
_RETRIES = 2
_RETRY_SECONDS = 60


class IntercomResource(dg.ConfigurableResource[IntercomClient]):
    """The workspace's API. Everything but the token is read from the settings when a run starts."""

    api_key: str

    @contextmanager
    def client(self) -> Iterator[IntercomClient]:
        """Open a client; it closes with the block."""
        settings = Settings.load()
        with IntercomClient(
            self.api_key,
            base_url=settings.base_url,
            version=settings.api_version,
            contacts_per_second=settings.contact_searches_per_second,
        ) as client:
            yield client


class WarehouseResource(dg.ConfigurableResource[Session]):
    """The Postgres that the settings name, or the embedded one; its tables are brought up to date on first use."""

    _connect: Callable[[], Session] | None = PrivateAttr(default=None)
    _lease: ExtractionLease = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Make the lease that the steps of a run share."""
        super().model_post_init(context)
        self._lease = ExtractionLease(self.connect)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Release the extraction at the end of a run, or of a step that has a process of its own."""
        self._lease.release()

    @property
    def lease(self) -> ExtractionLease:
        """The lease on the extraction of the run."""
        return self._lease

    def connect(self) -> Session:
        """Open a session; close it, or use it in a `with`."""
        if self._connect is None:
            self._connect = open_warehouse(Settings.load())
        return self._connect()


class AlertsSlackResource(SlackResource):
    """Slack as the alerts need it: at the address and with the token of the settings, no request sent twice.

    The token is read when a client is made, so that everything else works without one.
    """

    token: str = ""

    def is_set_up(self) -> bool:
        """Whether there is a token."""
        return bool(self.token or Settings.load().slack_token)

    def get_client(self) -> WebClient:
        """Return a client for Slack's Web API."""
        settings = Settings.load()
        return quiet_client(self.token or settings.slack_token, settings.slack_api_url)


@contextmanager
def translate_errors(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> Iterator[None]:
    """Turn every error into one sentence in the UI, and retry the step after a `RetryableError`.

    Dagster keeps an error's text and that of its causes forever, so only the sentence is passed on.

    Raises:
        dagster.RetryRequested: the error is retryable, and the run is not in the foreground, where a person waits.
        dagster.Failure: any other error, or a person waits.
    """
    try:
        with warehouse.lease.release_on_error(), redact_unexpected(*_EXPECTED_ERRORS):
            yield
    except UnexpectedError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
    except SyncError as error:
        if isinstance(error, RetryableError) and FOREGROUND_TAG not in context.run.tags:
            context.log.warning("%s", error)
            # Of the last attempt Dagster keeps the cause, and would else only say how many attempts there were.
            cause = dg.Failure(description=str(error))
            raise dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=_RETRY_SECONDS) from cause
        raise dg.Failure(description=str(error), allow_retries=False) from None
