"""The catalogue of tables: `unified_customers`, what stands beside it, and the landed state behind it.

Names, types and meanings only; `schema` says what a column is, `warehouse` makes the tables.
"""

from intercom_sync.domain.schema import Column, Origin, Table, Type

_INTERCOM, _COUNTED = Origin.INTERCOM, Origin.COUNTED

_STRIPE_COLUMNS = (
    Column("stripe_customer_id", Type.TEXT, "Stripe customer id.", origin=_INTERCOM),
    Column(
        "mrr",
        Type.NUMERIC,
        "Monthly recurring revenue of active subscriptions, major units of their currency.",
        origin=_INTERCOM,
    ),
    Column("arr", Type.NUMERIC, "Annual recurring revenue: the exact MRR times 12.", origin=_INTERCOM),
    Column("ltv", Type.NUMERIC, "Lifetime value: sum of succeeded payments, major units, gross.", origin=_INTERCOM),
    Column("plan_name", Type.TEXT, "Name of the Stripe plan.", origin=_INTERCOM),
    Column("plan_price", Type.NUMERIC, "Price of the plan, as Intercom holds it.", origin=_INTERCOM),
    Column("subscription_status", Type.TEXT, "Stripe's word for the subscription's state.", origin=_INTERCOM),
    Column("subscription_count", Type.INTEGER, "Number of active subscriptions.", origin=_INTERCOM),
    Column(
        "currency",
        Type.TEXT,
        "The one currency of what the customer pays, in lower case; null when none is given or several are mixed.",
        origin=_INTERCOM,
    ),
    Column("is_delinquent", Type.BOOLEAN, "Whether a payment is overdue.", origin=_INTERCOM),
    Column("last_payment_amount", Type.NUMERIC, "Amount of the last charge, major units.", origin=_INTERCOM),
    Column("last_payment_date", Type.TIMESTAMP, "When the last charge was made.", origin=_INTERCOM),
)
_SUPPORT_COLUMNS = (
    Column("intercom_convos_total", Type.INTEGER, "Conversations the customer takes part in.", origin=_COUNTED),
    Column("intercom_convos_30d", Type.INTEGER, "Those created in the last 30 days.", origin=_COUNTED),
    Column("open_tickets", Type.INTEGER, "Those that are open (snoozed ones are).", origin=_COUNTED),
    Column(
        "mentioned_cancel",
        Type.BOOLEAN,
        "Whether the customer wrote of cancelling in the last 30 days.",
        origin=_COUNTED,
    ),
    Column("csat_score", Type.NUMERIC, "Mean conversation rating, 1 to 5.", origin=_INTERCOM),
)

_LANDED_AT = Column("landed_at", Type.TIMESTAMP, "When it landed or changed, by the database's clock.", nullable=False)

UNIFIED_CUSTOMERS = Table(
    "unified_customers",
    "One row per customer: who they are, what they pay, how support goes, whether they are about to leave. "
    "Other systems write to it too; the sync writes only these columns.",
    (
        Column("email", Type.TEXT, "Email; unique regardless of case.", nullable=False, personal=True),
        Column(
            "intercom_contact_id", Type.TEXT, "Id of the contact that stands for the customer: the one updated last."
        ),
        Column("external_id", Type.TEXT, "The workspace's own user id of that contact.", origin=_INTERCOM),
        Column("name", Type.TEXT, "Name; the part of the email before the @ when nobody gave one.", personal=True),
        Column("location_country", Type.TEXT, "Country, by name.", origin=_INTERCOM),
        Column("location_city", Type.TEXT, "City.", personal=True, origin=_INTERCOM),
        Column("signup_date", Type.TIMESTAMP, "When the contact was created.", origin=_INTERCOM),
        *_STRIPE_COLUMNS,
        Column("last_seen_at", Type.TIMESTAMP, "When the customer was last seen.", origin=_INTERCOM),
        Column("days_since_seen", Type.INTEGER, "Whole days from last_seen_at to the sync.", origin=_COUNTED),
        *_SUPPORT_COLUMNS,
        Column("quality_score", Type.INTEGER, "How much is known and healthy, 0 to 100.", origin=_COUNTED),
        Column("intercom_deleted_at", Type.TIMESTAMP, "When no contact with this email was found any more."),
        Column("last_intercom_sync", Type.TIMESTAMP, "The last sync that wrote the row or read its contact."),
    ),
    key=("customer_id",),
    identity=Column("customer_id", Type.BIGINT, "Primary key, for change-data-capture tools.", nullable=False),
)

CUSTOMER_ALERTS = Table(
    "customer_alerts",
    "The outbox: what people must hear of, kept until Slack has taken it.",
    (
        Column("id", Type.BIGINT, "Order of decision.", nullable=False),
        Column("kind", Type.TEXT, "What happened.", nullable=False),
        Column("email", Type.TEXT, "The customer, when it concerns one.", personal=True),
        Column("details", Type.JSON, "What a person needs to act.", nullable=False, personal=True),
        Column("run", Type.TEXT, "The Dagster run that decided it.", nullable=False),
        Column("created_at", Type.TIMESTAMP, "The sync's instant.", nullable=False),
        Column("delivered_at", Type.TIMESTAMP, "When Slack took it; null while waiting."),
        Column("attempts", Type.INTEGER, "Deliveries tried.", nullable=False),
        Column("last_error", Type.TEXT, "Why the last try failed."),
        Column("refusals", Type.INTEGER, "Times Slack refused it for what it says; at 3 it is set aside.", False),
        Column("dedupe", Type.TEXT, "What is told only once; null where the decision itself happens once."),
    ),
    key=("id",),
)

CHECK_VERDICTS = Table(
    "check_verdicts",
    "The latest verdict on each check, so that one which keeps failing is told of when it begins to, then daily.",
    (
        Column("check_name", Type.TEXT, "Asset and check.", nullable=False),
        Column("passed", Type.BOOLEAN, "The verdict.", nullable=False),
        Column("evaluated_at", Type.TIMESTAMP, "When it was given.", nullable=False),
        Column("told_at", Type.TIMESTAMP, "The failure that was told last; null while it passes."),
    ),
    key=("check_name",),
)

REJECTED_RECORDS = Table(
    "rejected_records",
    "Records that Intercom holds and the sync cannot use, each with the first rule it breaks, for a person to mend.",
    (
        Column(
            "kind",
            Type.TEXT,
            "contact or conversation; customer where unified_customers refuses the row.",
            nullable=False,
        ),
        Column(
            "id",
            Type.TEXT,
            "The record's id, of a customer its contact's; a digest where there is none.",
            nullable=False,
        ),
        Column("reason", Type.TEXT, "The rule it breaks.", nullable=False),
        Column("field", Type.TEXT, "The field that breaks it; of a customer the column.", nullable=False),
        Column(
            "value",
            Type.JSON,
            "What stands there; of a conversation for 30 days where it can hold words.",
            personal=True,
        ),
        Column("run", Type.TEXT, "The Dagster run that found it.", nullable=False),
        Column("time", Type.TIMESTAMP, "The sync's instant.", nullable=False),
        Column("updated_at", Type.TIMESTAMP, "The record's version, where it can be read."),
        Column("payload", Type.JSON, "The contact, to be judged again when the rules change.", personal=True),
        Column("rules", Type.TEXT, "Fingerprint of the rules it was judged by.", nullable=False),
        _LANDED_AT,
    ),
    key=("kind", "id"),
)

SYNC_RUNS = Table(
    "sync_runs",
    "One row a run: what it covered and what it brought.",
    (
        Column("run", Type.TEXT, "The Dagster run.", nullable=False),
        Column(
            "mode", Type.TEXT, "window or full; refresh: not both streams were read, and nothing is covered.", False
        ),
        Column(
            "status",
            Type.TEXT,
            "started, succeeded, failed, canceled (by a person) or crashed (its process ended without a word).",
            nullable=False,
        ),
        Column("as_of", Type.TIMESTAMP, "The sync's instant: its now.", nullable=False),
        Column("window_start", Type.TIMESTAMP, "Start of what it read; null for a full sync."),
        Column("window_end", Type.TIMESTAMP, "End of what it read.", nullable=False),
        Column("started_at", Type.TIMESTAMP, "When it began: the present then, as the clocks have it.", nullable=False),
        Column("finished_at", Type.TIMESTAMP, "End of the write: the start and the time it took."),
        Column("machine_clock", Type.TIMESTAMP, "What the machine's clock said when it began."),
        Column("database_clock", Type.TIMESTAMP, "What the database's clock said then."),
        Column("intercom_clock", Type.TIMESTAMP, "What Intercom's answers said then; null where they did not."),
        Column(
            "earliest_now",
            Type.TIMESTAMP,
            "The earliest of these clocks and the instant asked for; nothing that is younger than 30 days then is "
            "deleted, and nothing after it counts as read.",
        ),
        Column("future_instants", Type.INTEGER, "Stored instants later than the present that it met and corrected."),
        Column("contacts_read", Type.INTEGER, "Contacts read from Intercom.", nullable=False),
        Column("conversations_read", Type.INTEGER, "Conversations read from Intercom.", nullable=False),
        Column("contacts_synced", Type.INTEGER, "Customers new or updated."),
        Column("new_contacts", Type.INTEGER, "Customers created."),
        Column("updated_contacts", Type.INTEGER, "Existing customers whose contact the run read."),
        Column("skipped_contacts", Type.INTEGER, "Contacts refused or without an email.", nullable=False),
        Column("errors", Type.INTEGER, "API calls given up after retries.", nullable=False),
        Column("sync_duration_seconds", Type.NUMERIC, "From the first request to the end of the write."),
        Column("avg_quality_score", Type.NUMERIC, "Mean over the customers synced."),
        Column("alerts_generated", Type.INTEGER, "Alerts decided."),
        Column("customers", Type.INTEGER, "Customers that are not deleted, after the write."),
        Column("mrr_by_plan", Type.JSON, "MRR by plan in the workspace's currency, after the write."),
    ),
    key=("run",),
)

SYNC_STREAMS = Table(
    "sync_streams",
    "What each reading brought of each stream, against Intercom's own counts.",
    (
        Column("reading", Type.TEXT, "The reading.", nullable=False),
        Column("kind", Type.TEXT, "contact or conversation.", nullable=False),
        Column("run", Type.TEXT, "The Dagster run that was at it last.", nullable=False),
        Column("read", Type.INTEGER, "Records met, each counted once."),
        Column("refused", Type.INTEGER, "Those that cannot be used."),
        Column("without_email", Type.INTEGER, "Usable contacts without an email."),
        Column(
            "total", Type.INTEGER, "Records that Intercom counted for the same question; null where it did not say."
        ),
        Column("known", Type.INTEGER, "Records known here that the question covers; null where that cannot be said."),
        Column("held", Type.INTEGER, "Records of the kind held after it."),
        Column("gone", Type.INTEGER, "Records that a full reading no longer found, and let go."),
        Column("given_up", Type.INTEGER, "Conversations whose parts could not be fetched."),
        Column("ignored_ratings", Type.INTEGER, "Ratings outside 1 to 5."),
        Column("missed", Type.INTEGER, "Records that a full reading found and earlier windows should have brought."),
        Column("missed_ids", Type.TEXTS, "Up to a hundred of them."),
        Column("overlooked", Type.INTEGER, "Contacts that a full reading did not bring, though they are there."),
        Column("overlooked_ids", Type.TEXTS, "Up to a hundred of them."),
    ),
    key=("reading", "kind"),
)

INTERCOM_CONTACTS = Table(
    "intercom_contacts",
    "The newest usable version of every contact Intercom holds, with its JSON.",
    (
        Column("id", Type.TEXT, "Intercom's contact id.", nullable=False),
        Column("email", Type.TEXT, "Email as spelled, trimmed; null for contacts without one.", personal=True),
        Column("external_id", Type.TEXT, "The workspace's own user id."),
        Column("role", Type.TEXT, "user or lead."),
        Column("name", Type.TEXT, "Name as given.", personal=True),
        Column("location_country", Type.TEXT, "Country, by name."),
        Column("location_city", Type.TEXT, "City.", personal=True),
        Column("created_at", Type.TIMESTAMP, "When the contact was created.", nullable=False),
        Column("updated_at", Type.TIMESTAMP, "The version.", nullable=False),
        Column("last_seen_at", Type.TIMESTAMP, "When the contact was last seen."),
        Column("payload", Type.JSON, "The contact as Intercom gave it.", nullable=False, personal=True),
        Column("revision", Type.BIGINT, "Counts every change that landed.", nullable=False),
        _LANDED_AT,
    ),
    key=("id",),
)

CONTACT_MERGES = Table(
    "contact_merges",
    "Which contact took in which: words written under an id that is gone are those of the contact that took it in.",
    (
        Column("source_id", Type.TEXT, "The contact that was merged away.", nullable=False),
        Column("contact_id", Type.TEXT, "The contact it was merged into.", nullable=False),
    ),
    key=("source_id",),
)

INTERCOM_CONVERSATIONS = Table(
    "intercom_conversations",
    "The newest version of every conversation Intercom holds, as far as the counts need it.",
    (
        Column("id", Type.TEXT, "Intercom's conversation id.", nullable=False),
        Column("created_at", Type.TIMESTAMP, "When it began.", nullable=False),
        Column("updated_at", Type.TIMESTAMP, "The version.", nullable=False),
        Column("open", Type.BOOLEAN, "Open or snoozed.", nullable=False),
        Column("contact_ids", Type.TEXTS, "The contacts that take part.", nullable=False),
        Column("rating", Type.INTEGER, "1 to 5, where rated."),
        Column("rating_contact_id", Type.TEXT, "Who rated it, where named."),
        Column("parts_version", Type.TIMESTAMP, "The version whose parts were fetched; null when none was."),
        Column("parts_wanted", Type.BOOLEAN, "Parts wait to be fetched.", nullable=False),
        Column("parts_missing", Type.INTEGER, "Parts that exist and were not to be had (over 500).", nullable=False),
        _LANDED_AT,
    ),
    key=("id",),
)

INTERCOM_MESSAGES = Table(
    "intercom_messages",
    "What contacts wrote in the last 30 days, as visible text.",
    (
        Column("conversation_id", Type.TEXT, "The conversation.", nullable=False),
        Column("message_id", Type.TEXT, "The part, or the opening message.", nullable=False),
        Column("author_id", Type.TEXT, "The contact who wrote it."),
        Column("created_at", Type.TIMESTAMP, "When it was written.", nullable=False),
        Column("text", Type.TEXT, "Its visible text.", nullable=False, personal=True),
        Column("mentions_cancel", Type.BOOLEAN, "Whether it says one of the cancel words.", nullable=False),
        Column("rules", Type.TEXT, "Fingerprint of the rules that read its text, and of the words.", nullable=False),
    ),
    key=("conversation_id", "message_id"),
)

REVENUE_METRICS = Table(
    "revenue_metrics",
    "What each contact pays, from the Stripe data on it.",
    (
        Column("contact_id", Type.TEXT, "Intercom's contact id.", nullable=False),
        *_STRIPE_COLUMNS,
        Column("newest_payment_amount", Type.NUMERIC, "The newest succeeded payment, major units."),
        Column("currencies", Type.TEXTS, "Currencies of what counts, where given.", nullable=False),
        Column("refunded", Type.NUMERIC, "Refunds on succeeded payments, major units; LTV stays gross."),
        Column("revision", Type.BIGINT, "The contact's revision it was computed from.", nullable=False),
        Column("rules", Type.TEXT, "Fingerprint of the rules it was computed by.", nullable=False),
    ),
    key=("contact_id",),
)

SYNC_READINGS = Table(
    "sync_readings",
    "Readings under way: the whole workspace or one window, each until the run that read it has written its customers.",
    (
        Column("reading", Type.TEXT, "The reading.", nullable=False),
        Column("scope", Type.TEXT, "What is being read: full, or a window.", nullable=False),
        Column("run", Type.TEXT, "The Dagster run at it.", nullable=False),
        Column("begun_at", Type.TIMESTAMP, "When it began, by the database's clock.", nullable=False),
    ),
    key=("reading",),
)

SYNC_READS = Table(
    "sync_reads",
    "The ids that a reading has met: whose contact the run read, and what a full sync found.",
    (
        Column("reading", Type.TEXT, "The reading.", nullable=False),
        Column("kind", Type.TEXT, "contact or conversation.", nullable=False),
        Column("id", Type.TEXT, "The record's id.", nullable=False),
    ),
    key=("reading", "kind", "id"),
)

SYNC_MARKS = Table(
    "sync_marks",
    "How far a reading has come, so that its next try goes on from there.",
    (
        Column("reading", Type.TEXT, "The reading.", nullable=False),
        Column("kind", Type.TEXT, "contact or conversation.", nullable=False),
        Column("walk", Type.TEXT, "Which of the walks that share the reading; empty: all of it is done.", False),
        Column("mark", Type.JSON, "Where it stands.", nullable=False),
    ),
    key=("reading", "kind", "walk"),
)

SYNC_WORKERS = Table(
    "sync_workers",
    "The processes that work on runs, so that a run whose process is gone is known.",
    (
        Column("run", Type.TEXT, "The Dagster run.", nullable=False),
        Column("worker", Type.TEXT, "Host, process id and when that process started.", nullable=False),
        Column("alive_at", Type.TIMESTAMP, "Its last sign of life, by the database's clock.", nullable=False),
    ),
    key=("run",),
)

SUPPORT_METRICS = Table(
    "support_metrics",
    "How support goes with each customer that has conversations.",
    (
        Column("email_key", Type.TEXT, "The customer's email in lower case.", nullable=False, personal=True),
        *_SUPPORT_COLUMNS,
    ),
    key=("email_key",),
)

CUSTOMER_WRITES = Table(
    "customer_writes",
    "The evidence of who wrote last: per customer, the values that the sync itself wrote last.",
    (
        Column("email_key", Type.TEXT, "The customer's email in lower case.", nullable=False, personal=True),
        Column("intercom_contact_id", Type.TEXT, "The contact that it was written from."),
        Column("name", Type.TEXT, "The name written.", personal=True),
        *(column for column in UNIFIED_CUSTOMERS.columns if column.origin is _INTERCOM),
    ),
    key=("email_key",),
)

FORGOTTEN = Table(
    "forgotten",
    "Whom to keep out since somebody asked for it. It does not say who they are.",
    (
        Column("kind", Type.TEXT, "email, contact, conversation, or the salt of the digests.", nullable=False),
        Column("mark", Type.TEXT, "A salted digest of the email in lower case, or Intercom's id.", nullable=False),
        Column("updated_at", Type.TIMESTAMP, "The newest version met, to compare Intercom's counts with."),
    ),
    key=("kind", "mark"),
)

SYNC_STATE = Table(
    "sync_state",
    "What syncs remember of the workspace as a whole, one value a name.",
    (
        Column("name", Type.TEXT, "workspace_id, or messages_since.", nullable=False),
        Column(
            "value",
            Type.TEXT,
            "The id of the workspace that the tables hold; the instant from which on all messages are kept.",
            nullable=False,
        ),
    ),
    key=("name",),
)

TABLES = (
    UNIFIED_CUSTOMERS,
    CUSTOMER_ALERTS,
    CHECK_VERDICTS,
    REJECTED_RECORDS,
    SYNC_RUNS,
    SYNC_STREAMS,
    INTERCOM_CONTACTS,
    CONTACT_MERGES,
    INTERCOM_CONVERSATIONS,
    INTERCOM_MESSAGES,
    REVENUE_METRICS,
    SUPPORT_METRICS,
    CUSTOMER_WRITES,
    SYNC_READINGS,
    SYNC_READS,
    SYNC_MARKS,
    SYNC_WORKERS,
    FORGOTTEN,
    SYNC_STATE,
)
