"""What changed and when: the ledger of MRR movements, and the history of each customer."""

from intercom_sync.domain.schema.columns import Column, Table, Type
from intercom_sync.domain.schema.customer_tables import UNIFIED_CUSTOMERS

TRACKED = (
    "plan_name",
    "subscription_status",
    "subscription_count",
    "mrr",
    "is_delinquent",
    "mentioned_cancel",
    "csat_score",
    "intercom_deleted_at",
)
"""Columns of `unified_customers` whose changes are history; those that change daily for everybody are not."""

MRR_MOVEMENTS = Table(
    "mrr_movements",
    "Append-only ledger of MRR movements: by how much the counted MRR of a customer changed in a sync, and why. Per "
    "customer and in total its sum is the counted MRR: the MRR that the sync last wrote, 0 where it is unknown or the "
    "customer is deleted.",
    (
        Column("movement_id", Type.BIGINT, "Sequence number, in the order of writing.", nullable=False),
        Column("observed_at", Type.TIMESTAMP, "Logical time of the sync that saw the change.", nullable=False),
        Column(
            "email",
            Type.TEXT,
            "The customer's email in lower case; null once the person is forgotten.",
            personal=True,
        ),
        Column("intercom_contact_id", Type.TEXT, "Id of the customer's contact then; null once forgotten."),
        Column("stripe_customer_id", Type.TEXT, "The customer's Stripe id then; null once forgotten."),
        Column(
            "kind",
            Type.TEXT,
            "new, reactivation, expansion, contraction or churn, which the customer decides; opening, transfer or "
            "correction, which are never revenue won or lost.",
            nullable=False,
        ),
        Column(
            "cause",
            Type.TEXT,
            "subscriptions or deleted; of an opening first_sync or rebuilt (the ledger was lost), of a transfer "
            "contact_moved, of a correction settings (other rules), stripe_data (it vanished or came back), "
            "contact_changed (another contact of the email) or forgotten.",
            nullable=False,
        ),
        Column("mrr_before", Type.NUMERIC, "Counted MRR before, major units.", nullable=False),
        Column("mrr_after", Type.NUMERIC, "Counted MRR after, major units.", nullable=False),
        Column("mrr_change", Type.NUMERIC, "After less before.", nullable=False),
        Column("plan_before", Type.TEXT, "Name of the plan before."),
        Column("plan_after", Type.TEXT, "Name of the plan after."),
        Column("run_id", Type.TEXT, "Id of the Dagster run that saw the change.", nullable=False),
        Column(
            "first_movement_id",
            Type.BIGINT,
            "movement_id of the customer's first movement, null on the first itself: it keeps a customer's movements "
            "together when an email changes and after the person is forgotten.",
        ),
    ),
    key=("movement_id",),
)

CUSTOMER_HISTORY = Table(
    "customer_history",
    "Each customer's history (slowly changing dimension, type 2): one row per customer and change of one of these "
    "columns by a sync.",
    (
        Column("history_id", Type.BIGINT, "Sequence number, in the order of writing.", nullable=False),
        Column("email_key", Type.TEXT, "The customer's email in lower case.", nullable=False, personal=True),
        *(column for column in UNIFIED_CUSTOMERS.columns if column.name in TRACKED),
        Column("valid_from", Type.TIMESTAMP, "Logical time of the sync that wrote these values.", nullable=False),
        Column("valid_to", Type.TIMESTAMP, "Logical time of the sync that changed one; null for the present row."),
    ),
    key=("history_id",),
)
