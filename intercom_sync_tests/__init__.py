"""Tests, in the folders of what they test; `end_to_end` runs the whole over HTTP into Postgres."""
