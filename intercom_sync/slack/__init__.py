"""Slack: text and blocks of messages, and the client that posts them. `pipeline.alert_delivery` uses both."""
