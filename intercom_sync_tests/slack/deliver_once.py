"""Deliver an outbox once in a process that can be killed. Arguments: database, schema and Slack URL.

It does not wait for Slack's rate limit or a Retry-After.
"""

import sys
from functools import partial

from intercom_sync.pipeline.alert_delivery import AlertDispatcher
from intercom_sync.slack.slack_client import SlackUnavailableError, channels, post_message, quiet_client
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.slack.server import TOKEN


def main(url: str, schema: str, slack: str) -> None:
    with Session(url, schema) as session:
        send = partial(post_message, quiet_client(TOKEN, slack))
        print("ready", flush=True)
        try:
            print(AlertDispatcher(session, channels("#alerts", "#alerts"), send, lambda: 0.0, lambda _: None).deliver())
        except SlackUnavailableError as away:
            print(away)


if __name__ == "__main__":
    main(*sys.argv[1:])
