"""The commands of `intercom-sync`. `cli` parses their arguments."""
