"""Upserts of raw records: contacts, conversations, merges and deletions."""
