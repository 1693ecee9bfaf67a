from collections.abc import Iterator

import pytest

from intercom_sync_tests.slack.server import LocalSlack


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    with LocalSlack() as server:
        yield server
