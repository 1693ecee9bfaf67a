from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from intercom_sync.domain.support import compute_support

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EDGE = NOW - timedelta(days=30)
SECOND = timedelta(seconds=1)
TIME = pl.Datetime("us", "UTC")
TAKING_PART = {
    "email_key": pl.String,
    "conversation_id": pl.String,
    "created_at": TIME,
    "open": pl.Boolean,
    "contacts": pl.Int32,
    "rating": pl.Int16,
    "rating_email_key": pl.String,
    "rating_named": pl.Boolean,
}


def part(email="ann", conversation="v1", **fields):
    given = {"email_key": email, "conversation_id": conversation, "created_at": NOW, "open": False, "contacts": 1}
    return given | {"rating": None, "rating_email_key": None, "rating_named": False} | fields


def metrics(parts, mentions=()):
    said = pl.DataFrame(list(mentions), schema={"email_key": pl.String, "created_at": TIME}, orient="row")
    frame = compute_support(pl.DataFrame(parts, schema=TAKING_PART), said, NOW)
    return {row["email_key"]: row for row in frame.to_dicts()}


def test_conversations_recent_ones_and_open_ones_are_counted():
    found = metrics(
        [
            part(conversation="a", open=True),
            part(conversation="b", created_at=EDGE),
            part(conversation="c", created_at=EDGE - SECOND),
        ]
    )
    assert found["ann"] == {
        "email_key": "ann",
        "intercom_convos_total": 3,
        "intercom_convos_30d": 2,
        "open_tickets": 1,
        "mentioned_cancel": False,
        "csat_score": None,
    }


def test_with_a_now_in_the_past_later_conversations_are_not_recent():
    found = metrics([part(conversation="a"), part(conversation="b", created_at=NOW + SECOND)])
    assert (found["ann"]["intercom_convos_total"], found["ann"]["intercom_convos_30d"]) == (2, 1)


def test_a_conversation_of_two_contacts_of_one_customer_counts_once():
    found = metrics(
        [part(open=True, contacts=2, rating=4), part(open=True, contacts=2, rating=4), part(conversation="w", rating=5)]
    )
    assert (found["ann"]["intercom_convos_total"], found["ann"]["open_tickets"]) == (2, 1)
    assert found["ann"]["csat_score"] == Decimal("4.5")


@pytest.mark.parametrize(
    ("ratings", "mean"),
    [
        ([5], "5.000000"),
        ([4, 5, 5], "4.666667"),  # 14 / 3 = 4.66666…
        ([4, 4, 5], "4.333333"),  # 13 / 3
        ([1] * 63 + [2], "1.015625"),  # 65 / 64, exact
        ([1] * 127 + [2], "1.007813"),  # 129 / 128 = 1.0078125, half up
        ([0, 6, 3], "3.000000"),  # outside 1 to 5 is no rating
    ],
)
def test_csat_is_the_mean_rounded_half_up(ratings, mean):
    found = metrics([part(conversation=str(n), rating=rating) for n, rating in enumerate(ratings)])
    assert str(found["ann"]["csat_score"]) == mean


def test_in_a_group_a_rating_is_the_named_customers_only():
    group = {"contacts": 2, "rating": 2, "rating_named": True, "rating_email_key": "bob"}
    found = metrics([part("ann", **group), part("bob", **group)])
    assert (found["ann"]["csat_score"], found["bob"]["csat_score"]) == (None, 2)


def test_in_a_group_a_rating_of_nobody_named_is_everyones():
    found = metrics([part("ann", contacts=2, rating=3), part("bob", contacts=2, rating=3)])
    assert (found["ann"]["csat_score"], found["bob"]["csat_score"]) == (3, 3)


def test_in_a_group_a_rating_of_an_unknown_contact_is_nobodys():
    found = metrics([part("ann", contacts=2, rating=3, rating_named=True)])
    assert found["ann"]["csat_score"] is None


def test_with_one_contact_the_rating_is_theirs_whoever_is_named():
    found = metrics([part("ann", rating=3, rating_named=True, rating_email_key="merged")])
    assert found["ann"]["csat_score"] == 3


@pytest.mark.parametrize(
    ("said_at", "expected"), [(NOW, True), (EDGE, True), (EDGE - SECOND, False), (NOW + SECOND, False)]
)
def test_a_mention_counts_for_30_days(said_at, expected):
    found = metrics([part("ann"), part("bob", "v2")], [("ann", said_at), ("ann", said_at)])
    assert (found["ann"]["mentioned_cancel"], found["bob"]["mentioned_cancel"]) == (expected, False)


def test_a_customer_who_only_wrote_has_a_row_too():
    assert metrics([], [("ann", NOW)])["ann"]["mentioned_cancel"] is True
    assert metrics([], [("ann", NOW)])["ann"]["intercom_convos_total"] == 0


def test_the_frame_has_the_tables_types_and_is_sorted_even_when_empty():
    types = dict.fromkeys(("intercom_convos_total", "intercom_convos_30d", "open_tickets"), pl.Int32)
    types |= {"email_key": pl.String, "mentioned_cancel": pl.Boolean, "csat_score": pl.Decimal(38, 6)}
    mentions = pl.DataFrame(schema={"email_key": pl.String, "created_at": TIME})
    empty = compute_support(pl.DataFrame(schema=TAKING_PART), mentions, NOW)
    assert dict(empty.schema) == types
    assert empty.is_empty()
    parts = pl.DataFrame([part("b"), part("a"), part("c")], schema=TAKING_PART)
    assert compute_support(parts, mentions, NOW)["email_key"].to_list() == ["a", "b", "c"]


def test_conversation_ids_may_be_numbers():
    parts = pl.DataFrame(
        [part(conversation=1), part(conversation=2)], schema=TAKING_PART | {"conversation_id": pl.Int64}
    )
    mentions = pl.DataFrame(schema={"email_key": pl.String, "created_at": TIME})
    assert compute_support(parts, mentions, NOW)["intercom_convos_total"].to_list() == [2]


def test_rows_of_one_conversation_that_differ_elsewhere_count_once_too():
    rows = [part() | {"contact_id": "lead"}, part() | {"contact_id": "user"}]
    parts = pl.DataFrame(rows, schema=TAKING_PART | {"contact_id": pl.String})
    mentions = pl.DataFrame(schema={"email_key": pl.String, "created_at": TIME})
    assert compute_support(parts, mentions, NOW)["intercom_convos_total"].to_list() == [1]
