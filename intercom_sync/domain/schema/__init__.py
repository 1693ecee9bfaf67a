"""Tables, columns and lineage: the one source for DDL, checks, UI metadata and docs."""
