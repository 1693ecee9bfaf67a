"""Intercom's official OpenAPI description, not part of this project; INTERCOM_OPENAPI is the path of a copy."""

import os
from pathlib import Path
from typing import Any

import pytest

from intercom_sync_tests.end_to_end.conftest import scenario

__all__ = ["described", "scenario"]


@pytest.fixture(scope="session")
def described() -> Any:
    """Return the parsed description."""
    path = os.environ.get("INTERCOM_OPENAPI")
    if not path:
        pytest.skip("INTERCOM_OPENAPI does not name Intercom's OpenAPI description (YAML, API 2.16)")
    import yaml

    return yaml.load(Path(path).read_text(), Loader=yaml.CSafeLoader)
