"""A local Intercom: an HTTP server that behaves as Intercom's REST API does, with an invented company's data.

For the demo, the tests and the benchmarks. Read it in this order: `builders` (single records), `company` (a workspace
and its edits), `generate` (a whole invented company), `query` and `search` (what a search finds), `endpoints` and
`app` (the API over HTTP), `faults` (trouble on demand), `server` (starting it). Nothing here knows the sync.
"""
