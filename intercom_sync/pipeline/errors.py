"""Errors of the sync itself."""

from intercom_sync.domain.errors import FatalError


class RunRefusedError(FatalError):
    """A run cannot start as it was asked for; the message says why, and what to do. Nothing was written."""
