"""Slack: the text and blocks of messages, and the client that posts them.

What is sent and when is decided in `pipeline.alert_delivery`.
"""
