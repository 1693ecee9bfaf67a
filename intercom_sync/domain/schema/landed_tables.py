"""Tables of landed records: what Intercom returned, and what was rejected."""

from intercom_sync.domain.schema.columns import Column, Origin, Table, Type

_LANDED_AT = Column(
    "landed_at", Type.TIMESTAMP, "When the row was inserted or changed, by the database's clock.", nullable=False
)

PROFILE_COLUMNS = (
    Column("external_id", Type.TEXT, "The workspace's own user id.", origin=Origin.INTERCOM),
    Column("location_country", Type.TEXT, "Country, by name.", origin=Origin.INTERCOM),
    Column("location_city", Type.TEXT, "City.", personal=True, origin=Origin.INTERCOM),
)
"""Attributes of `Contact` that `unified_customers` shows under the same name."""

INTERCOM_CONTACTS = Table(
    "intercom_contacts",
    "Landed contacts: the newest valid version of each, with its JSON.",
    (
        Column("id", Type.TEXT, "Intercom's contact id.", nullable=False),
        Column("email", Type.TEXT, "Email as spelled, trimmed; null for contacts without one.", personal=True),
        Column("role", Type.TEXT, "user or lead."),
        Column("name", Type.TEXT, "Name as given.", personal=True),
        *PROFILE_COLUMNS,
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
