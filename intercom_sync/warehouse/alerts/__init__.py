"""The alert outbox and the last state of every asset check."""
