"""intercom_sync: an Intercom workspace as one trustworthy Postgres table of customers, made by Dagster.

The rooms, from the inside out; imports point inward only:

- `domain`: what the words mean. Pure.
- `intercom`, `warehouse`, `slack`: the edges. They do the input and output.
- `sync`: one sync, step by step: joins the edges by the rules.
- `assets`, `checks`, `partitions`, `jobs`, `schedules`, `sensors`, `ended_runs`, `resources`, `definitions`: Dagster,
  thin.
- `unforeseen`: how an error that nobody foresaw is told without its own words.
- `settings`: what can be configured. `cli`: the command line; `commands`: what each command does.
- `sandbox`: a local Intercom to try things on; nothing else depends on it but the demo, tests and benchmarks.
"""
