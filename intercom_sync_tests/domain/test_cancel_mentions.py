from datetime import UTC, datetime

import pytest

from intercom_sync.domain.cancel_mentions import Mention, conversation_url, mention_evidence

APP = "https://app.eu.intercom.com"


def test_the_evidence_is_the_words_around_the_mention_when_and_where():
    said = Mention(
        "hello " * 60 + "we will cancel in May " + "bye " * 60, datetime(2026, 2, 3, tzinfo=UTC), "77", "ws1"
    )
    evidence = mention_evidence(said, ("cancel",), APP)
    assert "we will cancel in May" in evidence["excerpt"]
    assert len(evidence["excerpt"]) < 200
    assert evidence["said_at"] == "2026-02-03T00:00:00+00:00"
    assert evidence["conversation_url"] == f"{APP}/a/inbox/ws1/inbox/conversation/77"


def test_words_that_no_longer_count_are_shown_from_the_start():
    said = Mention("we will churn", datetime(2026, 2, 3, tzinfo=UTC), "77")
    assert mention_evidence(said, ("cancel",), APP)["excerpt"] == "we will churn"


@pytest.mark.parametrize("workspace", [None, ""])
def test_without_a_workspace_the_link_opens_the_one_a_person_is_signed_in_to(workspace):
    assert conversation_url(APP, workspace, "77") == f"{APP}/a/apps/_/conversations/77"


def test_ids_cannot_leave_their_place_in_the_link():
    assert conversation_url(APP, "../x", "1/2?a#b") == f"{APP}/a/inbox/..%2Fx/inbox/conversation/1%2F2%3Fa%23b"
