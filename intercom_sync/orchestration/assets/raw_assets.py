"""The assets `raw_contacts` and `raw_conversations`: records of Intercom, landed in Postgres.

One operation extracts both in parallel, because each stream has its own rate limit.
"""

from collections.abc import Iterator

import dagster as dg

from intercom_sync.domain.clocks import Clock
from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.tables import INTERCOM_CONTACTS, INTERCOM_CONVERSATIONS
from intercom_sync.intercom.reader import Reader
from intercom_sync.orchestration.assets.current_run import current_run
from intercom_sync.orchestration.assets.run_metadata import (
    FRESHNESS,
    GROUP,
    OWNERS,
    extraction_metadata,
    table_metadata,
)
from intercom_sync.orchestration.resources import IntercomResource, WarehouseResource, translate_errors
from intercom_sync.pipeline.run_extraction import run_extraction
from intercom_sync.pipeline.run_plan import RunRequest, configured
from intercom_sync.pipeline.stream_result import Progress
from intercom_sync.pipeline.stream_specs import CONTACT_STREAM, CONVERSATION_STREAM, STREAMS
from intercom_sync.settings import Settings

RAW_CONTACTS = dg.AssetKey(CONTACT_STREAM.asset)
RAW_CONVERSATIONS = dg.AssetKey(CONVERSATION_STREAM.asset)


class ExtractConfig(dg.Config):
    """Options of an extraction. By default it extracts the records updated in the partition's window.

    Attributes:
        full: extract all records, and delete those that Intercom no longer has.
        catch_up: extract from the watermark to the end of the window; all records before the first sync.
        as_of: the run's now in ISO 8601, not in the future; empty means the current time.
        start: start of a window that replaces the partition's.
        end: end of that window; `now` means the run's now.
    """

    full: bool = False
    catch_up: bool = False
    as_of: str = ""
    start: str = ""
    end: str = ""

    def request(self) -> RunRequest:
        """Return the parsed run request."""
        return configured(self.full, self.catch_up, self.as_of, self.start, self.end)


def build_raw_assets(partitions: dg.PartitionsDefinition, settings: Settings) -> dg.AssetsDefinition:
    """Return the two raw assets of the workspace that the settings describe."""

    @dg.multi_asset(
        name="raw",
        specs=[
            _spec(RAW_CONTACTS, "Intercom's contacts, users and leads, the newest version of each.", INTERCOM_CONTACTS),
            _spec(
                RAW_CONVERSATIONS,
                "Intercom's conversations, and what contacts wrote in the last 30 days.",
                INTERCOM_CONVERSATIONS,
            ),
        ],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="intercom_api",
        can_subset=True,
    )
    def raw(
        context: dg.AssetExecutionContext,
        config: ExtractConfig,
        intercom: dg.ResourceParam[IntercomResource],
        warehouse: dg.ResourceParam[WarehouseResource],
        progress: dg.ResourceParam[Progress],
        clock: dg.ResourceParam[Clock],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Extract the requested records from Intercom and land them."""
        for warning in settings.warnings():
            context.log.warning(warning)
        selected = [stream for stream in STREAMS if dg.AssetKey(stream.asset) in context.selected_asset_keys]
        with (
            translate_errors(context, warehouse),
            warehouse.connect() as session,
            intercom.client() as client,
            current_run(context, warehouse, session, clock, config.request(), client) as run,
        ):
            results = run_extraction(
                Reader(client, clock=client.now),
                session,
                warehouse.connect,
                run,
                warehouse.lease,
                rules=settings.rules,
                overlap=settings.overlap,
                streams=selected,
                progress=progress,
            )
        context.log.info("Extracted %s (%s) with %d requests", run.window, run.mode, client.request_stats.requests)
        for stream, result in zip(selected, results, strict=True):
            yield dg.MaterializeResult(
                asset_key=stream.asset,
                metadata=extraction_metadata(stream, result, run.mode, client.request_stats.requests),
            )

    return raw


def _spec(key: dg.AssetKey, description: str, table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        description=description,
        metadata=table_metadata(table),
        kinds={"python", "postgres"},
        owners=OWNERS,
        group_name=GROUP,
        freshness_policy=FRESHNESS,
    )
