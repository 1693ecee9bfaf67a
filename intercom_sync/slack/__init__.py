"""Slack: what is said there, and the saying of it. What there is to say and when, others decide."""
