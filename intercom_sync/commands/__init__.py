"""What each command of `intercom-sync` does; the words it understands are in `cli`."""
