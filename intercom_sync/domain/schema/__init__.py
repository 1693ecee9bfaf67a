"""Tables, columns and lineage, each written once. Feeds the DDL, the checks, the UI and the docs."""
