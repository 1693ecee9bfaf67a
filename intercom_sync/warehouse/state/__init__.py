"""State of syncs: runs, resumable extractions and stream statistics."""
