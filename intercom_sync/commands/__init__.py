"""What each command of `intercom-sync` does. `cli` parses the arguments."""
