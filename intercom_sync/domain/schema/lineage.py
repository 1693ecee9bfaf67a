"""Column lineage for the UI: the source columns of each computed column."""

from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.tables import (
    CONTACT_MERGES,
    INTERCOM_CONTACTS,
    INTERCOM_CONVERSATIONS,
    INTERCOM_MESSAGES,
    MRR_MOVEMENTS,
    REVENUE_METRICS,
    SUPPORT_METRICS,
    UNIFIED_CUSTOMERS,
)

Source = tuple[Table, str]

_CONTACT, _CONVERSATION, _REVENUE, _SUPPORT = (
    INTERCOM_CONTACTS,
    INTERCOM_CONVERSATIONS,
    REVENUE_METRICS,
    SUPPORT_METRICS,
)
_PAYLOAD = (_CONTACT, "payload")
_PARTICIPANTS = (_CONVERSATION, "contact_ids")
_EMAIL = (_CONTACT, "email")
_MERGED = (CONTACT_MERGES, "contact_id")
_QUALITY_INPUTS = (
    (_REVENUE, "stripe_customer_id"),
    (_REVENUE, "subscription_count"),
    (_REVENUE, "subscription_status"),
    (_REVENUE, "ltv"),
    (_CONTACT, "last_seen_at"),
    (_CONTACT, "location_country"),
    (_CONTACT, "location_city"),
    (_SUPPORT, "intercom_convos_total"),
    (_SUPPORT, "csat_score"),
)
_NOT_FROM_PAYLOAD = {"contact_id", "revision", "rules_hash"}

_MOVED = ((UNIFIED_CUSTOMERS, "mrr"), (UNIFIED_CUSTOMERS, "intercom_deleted_at"))

LINEAGE: dict[str, dict[str, tuple[Source, ...]]] = {
    REVENUE_METRICS.name: {
        "contact_id": ((_CONTACT, "id"),),
        "revision": ((_CONTACT, "revision"),),
        **{name: (_PAYLOAD,) for name in REVENUE_METRICS.names if name not in _NOT_FROM_PAYLOAD},
    },
    SUPPORT_METRICS.name: {
        "email_key": (_EMAIL,),
        "intercom_convos_total": (_PARTICIPANTS, _EMAIL),
        "intercom_convos_30d": (_PARTICIPANTS, (_CONVERSATION, "created_at"), _EMAIL),
        "open_tickets": (_PARTICIPANTS, (_CONVERSATION, "open"), _EMAIL),
        "mentioned_cancel": (
            _PARTICIPANTS,
            (INTERCOM_MESSAGES, "text"),
            (INTERCOM_MESSAGES, "author_id"),
            _MERGED,
            _EMAIL,
        ),
        "csat_score": ((_CONVERSATION, "rating"), (_CONVERSATION, "rating_contact_id"), _PARTICIPANTS, _MERGED, _EMAIL),
    },
    UNIFIED_CUSTOMERS.name: {
        **{name: ((_CONTACT, name),) for name in UNIFIED_CUSTOMERS.names if name in INTERCOM_CONTACTS.names},
        "intercom_contact_id": ((_CONTACT, "id"),),
        "signup_date": ((_CONTACT, "created_at"),),
        "days_since_seen": ((_CONTACT, "last_seen_at"),),
        **{name: ((_REVENUE, name),) for name in UNIFIED_CUSTOMERS.names if name in REVENUE_METRICS.names},
        **{name: ((_SUPPORT, name),) for name in UNIFIED_CUSTOMERS.names if name in SUPPORT_METRICS.names},
        "quality_score": _QUALITY_INPUTS,
        "intercom_deleted_at": (_EMAIL,),
    },
    MRR_MOVEMENTS.name: {
        **{name: ((UNIFIED_CUSTOMERS, name),) for name in ("email", "intercom_contact_id", "stripe_customer_id")},
        **dict.fromkeys(("kind", "cause", "mrr_before", "mrr_after", "mrr_change"), _MOVED),
        **dict.fromkeys(("plan_before", "plan_after"), ((UNIFIED_CUSTOMERS, "plan_name"),)),
    },
}
