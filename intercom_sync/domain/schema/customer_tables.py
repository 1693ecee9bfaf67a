"""Tables of results: `unified_customers`, its metrics, and the values that the sync last wrote to it."""

from intercom_sync.domain.schema.columns import Column, Origin, Table, Type
from intercom_sync.domain.schema.landed_tables import PROFILE_COLUMNS

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
        Column("name", Type.TEXT, "Name; the part of the email before the @ when no name is known.", personal=True),
        *PROFILE_COLUMNS,
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
        Column(
            "counted_mrr",
            Type.NUMERIC,
            "Counted MRR, to which the customer's movements add up; null until an MRR has been known.",
        ),
    ),
    key=("email_key",),
)
