"""The sharded scan: reads a stream with several cursors at once and resumes from checkpoints."""
