"""A sync that is killed with SIGKILL at any moment, and then its next try: the tables of a sync that nobody killed.

README.md in this folder says how to kill more often.
"""

import os
from pathlib import Path

import pytest

from intercom_sync_tests.survival.kill_rounds import KillRounds
from intercom_sync_tests.survival.reference_run import schema_pair

_ASKED = os.environ.get("INTERCOM_SYNC_KILLS")
_SEED = int(os.environ.get("INTERCOM_SYNC_KILLS_SEED", "1"))
KILLS = int(_ASKED or 5)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(0 if _ASKED else 300)]


def test_a_sync_killed_at_any_moment_is_put_right_by_the_next(database_url: str, tmp_path: Path) -> None:
    with schema_pair(database_url, _SEED, 300, latency=0.01) as both:
        rounds = KillRounds(both, tmp_path, many=bool(_ASKED))
        number = 0
        while rounds.kills.total() < KILLS:
            number += 1
            rounds.round(real=number % (3 if _ASKED else 5) == 0)
        rounds.is_over()
    print(
        f"\n{rounds.kills.total()} kills {dict(rounds.kills)}; {rounds.too_late} too late; {rounds.committed} came "
        f"after the customers were written; {rounds.resumed} left pages to resume from; {rounds.twice} messages twice"
    )
