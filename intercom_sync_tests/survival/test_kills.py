"""A sync that is killed with SIGKILL at any moment, and then its next try: the tables of a sync that nobody killed.

How to kill more often stands in the README beside this file.
"""

import os
from pathlib import Path

import pytest

from intercom_sync_tests.survival.kill_rounds import Siege
from intercom_sync_tests.survival.reference_run import twins

_ASKED = os.environ.get("INTERCOM_SYNC_KILLS")
_SEED = int(os.environ.get("INTERCOM_SYNC_KILLS_SEED", "1"))
KILLS = int(_ASKED or 5)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(0 if _ASKED else 300)]


def test_a_sync_killed_at_any_moment_is_put_right_by_the_next(database_url: str, tmp_path: Path) -> None:
    with twins(database_url, _SEED, 300, latency=0.01) as both:
        siege = Siege(both, tmp_path, many=bool(_ASKED))
        number = 0
        while siege.kills.total() < KILLS:
            number += 1
            siege.round(real=number % (3 if _ASKED else 5) == 0)
        siege.is_over()
    print(
        f"\n{siege.kills.total()} kills {dict(siege.kills)}; {siege.too_late} came too late; {siege.committed} struck "
        f"after the customers were written; {siege.resumed} left pages to go on from; {siege.twice} messages twice"
    )
