"""Tables of the sync itself: runs, extractions, alerts, check results, and the workspace."""

from intercom_sync.domain.schema.columns import Column, Table, Type

_RUN_ID = Column("run_id", Type.TEXT, "Id of the Dagster run.", nullable=False)
_EXTRACTION_ID = Column("extraction_id", Type.TEXT, "Id of the extraction: the run that started it.", nullable=False)
_KIND = Column("kind", Type.TEXT, "contact or conversation.", nullable=False)

SYNC_RUNS = Table(
    "sync_runs",
    "One row per run: the time range that it covers and its results.",
    (
        _RUN_ID,
        Column(
            "mode",
            Type.TEXT,
            "full or window; refresh: only some assets ran, so the run does not advance the watermark.",
            False,
        ),
        Column(
            "status",
            Type.TEXT,
            "started, succeeded, failed, canceled (by a person) or crashed (its process died).",
            nullable=False,
        ),
        Column("as_of", Type.TIMESTAMP, "Logical time of the sync: its now.", nullable=False),
        Column("window_start", Type.TIMESTAMP, "Start of the extracted window; 1970-01-01 for a full sync."),
        Column("window_end", Type.TIMESTAMP, "End of the extracted window.", nullable=False),
        Column("started_at", Type.TIMESTAMP, "When the run started, by the clocks that agree.", nullable=False),
        Column("finished_at", Type.TIMESTAMP, "When the run finished: its start plus its duration."),
        Column("machine_clock", Type.TIMESTAMP, "The machine's clock at the start of the run."),
        Column("database_clock", Type.TIMESTAMP, "The database's clock at the start of the run."),
        Column("intercom_clock", Type.TIMESTAMP, "Intercom's clock at the start of the run; null where unknown."),
        Column(
            "earliest_now",
            Type.TIMESTAMP,
            "The earliest of these clocks and as_of: the upper bound of the watermark and of retention deletes.",
        ),
        Column("future_instants", Type.INTEGER, "Stored timestamps in the future that the run corrected."),
        Column("contacts_read", Type.INTEGER, "Contacts fetched from Intercom.", nullable=False),
        Column("conversations_read", Type.INTEGER, "Conversations fetched from Intercom.", nullable=False),
        Column("contacts_synced", Type.INTEGER, "Customers created or updated."),
        Column("new_contacts", Type.INTEGER, "Customers created."),
        Column("updated_contacts", Type.INTEGER, "Existing customers whose contact the run read."),
        Column("skipped_contacts", Type.INTEGER, "Contacts rejected or without an email.", nullable=False),
        Column("errors", Type.INTEGER, "API calls that failed after all retries.", nullable=False),
        Column("sync_duration_seconds", Type.NUMERIC, "Seconds from the first request to the end of the write."),
        Column("avg_quality_score", Type.NUMERIC, "Mean quality score of the customers synced."),
        Column("alerts_generated", Type.INTEGER, "Alerts created."),
        Column("customers", Type.INTEGER, "Customers that are not deleted, after the write."),
        Column("mrr_by_plan", Type.JSON, "MRR by plan in the workspace's currency, after the write."),
    ),
    key=("run_id",),
)

SYNC_STREAM_STATS = Table(
    "sync_stream_stats",
    "Record counts of each extraction and stream, reconciled against Intercom's own counts.",
    (
        _EXTRACTION_ID,
        _KIND,
        Column("run_id", Type.TEXT, "Id of the last Dagster run that worked on the extraction.", nullable=False),
        Column("records_seen", Type.INTEGER, "Distinct records extracted."),
        Column("rejected", Type.INTEGER, "Records that failed validation."),
        Column("without_email", Type.INTEGER, "Valid contacts without an email."),
        Column("total", Type.INTEGER, "Intercom's own count for the same query; null where it gave none."),
        Column("matched", Type.INTEGER, "Stored records that match the query; null where that is unknown."),
        Column("rows_after", Type.INTEGER, "Rows of the landed table after the extraction."),
        Column("deleted", Type.INTEGER, "Rows deleted because a full extraction no longer found them."),
        Column("parts_failed", Type.INTEGER, "Conversations whose parts could not be fetched."),
        Column("ignored_ratings", Type.INTEGER, "Ratings outside 1 to 5."),
        Column(
            "late_arrivals", Type.INTEGER, "Records that only a full extraction found, though a window covers them."
        ),
        Column("late_arrival_ids", Type.TEXTS, "Up to a hundred of their ids."),
        Column("scan_misses", Type.INTEGER, "Contacts that a full extraction missed, though a fetch by id finds them."),
        Column("scan_miss_ids", Type.TEXTS, "Up to a hundred of their ids."),
    ),
    key=("extraction_id", "kind"),
)

SYNC_EXTRACTIONS = Table(
    "sync_extractions",
    "Resumable extractions in progress: a full scan or one window, each until a run has published its customers.",
    (
        _EXTRACTION_ID,
        Column("scope", Type.TEXT, "What is extracted: full, or a window.", nullable=False),
        Column("run_id", Type.TEXT, "Id of the Dagster run that works on it.", nullable=False),
        Column("started_at", Type.TIMESTAMP, "When it started, by the database's clock.", nullable=False),
    ),
    key=("extraction_id",),
)

SYNC_SEEN_IDS = Table(
    "sync_seen_ids",
    "Ids of the records that an extraction has seen: what a full scan did not see is deleted.",
    (
        _EXTRACTION_ID,
        _KIND,
        Column("id", Type.TEXT, "Id of the record.", nullable=False),
    ),
    key=("extraction_id", "kind", "id"),
)

SYNC_CHECKPOINTS = Table(
    "sync_checkpoints",
    "Checkpoints of an extraction, one per shard cursor, so that the next run resumes it.",
    (
        _EXTRACTION_ID,
        _KIND,
        Column("cursor", Type.TEXT, "Name of the shard cursor; empty: the stream is complete.", False),
        Column("state", Type.JSON, "Position of the cursor.", nullable=False),
    ),
    key=("extraction_id", "kind", "cursor"),
)

SYNC_WORKERS = Table(
    "sync_workers",
    "Heartbeats of the processes that execute runs, to detect a run whose process is dead.",
    (
        _RUN_ID,
        Column("worker", Type.TEXT, "Host, process id and start time of the process.", nullable=False),
        Column("heartbeat_at", Type.TIMESTAMP, "Its last heartbeat, by the database's clock.", nullable=False),
    ),
    key=("run_id",),
)

CUSTOMER_ALERTS = Table(
    "customer_alerts",
    "Transactional outbox of alerts: each is kept and retried until Slack has accepted it.",
    (
        Column("id", Type.BIGINT, "Sequence number, in the order the alerts were created.", nullable=False),
        Column("kind", Type.TEXT, "Kind of alert.", nullable=False),
        Column("email", Type.TEXT, "Email of the customer, when the alert is about one.", personal=True),
        Column("details", Type.JSON, "Context that a person needs to act.", nullable=False, personal=True),
        Column("run", Type.TEXT, "Id of the Dagster run that created the alert.", nullable=False),
        Column("created_at", Type.TIMESTAMP, "Logical time of that sync.", nullable=False),
        Column("delivered_at", Type.TIMESTAMP, "When Slack accepted it; null while it is pending."),
        Column("attempts", Type.INTEGER, "Delivery attempts.", nullable=False),
        Column("last_error", Type.TEXT, "Error of the last failed attempt."),
        Column(
            "refusal_count",
            Type.INTEGER,
            "Times Slack rejected its content; after 3 it is dead-lettered: kept, and not sent again.",
            False,
        ),
        Column("dedupe_key", Type.TEXT, "Deduplication key, unique; null where the alert itself is created only once."),
    ),
    key=("id",),
)

CHECK_STATES = Table(
    "check_states",
    "Latest result of each asset check, so that a check that keeps failing is notified when it starts to, then daily.",
    (
        Column("check_name", Type.TEXT, "Asset and check, as in raw_contacts/ids_unique.", nullable=False),
        Column("passed", Type.BOOLEAN, "Whether the check passed.", nullable=False),
        Column("evaluated_at", Type.TIMESTAMP, "When it was evaluated.", nullable=False),
        Column("notified_at", Type.TIMESTAMP, "Evaluation of the last failure notified; null while the check passes."),
    ),
    key=("check_name",),
)

SUPPRESSION_LIST = Table(
    "suppression_list",
    "Suppression list: erased people that later syncs must not load again, without saying who they are.",
    (
        Column("kind", Type.TEXT, "email, contact, conversation, or salt (of the digests).", nullable=False),
        Column("identifier", Type.TEXT, "Salted digest of the email in lower case, or Intercom's id.", nullable=False),
        Column("updated_at", Type.TIMESTAMP, "Newest version seen, to reconcile Intercom's counts."),
    ),
    key=("kind", "identifier"),
)

SYNC_STATE = Table(
    "sync_state",
    "State of the workspace across syncs, as names and values.",
    (
        Column("name", Type.TEXT, "workspace_id, region, messages_since, or ledger_rules_hash.", nullable=False),
        Column(
            "value",
            Type.TEXT,
            "Id or region of the workspace that the tables belong to; the time since when all messages are kept; hash "
            "of the rules that the MRR of the newest movements was computed by, from the first full sync on.",
            nullable=False,
        ),
    ),
    key=("name",),
)
