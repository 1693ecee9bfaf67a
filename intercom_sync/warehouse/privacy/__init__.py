"""People's data: suppression list, erasure and retention."""
