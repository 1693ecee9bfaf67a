"""Errors of the pipeline."""

from intercom_sync.domain.errors import FatalError


class RunRefusedError(FatalError):
    """A run cannot start as requested. The message says why and what to do; nothing was written."""
