"""Errors of the sync itself."""


class RunRefusedError(Exception):
    """A run cannot start as it was asked for; the message says why, and what to do. Nothing was written."""
