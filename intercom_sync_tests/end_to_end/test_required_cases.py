"""The seven test cases that the requirements list, by their names."""

from decimal import Decimal

from intercom_sync.sandbox.builders import location, part, payment, subscription
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, at, person, talk

_STRIPE = {
    "stripe_id": "cus_ada",
    "stripe_plan": "Pro",
    "stripe_plan_price": 299,
    "stripe_subscription_status": "active",
    "stripe_delinquent": False,
    "stripe_last_charge_amount": 29900,
    "stripe_last_charge_at": at(NOW - 3 * DAY),
    "Stripe Subscriptions": [subscription(amount=29900, interval="month")],
    "Stripe Payments": [payment(amount=29900), payment(amount=10000), payment(amount=99900, status="failed")],
}
_REVENUE = (
    "stripe_customer_id", "mrr", "arr", "ltv", "plan_name", "plan_price", "subscription_status", "subscription_count",
    "is_delinquent", "last_payment_amount", "last_payment_date",
)  # fmt: skip


def test_new_contact_with_stripe_data(scenario: Scenario) -> None:
    """Creates customer with MRR/LTV."""
    scenario.put(
        person(
            "c1", "Ada@Example.com", name="Ada Field", external_id="u-7", stripe=_STRIPE,
            last_seen_at=at(NOW - 2 * DAY), location=location("Ireland", "Cork"),
        )
    )  # fmt: skip
    synced = scenario.sync(full=True)
    assert synced.counts == (1, 0, 0, 0)
    assert scenario.customer("ada@example.com") == {
        "email": "ada@example.com",
        "intercom_contact_id": "c1",
        "external_id": "u-7",
        "name": "Ada Field",
        "location_country": "Ireland",
        "location_city": "Cork",
        "signup_date": NOW - 101 * DAY,
        "stripe_customer_id": "cus_ada",
        "mrr": Decimal(299),
        "arr": Decimal(3588),
        "ltv": Decimal(399),
        "plan_name": "Pro",
        "plan_price": Decimal(299),
        "subscription_status": "active",
        "subscription_count": 1,
        "is_delinquent": False,
        "last_payment_amount": Decimal(299),
        "last_payment_date": NOW - 3 * DAY,
        "last_seen_at": NOW - 2 * DAY,
        "days_since_seen": 2,
        "intercom_convos_total": 0,
        "intercom_convos_30d": 0,
        "open_tickets": 0,
        "mentioned_cancel": False,
        "csat_score": None,
        "quality_score": 20 + 20 + 15 + 15 + 10,
        "intercom_deleted_at": None,
        "last_intercom_sync": NOW,
        "currency": "usd",
        "customer_id": 1,
    }


def test_existing_contact_update(scenario: Scenario) -> None:
    """Updates fields without overwriting other sources: a table that another system made, with columns of its own."""
    scenario.rows(
        "CREATE TABLE unified_customers (customer_no integer PRIMARY KEY, email varchar(255) NOT NULL, "
        "name varchar(80), segment text NOT NULL, mrr double precision, plan_name text, location_city text, "
        "notes text NOT NULL DEFAULT 'none yet')"
    )
    scenario.rows(
        "INSERT INTO unified_customers (customer_no, email, name, segment, mrr, plan_name, location_city) VALUES "
        "(41, 'Ada@Example.COM', 'Ada F.', 'enterprise', 9.5, 'Legacy', 'Galway'), "
        "(42, 'eve@example.com', 'Eve', 'smb', 7.25, 'Legacy', NULL)"
    )
    stripe = {"stripe_plan": "Pro", "Stripe Subscriptions": [subscription(amount=10000, interval="year")]}
    scenario.put(person("c1", "ada@example.com", name="Ada Field", stripe=stripe, location=location("Ireland")))
    synced = scenario.sync(full=True)
    assert synced.counts == (0, 1, 0, 0)
    ada = scenario.customer("ada@example.com")
    assert (ada["customer_no"], ada["email"], ada["segment"]) == (41, "Ada@Example.COM", "enterprise")
    assert (ada["location_city"], ada["notes"]) == ("Galway", "none yet")
    assert (ada["name"], ada["plan_name"], ada["location_country"]) == ("Ada Field", "Pro", "Ireland")
    assert ada["mrr"] == 8.333333
    eve = scenario.customer("eve@example.com")
    assert (eve["name"], eve["segment"], eve["mrr"], eve["plan_name"]) == ("Eve", "smb", 7.25, "Legacy")
    assert eve["intercom_contact_id"] is None
    assert eve["intercom_deleted_at"] is None


def test_multiple_subscriptions(scenario: Scenario) -> None:
    """Correctly sums MRR, of the active ones, each by its quantity."""
    subscriptions = [
        subscription(amount=29900),
        subscription(amount=1000, quantity=5),
        subscription(amount=9900, status="canceled"),
        subscription(amount=9900, status="trialing"),
    ]
    scenario.put(person("c1", "ada@example.com", stripe={"Stripe Subscriptions": subscriptions}))
    scenario.sync(full=True)
    ada = scenario.customer("ada@example.com")
    assert (ada["mrr"], ada["arr"], ada["subscription_count"]) == (Decimal(349), Decimal(4188), 2)


def test_annual_subscription(scenario: Scenario) -> None:
    """Normalizes to monthly MRR; ARR is twelve times the exact one, not the rounded."""
    scenario.put(
        person("c1", "ada@example.com", stripe={"Stripe Subscriptions": [subscription(amount=10000, interval="year")]})
    )
    scenario.sync(full=True)
    ada = scenario.customer("ada@example.com")
    assert (ada["mrr"], ada["arr"]) == (Decimal("8.333333"), Decimal(100))


def test_no_stripe_data(scenario: Scenario) -> None:
    """Creates customer with null revenue fields."""
    scenario.put(person("c1", "ada@example.com"), person("c2", "bob@example.com", custom_attributes=None))
    assert scenario.sync(full=True).counts == (2, 0, 0, 0)
    for email in ("ada@example.com", "bob@example.com"):
        customer = scenario.customer(email)
        assert {name: customer[name] for name in _REVENUE} == dict.fromkeys(_REVENUE)


def test_cancel_mention(scenario: Scenario) -> None:
    """Sets mentioned_cancel flag: for whoever wrote it in an opening message or in a reply, and for nobody else."""
    scenario.put(*(person(f"c{n}", f"{name}@example.com") for n, name in enumerate(("ada", "bob", "cyd", "dan"))))
    scenario.talks(
        talk("500", "c0", "I won&#8217;t <b>ren</b>ew"),
        talk("501", "c1", "Hello", "We are thinking of cancelling."),
        talk("502", "c2", "Hello", created=NOW - 2 * DAY),
        talk("503", "c3", "Please cancel my plan", created=NOW - 31 * DAY),
    )
    told = scenario.company.conversations()[2]
    agents = part(body="<p>Do you want to cancel?</p>", author={"type": "admin", "id": "7"}, created_at=at(NOW - DAY))
    told["conversation_parts"]["conversation_parts"].append(agents)
    scenario.talks(told | {"updated_at": at(NOW - DAY)})
    scenario.sync(full=True)
    mentioned = {row["email"]: row["mentioned_cancel"] for row in scenario.rows("SELECT * FROM unified_customers")}
    assert mentioned == {
        "ada@example.com": True,
        "bob@example.com": True,
        "cyd@example.com": False,
        "dan@example.com": False,
    }
    assert scenario.alerts() == [("cancel_mention", "ada@example.com"), ("cancel_mention", "bob@example.com")]


def test_delinquent_payment(scenario: Scenario) -> None:
    """Sets is_delinquent flag, and says so once."""
    scenario.put(
        person("c1", "ada@example.com", stripe={"stripe_delinquent": True}),
        person("c2", "bob@example.com", stripe={"stripe_delinquent": "False"}),
        person("c3", "cyd@example.com", stripe={"stripe_delinquent": 1}),
    )
    scenario.sync(full=True)
    delinquent = {row["email"]: row["is_delinquent"] for row in scenario.rows("SELECT * FROM unified_customers")}
    assert delinquent == {"ada@example.com": True, "bob@example.com": False, "cyd@example.com": True}
    alerts = [("payment_delinquent", "ada@example.com"), ("payment_delinquent", "cyd@example.com")]
    assert scenario.alerts() == alerts
    scenario.sync(NOW + DAY, full=True)
    assert scenario.alerts() == alerts
