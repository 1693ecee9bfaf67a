"""The sharded scan: reads a stream with several cursors in parallel and resumes from checkpoints."""
