"""A local Intercom: an HTTP server that behaves like Intercom's REST API, with generated data of an invented workspace.

For the demo, the tests and the benchmarks. Modules in reading order: `builders` (single records), `workspace` (a
workspace and its edits), `generate` (a whole invented workspace), `query` and `search` (what a search finds),
`routes` and `app` (the API over HTTP), `faults` (failures on request), `server` (starts it). It does not import the
rest of the product.
"""
