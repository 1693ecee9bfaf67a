"""The catalogue of tables: `unified_customers`, the landed records, the metrics, and the state of the syncs.

Names, types and meanings only; `schema` defines what a column is, `warehouse` creates the tables.
"""

from intercom_sync.domain.schema.columns import Column, Origin, Table, Type

_INTERCOM, _COUNTED = Origin.INTERCOM, Origin.COUNTED

_STRIPE_COLUMNS = (
    Column("stripe_customer_id", Type.TEXT, "Stripe customer id.", origin=_INTERCOM),
    Column(
        "mrr",
        Type.NUMERIC,
        "Monthly recurring revenue of active subscriptions, in major units of their currency.",
        origin=_INTERCOM,
    ),
    Column("arr", Type.NUMERIC, "Annual recurring revenue: the exact MRR times 12.", origin=_INTERCOM),
    Column("ltv", Type.NUMERIC, "Lifetime value: sum of succeeded payments, major units, gross.", origin=_INTERCOM),
    Column("plan_name", Type.TEXT, "Name of the Stripe plan.", origin=_INTERCOM),
    Column("plan_price", Type.NUMERIC, "Price of the plan, as stored in Intercom.", origin=_INTERCOM),
    Column("subscription_status", Type.TEXT, "Status of the Stripe subscription.", origin=_INTERCOM),
    Column("subscription_count", Type.INTEGER, "Number of active subscriptions.", origin=_INTERCOM),
    Column(
        "currency",
        Type.TEXT,
        "The one currency that the customer pays in, lower case; null when none is given or several are mixed.",
        origin=_INTERCOM,
    ),
    Column("is_delinquent", Type.BOOLEAN, "Whether a payment is overdue.", origin=_INTERCOM),
    Column("last_payment_amount", Type.NUMERIC, "Amount of the last charge, major units.", origin=_INTERCOM),
    Column("last_payment_date", Type.TIMESTAMP, "When the last charge was made.", origin=_INTERCOM),
)
_SUPPORT_COLUMNS = (
    Column("intercom_convos_total", Type.INTEGER, "Conversations that the customer takes part in.", origin=_COUNTED),
    Column("intercom_convos_30d", Type.INTEGER, "Conversations created in the last 30 days.", origin=_COUNTED),
    Column("open_tickets", Type.INTEGER, "Open conversations, snoozed ones included.", origin=_COUNTED),
    Column(
        "mentioned_cancel",
        Type.BOOLEAN,
        "Whether a message of the customer in the last 30 days contains a cancel phrase.",
        origin=_COUNTED,
    ),
    Column("csat_score", Type.NUMERIC, "Mean conversation rating, 1 to 5.", origin=_INTERCOM),
)

_LANDED_AT = Column(
    "landed_at", Type.TIMESTAMP, "When the row was inserted or changed, by the database's clock.", nullable=False
)
_RUN_ID = Column("run_id", Type.TEXT, "Id of the Dagster run.", nullable=False)
_EXTRACTION_ID = Column("extraction_id", Type.TEXT, "Id of the extraction: the run that started it.", nullable=False)
_KIND = Column("kind", Type.TEXT, "contact or conversation.", nullable=False)

UNIFIED_CUSTOMERS = Table(
    "unified_customers",
    "One row per customer: identity, revenue, support and risk of churn. Other systems may write to it too; the sync "
    "writes only these columns.",
    (
        Column("email", Type.TEXT, "Email, unique regardless of case.", nullable=False, personal=True),
        Column(
            "intercom_contact_id",
            Type.TEXT,
            "Id of the contact that represents the customer: the one updated last.",
        ),
        Column("external_id", Type.TEXT, "The workspace's own user id of that contact.", origin=_INTERCOM),
        Column("name", Type.TEXT, "Name; the part of the email before the @ when no name is known.", personal=True),
        Column("location_country", Type.TEXT, "Country, by name.", origin=_INTERCOM),
        Column("location_city", Type.TEXT, "City.", personal=True, origin=_INTERCOM),
        Column("signup_date", Type.TIMESTAMP, "When the contact was created.", origin=_INTERCOM),
        *_STRIPE_COLUMNS,
        Column("last_seen_at", Type.TIMESTAMP, "When the customer was last seen.", origin=_INTERCOM),
        Column("days_since_seen", Type.INTEGER, "Whole days from last_seen_at to the sync.", origin=_COUNTED),
        *_SUPPORT_COLUMNS,
        Column(
            "quality_score", Type.INTEGER, "Completeness and health of the customer's data, 0 to 100.", origin=_COUNTED
        ),
        Column("intercom_deleted_at", Type.TIMESTAMP, "When a sync found that no contact has this email any more."),
        Column("last_intercom_sync", Type.TIMESTAMP, "The last sync that wrote the row or read its contact."),
    ),
    key=("customer_id",),
    identity=Column("customer_id", Type.BIGINT, "Primary key, for change-data-capture tools.", nullable=False),
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

REJECTED_RECORDS = Table(
    "rejected_records",
    "Records of Intercom that fail validation, each with the first rule that it breaks, for a person to fix.",
    (
        Column(
            "kind",
            Type.TEXT,
            "contact or conversation; customer where unified_customers rejects the row.",
            nullable=False,
        ),
        Column(
            "id",
            Type.TEXT,
            "Id of the record, or of the customer's contact; a digest where there is none.",
            nullable=False,
        ),
        Column("reason", Type.TEXT, "The rule that it breaks.", nullable=False),
        Column("field", Type.TEXT, "The field, or the customer's column, that breaks it.", nullable=False),
        Column(
            "value",
            Type.JSON,
            "The invalid value; of a conversation kept for 30 days when it may contain message text.",
            personal=True,
        ),
        Column("run", Type.TEXT, "Id of the Dagster run that found it.", nullable=False),
        Column("time", Type.TIMESTAMP, "Logical time of that sync.", nullable=False),
        Column("updated_at", Type.TIMESTAMP, "Version of the record, where it is readable."),
        Column("payload", Type.JSON, "The contact's JSON, to validate again when the rules change.", personal=True),
        Column("rules_hash", Type.TEXT, "Hash of the rules that it was validated by.", nullable=False),
        _LANDED_AT,
    ),
    key=("kind", "id"),
)

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
        Column("window_start", Type.TIMESTAMP, "Start of the extracted window; null for a full sync."),
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

INTERCOM_CONTACTS = Table(
    "intercom_contacts",
    "Landed contacts: the newest valid version of each, with its JSON.",
    (
        Column("id", Type.TEXT, "Intercom's contact id.", nullable=False),
        Column("email", Type.TEXT, "Email as spelled, trimmed; null for contacts without one.", personal=True),
        Column("external_id", Type.TEXT, "The workspace's own user id."),
        Column("role", Type.TEXT, "user or lead."),
        Column("name", Type.TEXT, "Name as given.", personal=True),
        Column("location_country", Type.TEXT, "Country, by name."),
        Column("location_city", Type.TEXT, "City.", personal=True),
        Column("created_at", Type.TIMESTAMP, "When the contact was created.", nullable=False),
        Column("updated_at", Type.TIMESTAMP, "When the contact was updated: its version.", nullable=False),
        Column("last_seen_at", Type.TIMESTAMP, "When the contact was last seen."),
        Column("payload", Type.JSON, "The contact's JSON as fetched.", nullable=False, personal=True),
        Column("revision", Type.BIGINT, "Sequence number of the row's last change.", nullable=False),
        _LANDED_AT,
    ),
    key=("id",),
)

CONTACT_MERGES = Table(
    "contact_merges",
    "Merged contacts: messages of a contact that was merged away count for the contact that it was merged into.",
    (
        Column("source_id", Type.TEXT, "Id of the contact that was merged away.", nullable=False),
        Column("contact_id", Type.TEXT, "Id of the contact that it was merged into.", nullable=False),
    ),
    key=("source_id",),
)

INTERCOM_CONVERSATIONS = Table(
    "intercom_conversations",
    "Landed conversations: the newest version of each, with the fields that the metrics need.",
    (
        Column("id", Type.TEXT, "Intercom's conversation id.", nullable=False),
        Column("created_at", Type.TIMESTAMP, "When the conversation was created.", nullable=False),
        Column("updated_at", Type.TIMESTAMP, "When the conversation was updated: its version.", nullable=False),
        Column("open", Type.BOOLEAN, "Open or snoozed.", nullable=False),
        Column("contact_ids", Type.TEXTS, "Ids of the contacts that take part.", nullable=False),
        Column("rating", Type.INTEGER, "Rating, 1 to 5; null when not rated."),
        Column("rating_contact_id", Type.TEXT, "Id of the contact that rated it, where given."),
        Column("parts_fetched_version", Type.TIMESTAMP, "Version whose parts were fetched; null when none was."),
        Column("parts_pending", Type.BOOLEAN, "Whether its parts are still to be fetched.", nullable=False),
        Column("parts_missing", Type.INTEGER, "Parts that Intercom does not return (those over 500).", nullable=False),
        _LANDED_AT,
    ),
    key=("id",),
)

INTERCOM_MESSAGES = Table(
    "intercom_messages",
    "Messages written by contacts, as visible text, with a retention of 30 days.",
    (
        Column("conversation_id", Type.TEXT, "Id of the conversation.", nullable=False),
        Column("message_id", Type.TEXT, "Id of the part, or a fixed id for the opening message.", nullable=False),
        Column("author_id", Type.TEXT, "Id of the contact that wrote it."),
        Column("created_at", Type.TIMESTAMP, "When it was written.", nullable=False),
        Column("text", Type.TEXT, "Visible text.", nullable=False, personal=True),
        Column("mentions_cancel", Type.BOOLEAN, "Whether the text contains a cancel phrase.", nullable=False),
        Column("rules_hash", Type.TEXT, "Hash of the text rules and the cancel phrases.", nullable=False),
    ),
    key=("conversation_id", "message_id"),
)

REVENUE_METRICS = Table(
    "revenue_metrics",
    "Revenue of each contact, computed from its Stripe attributes.",
    (
        Column("contact_id", Type.TEXT, "Intercom's contact id.", nullable=False),
        *_STRIPE_COLUMNS,
        Column("newest_payment_amount", Type.NUMERIC, "Amount of the newest succeeded payment, major units."),
        Column("currencies", Type.TEXTS, "Currencies of the amounts counted, where given.", nullable=False),
        Column("refunded", Type.NUMERIC, "Refunds of succeeded payments, major units; LTV stays gross."),
        Column("revision", Type.BIGINT, "The contact's revision that it was computed from.", nullable=False),
        Column("rules_hash", Type.TEXT, "Hash of the rules that it was computed by.", nullable=False),
    ),
    key=("contact_id",),
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

SUPPORT_METRICS = Table(
    "support_metrics",
    "Support metrics of each customer that has conversations.",
    (
        Column("email_key", Type.TEXT, "The customer's email in lower case.", nullable=False, personal=True),
        *_SUPPORT_COLUMNS,
    ),
    key=("email_key",),
)

CUSTOMER_LAST_WRITTEN = Table(
    "customer_last_written",
    "The values that the sync last wrote for each customer, to tell them from values of other systems.",
    (
        Column("email_key", Type.TEXT, "The customer's email in lower case.", nullable=False, personal=True),
        Column("intercom_contact_id", Type.TEXT, "Id of the contact that the values came from."),
        Column("name", Type.TEXT, "Name written.", personal=True),
        *(column for column in UNIFIED_CUSTOMERS.columns if column.origin is _INTERCOM),
    ),
    key=("email_key",),
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
        Column("name", Type.TEXT, "workspace_id, region, or messages_since.", nullable=False),
        Column(
            "value",
            Type.TEXT,
            "Id or region of the workspace that the tables belong to; the time since when all messages are kept.",
            nullable=False,
        ),
    ),
    key=("name",),
)

TABLES = (
    UNIFIED_CUSTOMERS,
    CUSTOMER_ALERTS,
    CHECK_STATES,
    REJECTED_RECORDS,
    SYNC_RUNS,
    SYNC_STREAM_STATS,
    INTERCOM_CONTACTS,
    CONTACT_MERGES,
    INTERCOM_CONVERSATIONS,
    INTERCOM_MESSAGES,
    REVENUE_METRICS,
    SUPPORT_METRICS,
    CUSTOMER_LAST_WRITTEN,
    SYNC_EXTRACTIONS,
    SYNC_SEEN_IDS,
    SYNC_CHECKPOINTS,
    SYNC_WORKERS,
    SUPPRESSION_LIST,
    SYNC_STATE,
)
