"""A rule does not change without its version: stored results of an older version would stay for ever."""

import shutil

import pytest

from intercom_sync.domain.rule_versions import RULE_VERSIONS
from intercom_sync.domain.rules import Rules
from intercom_sync_tests.domain.rule_sources import PACKAGE, digest, modules, normalised


@pytest.mark.parametrize("rule", RULE_VERSIONS)
def test_the_source_of_a_rule_is_that_of_its_version(rule):
    assert digest(rule) == RULE_VERSIONS[rule].digest, (
        f"The source of the rule {rule!r} ({', '.join(sorted(modules(rule)))}) has changed. In "
        "intercom_sync/domain/rule_versions.py raise its version where what it computes has changed too, so that "
        f"stored results are computed again, and give it the new digest {digest(rule)!r}."
    )


def test_every_module_that_a_rule_needs_belongs_to_it():
    revenue = {f"revenue.{name}" for name in ("contact_revenue", "prices", "payments", "money", "stripe_attributes")}
    assert revenue <= modules("revenue")
    assert {"contacts", "conversations", "emails", "parsing"} <= modules("parsing")
    assert "revenue.contact_revenue" not in modules("parsing")
    assert {"messages", "html_text", "quoted_mail"} <= modules("text")
    assert "cancel_mentions" in modules("matching")


@pytest.mark.parametrize(
    ("module", "old", "new", "changed"),
    [
        ("revenue/prices", '"week": 52', '"week": 53', {"revenue"}),
        ("revenue/money", '"jpy", ', "", {"revenue"}),
        ("contacts", 'get("email")', 'get("mail")', {"parsing"}),
        ("cancel_mentions", '"Mc", ', "", {"matching"}),
        ("revenue/prices", '-> Item:\n    """', '-> Item:\n    """Another word. ', set()),
        ("revenue/prices", "PARTS\n", "PARTS  # a comment\n", set()),
    ],
)
def test_a_change_of_what_a_rule_does_is_noticed_and_one_of_its_words_is_not(tmp_path, module, old, new, changed):
    shutil.copytree(PACKAGE, tmp_path / "domain")
    file = tmp_path / "domain" / f"{module}.py"
    source = file.read_text()
    assert old in source
    file.write_text(source.replace(old, new, 1))
    assert {rule for rule in RULE_VERSIONS if digest(rule, tmp_path / "domain") != digest(rule)} == changed


def test_strings_that_are_no_docstrings_stay():
    assert normalised('"""A."""\nx = "# é b"  # c\ndef f():\n    """D."""\n    return "é"  # é\n') == (
        'x="#éb"deff():return"é"'
    )


@pytest.mark.parametrize("rule", ["PARSING", "REVENUE"])
def test_the_fingerprint_of_contacts_has_the_versions(monkeypatch, rule):
    _changes(monkeypatch, rule, lambda: Rules().contact_rules_hash())


@pytest.mark.parametrize("rule", ["MATCHING", "TEXT"])
def test_the_fingerprint_of_messages_has_the_versions(monkeypatch, rule):
    _changes(monkeypatch, rule, lambda: Rules().message_rules_hash())


def _changes(monkeypatch, rule, fingerprint):
    before = fingerprint()
    now = getattr(__import__("intercom_sync.domain.rules", fromlist=[rule]), rule)
    monkeypatch.setattr(f"intercom_sync.domain.rules.{rule}", now._replace(version=now.version + 1))
    assert fingerprint() != before
