"""A local Intercom for the demo, tests and benchmarks: an HTTP server with Intercom's REST API and generated data.

Modules in reading order: `builders` (single records), `workspace` (records and edits), `generate` (a generated
workspace), `query` and `search` (searches), `routes` and `app` (the HTTP API), `faults` (injected failures), `server`
(starts the server). The sandbox does not import the rest of the product.
"""
