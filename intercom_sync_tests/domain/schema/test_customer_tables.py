"""Columns whose values come from Intercom have that origin, so that a sync keeps values of other systems (R1.5)."""

import pytest

from intercom_sync.domain.schema.columns import Column, Origin
from intercom_sync.domain.schema.customer_tables import CUSTOMER_LAST_WRITTEN, REVENUE_METRICS, UNIFIED_CUSTOMERS
from intercom_sync.domain.schema.landed_tables import PROFILE_COLUMNS

_STRIPE_COLUMNS = tuple(column for column in REVENUE_METRICS.columns if column.name in UNIFIED_CUSTOMERS.names)


@pytest.mark.parametrize("column", [*PROFILE_COLUMNS, *_STRIPE_COLUMNS], ids=lambda column: column.name)
def test_a_profile_or_stripe_column_has_the_origin_intercom_and_is_kept_as_last_written(column: Column) -> None:
    assert column.origin is Origin.INTERCOM
    assert column in UNIFIED_CUSTOMERS.columns
    assert column in CUSTOMER_LAST_WRITTEN.columns
