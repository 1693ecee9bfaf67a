"""intercom_sync: sync an Intercom workspace into one Postgres table of customers, with Dagster.

Layers, lowest first; a module imports from its own layer or a lower one:

- `domain`: the rules. Pure functions, no input or output.
- `intercom`, `warehouse`, `slack`: input and output. API client, SQL, messages.
- `pipeline`: the steps of a sync. No Dagster.
- `orchestration`: everything Dagster. Assets, checks, job, partitions, schedules, sensors, resources.
- `definitions`: the code location. `cli` and `commands`: the command line.

`settings` holds the configuration, `redaction` removes customer data from unexpected errors. `sandbox` is a local
Intercom for the demo, the tests and the benchmarks.
"""
