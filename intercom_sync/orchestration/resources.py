"""Dagster resources for Intercom, the warehouse and Slack, and the translation of their errors.

Secrets are configured as environment variables, never as values.
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
"""The schema of a foreground run; deployments with different schemas may share one Dagster instance."""

_EXPECTED_ERRORS = (SyncError, dg.Failure, dg.RetryRequested)
_RETRIES = 2
_RETRY_SECONDS = 60


class IntercomResource(dg.ConfigurableResource[IntercomClient]):
    """Intercom's API. Everything except the token is read from the settings when a run starts."""

    api_key: str

    @contextmanager
    def client(self) -> Iterator[IntercomClient]:
        """Open a client for the duration of the block."""
        settings = Settings.load()
        with IntercomClient(
            self.api_key,
            base_url=settings.base_url,
            version=settings.api_version,
            contacts_per_second=settings.contact_searches_per_second,
        ) as client:
            yield client


class WarehouseResource(dg.ConfigurableResource[Session]):
    """The configured Postgres, or the embedded one. The first use migrates its tables."""

    _connect: Callable[[], Session] | None = PrivateAttr(default=None)
    _lease: ExtractionLease = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Create the extraction lease that the steps of a run share."""
        super().model_post_init(context)
        self._lease = ExtractionLease(self.connect)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Release the lease at the end of a run, or of a step in its own process."""
        self._lease.release()

    @property
    def lease(self) -> ExtractionLease:
        """The lease on the run's extraction."""
        return self._lease

    def connect(self) -> Session:
        """Open a session, which the caller closes."""
        if self._connect is None:
            self._connect = open_warehouse(Settings.load())
        return self._connect()


class AlertsSlackResource(SlackResource):
    """Slack with the URL and token of the settings, and without automatic retries.

    The token is read when a client is created, so everything else works without a token.
    """

    token: str = ""

    def is_set_up(self) -> bool:
        """Return whether a token is configured."""
        return bool(self.token or Settings.load().slack_token)

    def get_client(self) -> WebClient:
        """Return a client for Slack's Web API."""
        settings = Settings.load()
        return quiet_client(self.token or settings.slack_token, settings.slack_api_url)


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
