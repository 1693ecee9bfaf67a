"""Base classes of the errors that a sync expects. Each says in its type whether the same attempt may succeed later.

A message is one sentence that says what happened and what to do. It holds no token, no email and no body of an answer.
"""


class SyncError(Exception):
    """An expected failure. Raise a subclass that is also a `RetryableError` or a `FatalError`."""


class RetryableError(SyncError):
    """Something is unavailable for now: the same attempt may succeed later."""


class FatalError(SyncError):
    """The same attempt fails again until someone changes something."""
