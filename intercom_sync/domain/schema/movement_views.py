"""Views over the ledger of MRR movements: what they are made of is in the warehouse."""

from intercom_sync.domain.schema.columns import Column, Table, Type

_MONTH = Column("month", Type.DATE, "First day of the month, in UTC.", nullable=False)


def _amount(name: str, description: str) -> Column:
    return Column(name, Type.NUMERIC, description, nullable=False)


def _count(name: str, description: str) -> Column:
    return Column(name, Type.BIGINT, description, nullable=False)


def _ratio(name: str, description: str) -> Column:
    return Column(name, Type.NUMERIC, f"{description}; null when no customer paid at the start.")


MRR_MONTHLY = Table(
    "mrr_monthly",
    "View of the ledger by month in UTC, from its first month to that of the newest sync, months without movements "
    "included. A customer is a person: an email change is not another one.",
    (
        _MONTH,
        _amount("mrr_start", "Counted MRR at the start of the month."),
        _amount("opening", "MRR that customers paid already when the ledger began."),
        _amount("new", "MRR of customers that pay for the first time."),
        _amount("reactivation", "MRR of customers that paid before, stopped, and pay again."),
        _amount("expansion", "Increases of paying customers."),
        _amount("contraction", "Decreases of paying customers, negative."),
        _amount("churn", "MRR of customers that stopped paying or were deleted, negative."),
        _amount("transfer", "MRR that went from one email to another; 0 in sum."),
        _amount("correction", "Changes of what is known, not of what customers pay."),
        _amount("mrr_end", "mrr_start plus the eight columns before."),
        _count("customers_start", "Customers that pay at the start."),
        _count("customers_new", "Customers with a movement of the kind new."),
        _count("customers_churned", "Customers with a movement of the kind churn."),
        _count("customers_reactivated", "Customers with a movement of the kind reactivation."),
        _count("customers_end", "Customers that pay at the end."),
        _ratio(
            "nrr",
            "Net revenue retention: mrr_start and what the customers that paid then expanded, contracted, churned and "
            "reactivated, over mrr_start",
        ),
        _ratio("grr", "Gross revenue retention: the same, of each of them only a sum below 0"),
        _ratio("logo_churn", "Share of the customers that paid at the start, churned, and do not pay at the end"),
    ),
    key=("month",),
)

MRR_COHORTS = Table(
    "mrr_cohorts",
    "View of the ledger by cohort, the month of a customer's first positive MRR, and month since.",
    (
        Column(
            "cohort",
            Type.TEXT,
            "The month as in 2026-01; opening for customers that paid already when the ledger began.",
            nullable=False,
        ),
        _count("months_since", "Months since the cohort's."),
        _MONTH,
        _count("cohort_customers", "Customers of the cohort."),
        _count("customers", "How many of them pay at the end of the month."),
        _amount("mrr", "What they pay then."),
    ),
    key=("cohort", "months_since"),
)

VIEWS = (MRR_MONTHLY, MRR_COHORTS)

CUSTOMERS_AS_OF = "customers_as_of"
"""Name of the function that returns the rows of `customer_history` that were valid at an instant."""

CUSTOMERS_AS_OF_DESCRIPTION = "Customers as they were at an instant: the rows of customer_history valid then."
